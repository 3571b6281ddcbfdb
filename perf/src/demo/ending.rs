//! The end: encoders stop and close their playlists, viewers follow these to the end, the
//! daemon drains, and what all of it came to is put together.

use std::collections::BTreeMap;
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use anyhow::Result;
use rustix::process::Signal;
use serde_json::Value;

use super::run::Ended;
use super::stage::playlist;
use super::{DAEMON_MAX, Stage};
use crate::child::Child;
use crate::daemon::Daemon;
use crate::ledger::key_of;
use crate::summary::{Sample, Zone};
use crate::verdict::Evidence;

const ENCODER_MAX: Duration = Duration::from_secs(10);
/// Viewers may take so many segments' time for the end of their playlists.
const LAST_SEGMENTS: u32 = 5;
/// What ffmpeg returns when a signal ended it in order.
const FFMPEG_STOPPED: i32 = 255;

pub(super) async fn end(stage: Stage, ended: Ended) -> Evidence {
    let zones = stage.zones();
    let Stage {
        mut encoders,
        audience,
        tee,
        mut daemon,
        setup,
        ledger,
        tally,
        ..
    } = stage;
    let Ended { ran, mut troubles } = ended;
    // With something broken there may be no end to come to.
    let patience = if troubles.is_empty() {
        stage.segment * LAST_SEGMENTS
    } else {
        Duration::ZERO
    };
    stop_encoders(&mut encoders, &mut troubles).await;
    let followed = audience.finish(Instant::now() + patience).await;
    drop(tee);
    let zone_bytes = match last_zones(&daemon).await {
        Ok(zones) => zones.iter().map(|(id, zone)| (*id, zone.total())).collect(),
        Err(error) => {
            troubles.push(format!("the daemon's last metrics: {error:#}"));
            BTreeMap::new()
        }
    };
    stop_daemon(&mut daemon, &mut troubles).await;
    let listed = |id: &str| {
        let playlist = playlist(id);
        let listing = ledger.listing(key_of(&playlist).unwrap_or_default());
        listing.map_or(0, |listing| listing.entries().count() as u64)
    };
    Evidence {
        ran,
        segment: stage.segment,
        viewers: u64::from(stage.viewers),
        streams: setup
            .streams
            .iter()
            .map(|stream| (stream.id.clone(), listed(&stream.id)))
            .collect(),
        followed,
        counts: tally.counts(),
        totals: ledger.totals(),
        zones,
        zone_bytes,
        troubles,
    }
}

/// Asks all to stop, then waits for each.
async fn stop_encoders(encoders: &mut [Child], troubles: &mut Vec<String>) {
    for encoder in encoders.iter() {
        if let Err(error) = encoder.signal(Signal::INT) {
            troubles.push(format!("{}: {error}", encoder.name()));
        }
    }
    for encoder in encoders {
        let stopped = encoder.wait(ENCODER_MAX).await.map_err(Into::into);
        let right = |status: ExitStatus| status.success() || status.code() == Some(FFMPEG_STOPPED);
        judge(encoder.name(), stopped, right, troubles);
    }
}

async fn stop_daemon(daemon: &mut Daemon, troubles: &mut Vec<String>) {
    let stopped = daemon.stop(DAEMON_MAX).await;
    judge("the daemon", stopped, |status| status.success(), troubles);
}

fn judge(
    name: &str,
    stopped: Result<Option<ExitStatus>>,
    right: impl Fn(ExitStatus) -> bool,
    troubles: &mut Vec<String>,
) {
    match stopped {
        Ok(Some(status)) if right(status) => {}
        Ok(Some(status)) => troubles.push(format!("{name} ended with {status}")),
        Ok(None) => troubles.push(format!("{name} did not stop and was killed")),
        Err(error) => troubles.push(format!("{name}: {error:#}")),
    }
}

async fn last_zones(daemon: &Daemon) -> Result<BTreeMap<u64, Zone>> {
    let mut sample = Sample::default();
    sample.read(&daemon.metrics().await?, &Value::Null);
    Ok(sample.zones)
}
