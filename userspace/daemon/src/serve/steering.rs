//! Steering, if the configuration wants it and the kernel lets us: around the data plane's start, and
//! while it runs.

use std::path::Path;
use std::sync::Arc;

use zonecast_control::{Late, Loaded, Steering, SteeringPath};
use zonecast_dataplane::{Config, Dataplane, ListenAddress};
use zonecast_ebpf::{Counters, Error, Folder};

use crate::config::Settings;

/// Loads the programs, and has the loops say how busy they are.
///
/// Without them the daemon serves all the same; one line says why.
pub(super) fn load(settings: &Settings, config: &mut Config) -> Option<Loaded> {
    let Some(wanted) = settings.steering.clone() else {
        tracing::info!("steering: off; the kernel spreads viewers over all loops");
        remove(&settings.file.steering.folder);
        return None;
    };
    let is_tcp = |address: &ListenAddress| matches!(address, ListenAddress::Tcp(_));
    let listeners = settings.listeners.iter().filter(|l| is_tcp(&l.address));
    let loaded = Loaded::load(wanted, &settings.planned.zones, listeners.count());
    let loaded = loaded.map_err(|error| spread(settings, &error)).ok()?;
    config.steering_board = Some(loaded.board());
    Some(loaded)
}

/// Programs of an earlier daemon would go on steering to sockets that it has handed to us.
fn remove(folder: &Path) {
    let removed = match Folder::existing(folder) {
        Ok(Some(folder)) => folder.remove(),
        Ok(None) => return,
        Err(error) => Err(error),
    };
    match removed {
        Ok(()) => tracing::info!("steering: an earlier daemon's programs are removed"),
        Err(error) => tracing::warn!(
            %error,
            "steering: an earlier daemon's programs may still steer; `zonecast zones --clear` removes them"
        ),
    }
}

/// The kernel spreads viewers: a matter of course, or what somebody has to know who has named zones or
/// streams.
fn spread(settings: &Settings, error: &Error) {
    let steering = &settings.file.steering;
    let was_wanted = steering.stream_prefix.0.is_some() || !steering.zones.is_empty();
    if was_wanted {
        tracing::warn!("steering: spread by the kernel over all loops: {error}");
    } else {
        tracing::info!("steering: spread by the kernel over all loops: {error}");
    }
    if !matches!(error, Error::InUse { .. }) {
        remove(&steering.folder);
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
    let steering = started.map_err(|error| spread(settings, &error)).ok()?;
    for note in steering.notes() {
        tracing::info!("{note}");
    }
    let folder = &settings.file.steering.folder;
    match steering.path() {
        SteeringPath::Lookup => {
            tracing::info!("steering: sk_lookup, pinned in {}", folder.display());
        }
        path => tracing::info!("steering: {}: {}", path.as_str(), path.why()),
    }
    let counters = Counters::open(folder)
        .inspect_err(|error| tracing::warn!(%error, "steering is not counted in the metrics"));
    source.set_kernel(steering.path().as_str(), counters.ok());
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
