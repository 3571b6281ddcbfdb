//! Objects as fast as they go, on kept connections: what a GB of body costs.

use std::time::Duration;

use anyhow::Result;
use zonecast_load::Load;

use super::{not_empty, spec};
use crate::bed::Bed;
use crate::cost::Window;
use crate::figures::Figures;
use crate::peers::Peer;
use crate::syscalls::Counter;

const GB: f64 = 1e9;
/// System calls are counted for this much body.
const PIECE: f64 = 65_536.0;
/// What was asked for must come within this time after the end.
const LAST_MAX: Duration = Duration::from_secs(30);

pub(super) fn run(bed: &Bed, peer: &Peer, _case: &str) -> Result<Figures> {
    let mut load = Load::open(spec(bed, peer)?)?;
    load.run(bed.times.warm_up)?;
    let _ = load.take_counts();
    let window = Window::open(peer.pid, bed.server_cpu, bed.load_cpu)?;
    load.run(bed.times.measured)?;
    let cost = window.close()?;
    let counts = load.take_counts();
    not_empty(&counts)?;
    let gigabytes = load.body_bytes(counts.wire_bytes) / GB;
    let mut figures = Figures::default();
    figures.add("cpu_s_per_gb", cost.server.busy_s() / gigabytes);
    figures.add("process_s_per_gb", cost.process_s / gigabytes);
    // By bytes: of large objects, few responses end in a short span.
    let requests = gigabytes * GB / bed.objects.size() as f64;
    figures.add("requests_per_cpu_s", requests / cost.server.busy_s());
    figures.add("gb_per_s", gigabytes / cost.seconds);
    count_calls(bed, peer, &mut load, &mut figures)?;
    cost.note(&mut figures);
    figures.add("responses", counts.responses as f64);
    figures.add("verified", counts.verified as f64);
    load.finish(LAST_MAX)?;
    Ok(figures)
}

/// In a span of its own: counting costs something, too.
fn count_calls(bed: &Bed, peer: &Peer, load: &mut Load, figures: &mut Figures) -> Result<()> {
    let counter = match Counter::attach(peer.pid, bed.folder()) {
        Ok(counter) => counter,
        Err(error) => {
            let note = format!("system calls were not counted: {error:#}");
            figures.notes.push(note);
            return Ok(());
        }
    };
    let how = counter.how();
    let _ = load.take_counts();
    load.run(bed.times.measured.min(Duration::from_secs(2)))?;
    let counted = counter.finish()?;
    let wire_bytes = load.take_counts().wire_bytes;
    let pieces = load.body_bytes(wire_bytes) / PIECE;
    figures.add("calls_per_64k", counted.all as f64 / pieces);
    figures.add("uring_enter_per_64k", counted.uring_enter as f64 / pieces);
    figures.notes.push(format!("system calls counted by {how}"));
    Ok(())
}
