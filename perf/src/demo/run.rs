//! While it runs: once a second everything is looked at and shown, until the time is over,
//! Ctrl-C comes, or something that must run has ended.

use std::time::{Duration, Instant};

use tokio::time::{MissedTickBehavior, interval};

use super::{Interrupts, Stage, show};
use crate::summary::Sample;

const TICK: Duration = Duration::from_secs(1);
/// Home and clear to the end of the screen.
const REDRAW: &str = "\x1b[H\x1b[J";

/// How the run came to its end.
pub(super) struct Ended {
    /// Since the encoders started.
    pub(super) ran: Duration,
    /// What ended that should not have.
    pub(super) troubles: Vec<String>,
}

/// Runs until it ends. `screen` is what to show above the summary on a terminal; without
/// it there is a line a second.
pub(super) async fn run(
    stage: &mut Stage,
    interrupts: &mut Interrupts,
    seconds: Option<u32>,
    screen: Option<&str>,
) -> Ended {
    let total = seconds.map(|seconds| Duration::from_secs(u64::from(seconds)));
    let mut ticks = interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut before = Sample::default();
    let mut troubles = Vec::new();
    let until = total.map(|total| stage.began + total);
    while troubles.is_empty() && until.is_none_or(|until| Instant::now() < until) {
        let tick = async {
            ticks.tick().await;
        };
        let over = async {
            match until {
                Some(until) => tokio::time::sleep_until(until.into()).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = tick => {}
            () = over => break,
            _ = interrupts.changed() => break,
        }
        let sample = sample(stage, total, &before).await;
        match screen {
            Some(above) => show(&format!("{REDRAW}{above}\n\n{}", sample.screen(&before))),
            None => show(&sample.line(&before)),
        }
        before = sample;
        troubles = ended_early(stage);
    }
    Ended {
        ran: stage.began.elapsed(),
        troubles,
    }
}

/// Everything as it is now; where the daemon does not answer, its part is as it was.
pub(super) async fn sample(stage: &Stage, total: Option<Duration>, before: &Sample) -> Sample {
    let mut sample = Sample {
        elapsed: stage.began.elapsed(),
        total,
        counts: stage.tally.counts(),
        totals: stage.ledger.totals(),
        ..Sample::default()
    };
    match (stage.daemon.metrics().await, stage.daemon.streams().await) {
        (Ok(metrics), Ok(streams)) => sample.read(&metrics, &streams),
        _ => {
            sample.zones.clone_from(&before.zones);
            sample.streams.clone_from(&before.streams);
        }
    }
    sample
}

/// Children that have ended though nobody stopped them.
fn ended_early(stage: &mut Stage) -> Vec<String> {
    let Stage {
        encoders, daemon, ..
    } = stage;
    encoders
        .iter_mut()
        .chain([daemon.child()])
        .filter_map(|child| match child.ended() {
            Ok(None) => None,
            Ok(Some(status)) => Some(format!("{} ended by itself ({status})", child.name())),
            Err(error) => Some(format!("{}: {error}", child.name())),
        })
        .collect()
}
