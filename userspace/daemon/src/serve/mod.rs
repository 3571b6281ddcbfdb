//! `zonecast serve`: starts everything, then waits for signals.
//!
//! ```text
//! file -> settings -> limits of the process -> admin API (not ready)
//!      -> data plane -> "ready" -> SIGHUP: reload … SIGTERM: drain -> exit 0
//! ```
//!
//! This thread is a control thread: it runs on CPUs that zones keep back, where they do, and
//! touches the data plane by its commands only. The admin API is there before the data plane
//! and after it, so that whoever asks `/readyz` gets an answer, not a refusal.

mod drain;
pub(crate) mod privileges;
mod reload;
mod signals;
mod state_dir;
mod steering;
mod systemd;
mod watchdog;

use std::os::fd::OwnedFd;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use zonecast_control::{Admin, AdminConfig, AdminLimits, Late};
use zonecast_dataplane::{Dataplane, TICKET_LIFETIME};

use crate::cli::ServeArguments;
use crate::config::{self, ConfigError, Settings, written};
use crate::doctor::start;
use crate::keep::{self, Keeper};
use crate::{logging, plan, probe};
use signals::{Signals, Told};
use watchdog::Watchdog;

pub use reload::{Reloader, Target};
pub use systemd::Notifier;

/// How often the main thread looks whether the data plane still runs, and samples what the kernel
/// holds for sockets.
const LOOK_INTERVAL: Duration = Duration::from_millis(200);

/// Serves until told to stop. What keeps it from starting, or made the data plane end, is logged.
///
/// # Errors
/// When logging cannot start.
pub fn run(arguments: &ServeArguments) -> anyhow::Result<ExitCode> {
    logging::start(arguments.log_format, &arguments.log)?;
    match start(arguments) {
        Ok(code) => Ok(code),
        Err(error) => {
            for line in format!("{error:#}").lines() {
                tracing::error!("{line}");
            }
            Ok(ExitCode::FAILURE)
        }
    }
}

fn start(arguments: &ServeArguments) -> anyhow::Result<ExitCode> {
    let mut settings = config::load(&arguments.config, &plan::plan)?;
    let notifier = Notifier::from_environment();
    let keeper = Keeper::new(settings.holder.as_deref(), notifier.clone());
    let inherited = keeper.take();
    let refused = probe::addresses(&settings, &keep::addresses(&inherited));
    if !refused.is_empty() {
        return Err(ConfigError::Wrong(refused).into());
    }
    for warning in &settings.warnings {
        tracing::warn!("{warning}");
    }
    for note in &settings.planned.notes {
        tracing::warn!("{note}");
    }
    privileges::raise_and_report(&settings);
    state_dir::prepare(&mut settings)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("the main thread's runtime")?;
    runtime.block_on(serve(settings, notifier, &keeper, keep::owned(inherited)))
}

/// Everything that runs beside the data plane.
struct Running {
    signals: Signals,
    notifier: Notifier,
    source: Arc<Late<Dataplane>>,
    admin: Admin,
    watchdog: Watchdog,
    steering: Option<steering::Running>,
}

async fn serve(
    mut settings: Settings,
    notifier: Notifier,
    keeper: &Keeper,
    inherited: Vec<OwnedFd>,
) -> anyhow::Result<ExitCode> {
    let signals = Signals::new().context("signal handlers")?;
    let cpus = plan::control_cpus(&settings.planned);
    if !cpus.is_empty()
        && let Err(error) = zonecast_numa::pin::pin_current_thread_to(&cpus)
    {
        tracing::warn!(%error, ?cpus, "the main thread runs on any CPU");
    }
    let source = Arc::new(Late::default());
    let admin_config = AdminConfig {
        listen: settings.admin.clone(),
        cpus,
        limits: AdminLimits::default(),
    };
    let admin = Admin::start(admin_config, source.clone())?;
    let mut config = settings.take_config();
    config.inherited = inherited;
    let loaded = steering::load(&settings, &mut config);
    let dataplane = Arc::new(Dataplane::start(config)?);
    keeper.keep(dataplane.listening());
    source.set(dataplane.clone());
    let steering =
        loaded.and_then(|loaded| steering::start(loaded, &settings, &dataplane, &source));
    // Unless it was said already.
    source.set_kernel("spread", None);
    let watched = source.clone();
    let watchdog = Watchdog::start(
        move || {
            watched
                .get()
                .and_then(|dataplane: Arc<Dataplane>| dataplane.stalled())
        },
        settings.limits.loop_stall,
        notifier.clone(),
        watchdog::abort,
    )?;
    for note in dataplane.notes() {
        tracing::info!("{note}");
    }
    match start::lines(&settings, dataplane.kernel_tls()) {
        Ok(lines) => lines.iter().for_each(|line| tracing::info!("{line}")),
        Err(error) => tracing::warn!("the byte paths are not known: {error:#}"),
    }
    let running = Running {
        signals,
        notifier,
        source,
        admin,
        watchdog,
        steering,
    };
    running.announce(&dataplane);
    running
        .until_stopped(Reloader::new(settings, dataplane))
        .await
}

impl Running {
    /// Says that viewers and encoders can come, and where.
    fn announce(&self, dataplane: &Dataplane) {
        let mut addresses: Vec<String> = dataplane
            .addresses()
            .iter()
            .map(|bound| {
                let tls = if bound.tls { "tls://" } else { "" };
                format!("{}={tls}{}", bound.name, written(&bound.address))
            })
            .collect();
        addresses.push(format!("admin={}", written(self.admin.address())));
        tracing::info!(addresses = %addresses.join(" "), "ready");
        self.notifier.ready(&addresses.join(", "));
    }

    async fn until_stopped(
        mut self,
        mut reloader: Reloader<Arc<Dataplane>>,
    ) -> anyhow::Result<ExitCode> {
        let mut look = tokio::time::interval(LOOK_INTERVAL);
        let first_rotation = tokio::time::Instant::now() + TICKET_LIFETIME;
        let mut rotate = tokio::time::interval_at(first_rotation, TICKET_LIFETIME);
        loop {
            tokio::select! {
                told = self.signals.next() => match told {
                    Told::Reload => {
                        self.notifier.reloading();
                        self.notifier.ready(&reloader.reload());
                    }
                    Told::Stop(name) => {
                        // Not ready first: who reads the line may ask.
                        self.source.drain();
                        tracing::info!("{name}: draining");
                        break;
                    }
                },
                // The previous key is kept, so that every ticket that is still good has one.
                _ = rotate.tick() => reloader.target().rotate_ticket_key(),
                _ = look.tick() => {
                    reloader.target().sample_socket_memory();
                    if let Some(steering) = &mut self.steering {
                        steering.follow(reloader.target());
                    }
                    if reloader.target().finished() {
                        tracing::error!("a loop has ended by itself: stopping");
                        break;
                    }
                }
            }
        }
        let limit = reloader.drain_timeout();
        drop(reloader);
        drain::drain(self, limit).await
    }
}
