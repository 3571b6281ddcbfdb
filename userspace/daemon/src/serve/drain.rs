//! The end of a run: no new viewers, responses in flight finish, then everything stops.
//!
//! Every wait here has a limit, and a second signal ends all of them. The admin API answers to
//! the end, as not ready.

use std::future::Future;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use tokio::time::{Instant, interval, sleep_until};
use zonecast_control::Late;
use zonecast_dataplane::{Dataplane, LoopFailure};

use super::signals::Signals;
use super::{LOOK_INTERVAL, Running};

/// What the data plane may take to close its sockets, beyond the time for responses.
const CLOSE_TIME: Duration = Duration::from_secs(5);

/// How a wait for the loops ended.
enum Ended<T> {
    Done(T),
    Again(&'static str),
    TooLate,
}

/// Drains and stops; 0 also where viewers had to be cut off at the end.
///
/// # Errors
/// When a loop had failed.
pub(super) async fn drain(running: Running, limit: Duration) -> anyhow::Result<ExitCode> {
    // Admin API and watchdog live until the end of this function.
    let Running {
        mut signals,
        notifier,
        source,
        admin: _admin,
        watchdog: _watchdog,
        // What is attached stays, for the next daemon.
        steering: _,
    } = running;
    notifier.stopping();
    source.drain();
    let deadline = Instant::now() + limit + CLOSE_TIME;
    match bounded(&mut signals, deadline, loops_end(&source, limit)).await {
        Ended::Done(result) => {
            result.context("the data plane")?;
            tracing::info!("stopped");
            Ok(ExitCode::SUCCESS)
        }
        Ended::Again(name) => {
            tracing::warn!("{name} again: ending at once");
            std::process::exit(1)
        }
        Ended::TooLate => {
            tracing::warn!(?limit, "loops have not ended in time: ending without them");
            std::process::exit(0)
        }
    }
}

async fn bounded<T>(
    signals: &mut Signals,
    deadline: Instant,
    work: impl Future<Output = T>,
) -> Ended<T> {
    tokio::select! {
        done = work => Ended::Done(done),
        name = signals.stop() => Ended::Again(name),
        () = sleep_until(deadline) => Ended::TooLate,
    }
}

/// Tells the loops to end, waits until all have, and learns how. What waits is on other threads,
/// since this one must see a second signal.
async fn loops_end(source: &Late<Dataplane>, limit: Duration) -> Result<(), LoopFailure> {
    let mut look = interval(LOOK_INTERVAL);
    if let Some(dataplane) = source.get() {
        let draining = dataplane.clone();
        tokio::task::spawn_blocking(move || draining.drain(limit));
        while !dataplane.finished() {
            look.tick().await;
        }
    }
    let Some(dataplane) = last_owner(source.take()).await else {
        return Ok(());
    };
    let joined = tokio::task::spawn_blocking(move || dataplane.join()).await;
    joined.expect("joining the loops does not panic")
}

/// Waits until nobody else holds the data plane: an admin request may still be at it.
async fn last_owner(shared: Option<Arc<Dataplane>>) -> Option<Dataplane> {
    let mut shared = shared?;
    let mut look = interval(Duration::from_millis(10));
    loop {
        match Arc::try_unwrap(shared) {
            Ok(dataplane) => return Some(dataplane),
            Err(still) => shared = still,
        }
        look.tick().await;
    }
}
