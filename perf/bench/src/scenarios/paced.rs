//! Viewers as they are: each asks for the next object at an interval, and the first byte of it
//! should come soon. The delay counts from when the request was due.

use std::time::Duration;

use anyhow::Result;
use zonecast_load::{Latency, Load, Pace};

use super::{not_empty, spec};
use crate::bed::Bed;
use crate::cost::Window;
use crate::figures::Figures;
use crate::peers::Peer;

/// Bits a second of a viewer.
const RATE: f64 = 2e6;
const LAST_MAX: Duration = Duration::from_secs(30);

pub(super) fn run(bed: &Bed, peer: &Peer, _case: &str) -> Result<Figures> {
    let mut viewers = spec(bed, peer)?;
    let interval = bed.objects.size() as f64 * 8.0 / RATE;
    viewers.pace = Pace::Every(Duration::from_secs_f64(interval));
    viewers.may_break = true;
    let mut load = Load::open(viewers)?;
    load.run(bed.times.warm_up)?;
    let _ = load.take_counts();
    let window = Window::open(peer.pid, bed.server_cpu, bed.load_cpu)?;
    load.run(bed.times.measured)?;
    let cost = window.close()?;
    let counts = load.take_counts();
    not_empty(&counts)?;
    let (first, last) = (
        Latency::of(&counts.first_byte),
        Latency::of(&counts.last_byte),
    );
    let gigabytes = load.body_bytes(counts.wire_bytes) / 1e9;
    let mut figures = Figures::default();
    figures.add("first_byte_p50_ms", first.p50_ms);
    figures.add("first_byte_p99_ms", first.p99_ms);
    figures.add("first_byte_p999_ms", first.p999_ms);
    figures.add("first_byte_max_ms", first.max_ms);
    figures.add("last_byte_p99_ms", last.p99_ms);
    figures.add("late", (counts.behind + counts.missed) as f64);
    figures.add("broken", counts.broken as f64);
    figures.add("cpu_s_per_gb", cost.server.busy_s() / gigabytes);
    figures.add("mb_per_s", gigabytes * 1e3 / cost.seconds);
    cost.note(&mut figures);
    figures.add("responses", counts.responses as f64);
    figures.add("verified", counts.verified as f64);
    if let Some(how) = counts.broken_how {
        figures.notes.push(format!("a connection broke: {how}"));
    }
    load.finish(LAST_MAX)?;
    Ok(figures)
}
