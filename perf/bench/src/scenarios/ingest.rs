//! What it costs to bring streams to delivery nodes: the most 2 Mb/s streams that one CPU takes for
//! so many nodes without a producer falling behind, and the CPU's time for a gigabyte received.
//!
//! All nodes are on the server's CPU. Redis: producers publish once, by TLS, and each node is a
//! subscriber that writes files in memory. Ours: each node is a daemon, and producers PUT each
//! stream to each node by TLS on a kept connection.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, bail};
use zonecast_load::find;

use super::live::{Load, Outcome, Stage, media};
use crate::bed::Bed;
use crate::figures::Figures;
use crate::peers::Kind;

pub(super) const CASES: [&str; 3] = ["1 node", "2 nodes", "4 nodes"];
const NODES: [usize; 3] = [1, 2, 4];

const PRECISION: f64 = 0.1;
const TRY: [(u64, u64); 2] = [(5, 10), (3, 4)];

pub(super) fn run(bed: &Bed, kind: Kind, case: &str) -> Result<Figures> {
    let nodes = CASES.iter().position(|name| *name == case);
    let nodes = nodes.map_or(1, |index| NODES[index]);
    let max = bed.connections as u32;
    let (warm_up, measured) = TRY[usize::from(bed.quick)];
    let times = [warm_up, measured].map(Duration::from_secs);
    let mut limited = false;
    let found = find::largest(max.div_ceil(8), max, PRECISION, |streams| {
        let outcome = attempt(bed, kind, nodes, streams as usize, times)?;
        let passes = is_right(&outcome);
        limited |= !passes && !outcome.report.counts;
        eprintln!(
            "bench: {case}: {} with {streams} streams: {} slices behind, {} copies",
            kind.label(),
            outcome.report.uploads_behind,
            outcome.lagging
        );
        anyhow::Ok(passes)
    })?;
    let Some(streams) = found else {
        bail!("not even one stream was in time");
    };
    let full = [bed.times.warm_up, bed.times.measured];
    let outcome = attempt(bed, kind, nodes, streams as usize, full)?;
    let report = &outcome.report;
    // Redis's producers send once what all nodes receive.
    let copies = if kind == Kind::Redis { nodes } else { 1 };
    let received = report.uploaded_bytes as f64 * copies as f64 / 1e9;
    let mut figures = Figures::default();
    figures.add("streams", streams.into());
    figures.add(
        "received_mb_per_s",
        received * 1e3 / report.seconds.max(1e-9),
    );
    figures.add("cpu_s_per_gb", outcome.server.busy_s() / received.max(1e-9));
    outcome.note(&mut figures);
    figures.load_limited |= limited;
    if streams == max {
        let note = format!(
            "{}, {case}: {max} streams were the most that was tried",
            kind.label()
        );
        figures.notes.push(note);
    }
    if kind == Kind::Ours {
        let note = "ours by kept HTTPS PUT to each node, which is the one transport that there is";
        figures.notes.push(note.to_owned());
    }
    Ok(figures)
}

fn is_right(outcome: &Outcome) -> bool {
    let report = &outcome.report;
    report.uploads_behind == 0 && report.uploads_broken == 0 && outcome.lagging == 0
}

fn attempt(
    bed: &Bed,
    kind: Kind,
    nodes: usize,
    streams: usize,
    [warm_up, measured]: [Duration; 2],
) -> Result<Outcome> {
    let streams = media(bed, streams);
    let stage = Stage::start(bed, kind, &streams.tracks, nodes)?;
    // Tracks go to the nodes in turn: each stream as often as there are nodes.
    let media = match kind {
        Kind::Ours => {
            let tracks = streams.tracks.iter();
            let mut copies = (*streams).clone();
            copies.tracks = tracks
                .flat_map(|track| vec![track.clone(); nodes])
                .collect();
            Arc::new(copies)
        }
        _ => streams,
    };
    stage.measure_once(bed, Load::usual(media, Vec::new(), [warm_up, measured]))
}
