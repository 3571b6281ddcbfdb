//! Looks whether loops turn, and ends the process when one does not.
//!
//! A loop that is stuck holds leases that nobody may take over, and viewers that nobody serves.
//! So it is reported, and the process aborts, for its supervisor to start it again.

use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::Context;
use zonecast_control::Late;
use zonecast_dataplane::{Dataplane, StalledLoop};

use super::systemd::Notifier;

/// The longest time between two looks.
const LOOK_MAX: Duration = Duration::from_secs(1);

/// A running watchdog; dropping it ends it.
#[derive(Debug)]
pub(super) struct Watchdog {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Watchdog {
    /// Watches the loops of `source`, which are stalled when silent for `loop_stall`.
    pub(super) fn start(
        source: Arc<Late<Dataplane>>,
        loop_stall: Duration,
        notifier: Notifier,
    ) -> anyhow::Result<Self> {
        let every = interval(loop_stall, notifier.watchdog());
        let (stop, stopped) = channel();
        let watch = move || {
            while stopped.recv_timeout(every) == Err(RecvTimeoutError::Timeout) {
                match source.get().and_then(|dataplane| dataplane.stalled()) {
                    Some(stalled) => abort(&stalled),
                    None => notifier.alive(),
                }
            }
        };
        let thread = std::thread::Builder::new()
            .name("zc-watchdog".to_owned())
            .spawn(watch)
            .context("the watchdog's thread")?;
        Ok(Self {
            stop: Some(stop),
            thread: Some(thread),
        })
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the watchdog's thread panicked");
        }
    }
}

/// Several looks in the time that a loop may be silent, and in the supervisor's.
fn interval(loop_stall: Duration, supervisor: Option<Duration>) -> Duration {
    let ours = LOOK_MAX.min(loop_stall / 4);
    supervisor
        .map_or(ours, |theirs| ours.min(theirs / 3))
        .max(Duration::from_millis(1))
}

fn abort(stalled: &StalledLoop) -> ! {
    let StalledLoop {
        loop_id,
        zone,
        silent,
    } = stalled;
    tracing::error!(%loop_id, %zone, ?silent, "a loop is stalled: aborting");
    std::process::abort()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The watchdog looks often enough for both limits, and never spins.
    #[test]
    fn intervals() {
        let seconds = Duration::from_secs;
        assert_eq!(interval(seconds(10), None), seconds(1));
        assert_eq!(interval(seconds(2), None), Duration::from_millis(500));
        assert_eq!(
            interval(seconds(10), Some(Duration::from_millis(300))),
            Duration::from_millis(100)
        );
        assert_eq!(
            interval(seconds(1), Some(Duration::ZERO)),
            Duration::from_millis(1)
        );
    }
}
