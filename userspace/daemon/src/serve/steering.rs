//! Steering, if the configuration wants it and the kernel lets us: around the data plane's start, and
//! while it runs.

use std::sync::Arc;

use zonecast_control::{Late, Loaded, Path, Steering};
use zonecast_dataplane::{Config, Dataplane, ListenAddress};
use zonecast_ebpf::Counters;

use crate::config::Settings;

/// Loads the programs, and has the loops say how busy they are.
///
/// Without them the daemon serves all the same; one line says why.
pub(super) fn load(settings: &Settings, config: &mut Config) -> Option<Loaded> {
    let Some(wanted) = settings.steering.clone() else {
        tracing::info!("steering: off; the kernel spreads viewers over all loops");
        return None;
    };
    let is_tcp = |address: &ListenAddress| matches!(address, ListenAddress::Tcp(_));
    let listeners = settings.listeners.iter().filter(|l| is_tcp(&l.address));
    match Loaded::load(wanted, &settings.planned.zones, listeners.count()) {
        Ok(loaded) => {
            config.steering_board = Some(loaded.board());
            Some(loaded)
        }
        Err(error) => {
            tracing::info!("steering: spread by the kernel over all loops: {error}");
            None
        }
    }
}

/// Steers what comes from here on, and has the admin API show it.
pub(super) fn start(
    loaded: Loaded,
    settings: &Settings,
    dataplane: &Dataplane,
    source: &Late<Dataplane>,
) -> Option<Running> {
    let started = loaded.start(&settings.planned.zones, dataplane);
    let steering = started
        .inspect_err(|error| {
            tracing::info!("steering: spread by the kernel over all loops: {error}")
        })
        .ok()?;
    for note in steering.notes() {
        tracing::info!("{note}");
    }
    let folder = settings.steering.as_ref().map(|s| s.folder.as_path());
    let pinned = folder.map_or_else(String::new, |folder| folder.display().to_string());
    match steering.path() {
        Path::Lookup => tracing::info!("steering: sk_lookup, pinned in {pinned}"),
        path => tracing::info!("steering: {}: {}", path.as_str(), path.why()),
    }
    match folder.map(Counters::open) {
        Some(Ok(counters)) => source.set_kernel(steering.path().as_str(), counters),
        Some(Err(error)) => tracing::warn!(%error, "steering is not in the metrics"),
        None => {}
    }
    Some(Running {
        steering,
        failed: false,
    })
}

/// Programs that steer, and are told of every change.
pub(super) struct Running {
    steering: Steering,
    /// The last change was not taken, and this was said.
    failed: bool,
}

impl Running {
    /// Tells the programs which stream lives where, if that has changed.
    pub(super) fn follow(&mut self, dataplane: &Arc<Dataplane>) {
        let told = self.steering.follow(dataplane);
        if let Err(error) = &told
            && !self.failed
        {
            tracing::warn!(%error, "steering: streams' addresses are not up to date");
        }
        self.failed = told.is_err();
    }
}
