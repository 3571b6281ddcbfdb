//! Looks whether loops turn, and ends the process when one does not.
//!
//! A loop that is stuck holds leases that nobody may take over, and viewers that nobody serves.
//! So it is reported, and the process aborts, for its supervisor to start it again.

use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::Context;
use zonecast_dataplane::StalledLoop;

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
    /// Asks `stalled` several times in `loop_stall`, and calls `end` with what it says.
    pub(super) fn start(
        stalled: impl Fn() -> Option<StalledLoop> + Send + 'static,
        loop_stall: Duration,
        notifier: Notifier,
        end: impl Fn(StalledLoop) + Send + 'static,
    ) -> anyhow::Result<Self> {
        let every = interval(loop_stall, notifier.watchdog());
        let (stop, stopped) = channel();
        let watch = move || {
            while stopped.recv_timeout(every) == Err(RecvTimeoutError::Timeout) {
                match stalled() {
                    Some(stalled) => end(stalled),
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

/// Reports the loop and aborts the process.
pub(super) fn abort(stalled: StalledLoop) {
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

    /// A loop that stalls after some looks is reported, once the looks before have found nothing.
    #[test]
    fn a_stalled_loop_is_reported() {
        let looks = std::sync::atomic::AtomicU32::new(0);
        let stalled = move || {
            let look = looks.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            let silent = Duration::from_secs(look.into());
            (look >= 3).then_some(StalledLoop {
                loop_id: 1,
                zone: 0,
                silent,
            })
        };
        let (reported, report) = channel();
        let end = move |stalled: StalledLoop| reported.send(stalled.silent).unwrap_or_default();
        let stall = Duration::from_millis(4);
        let watchdog = Watchdog::start(stalled, stall, Notifier::default(), end).unwrap();
        assert_eq!(report.recv(), Ok(Duration::from_secs(3)));
        drop(watchdog);
    }

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
