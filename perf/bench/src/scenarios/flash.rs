//! A flash crowd: so many joins a second, each of which connects, shakes hands, takes the playlist
//! and one whole segment, and leaves; beside viewers that stay throughout, who must not notice.

use std::time::Duration;

use anyhow::Result;
use zonecast_load::live::Arrivals;

use super::live::{Load, Stage, media, note_delay};
use crate::bed::Bed;
use crate::figures::Figures;
use crate::peers::Kind;

pub(super) const FULL: &str = "full handshakes";
pub(super) const RESUMED: &str = "90 % resumed";

/// Joins a second for each viewer that stays: a thousand stay, and a hundred thousand join in a
/// minute.
const JOINS: f64 = 100_000.0 / 60.0 / 1_000.0;
const STREAMS: usize = 4;
/// For the last ones of the crowd.
const AFTER: Duration = Duration::from_secs(3);

pub(super) fn run(bed: &Bed, kind: Kind, case: &str) -> Result<Figures> {
    let media = media(bed, STREAMS);
    let stage = Stage::start(bed, kind, &media.tracks, 1)?;
    let (warm_up, measured) = (bed.times.warm_up, bed.times.measured);
    let watchers = Arrivals::ramp(bed.connections as u32, warm_up / 2);
    let crowd = Arrivals {
        count: (JOINS * bed.connections as f64 * measured.as_secs_f64()) as u32,
        start: warm_up,
        over: measured,
        segments: Some(1),
        resumed: if case == RESUMED { 90 } else { 0 },
    };
    let load = Load::usual(media, vec![watchers, crowd], [warm_up, measured + AFTER]);
    let outcome = stage.measure_once(bed, load)?;
    let report = &outcome.report;
    let mut figures = Figures::default();
    note_delay(&mut figures, report, "join", "join");
    figures.add("joins", report.amounts.left as f64);
    figures.add(
        "joins_unfinished",
        f64::from(crowd.count) - report.amounts.left as f64,
    );
    let watchers = report.watchers;
    let errors = watchers.late + watchers.expired + watchers.wrong + watchers.broken;
    figures.add("watchers_errors", errors as f64);
    figures.add("watchers_late", watchers.late as f64);
    let handshakes = report.amounts.handshakes.max(1) as f64;
    figures.add(
        "resumed_percent",
        report.amounts.resumed as f64 / handshakes * 100.0,
    );
    note_delay(&mut figures, report, "handshake", "handshake");
    outcome.note(&mut figures);
    Ok(figures)
}
