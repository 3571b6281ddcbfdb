//! The most viewers of live streams without an error, while a share of what goes out comes in.
//!
//! So many viewers are tried, each time on fresh servers, with as many streams coming in as the
//! share is of the viewers; doubled and halved until the largest count is found to within a
//! twentieth. The short tries only find it; then it is run in full, and made smaller until a whole
//! run is without an error. Ours takes streams by kept HTTPS PUT, one connection each.

use std::time::Duration;

use anyhow::{Result, bail};
use zonecast_load::find;
use zonecast_load::live::Arrivals;

use super::live::{Load, Outcome, Stage, media, note_delay};
use crate::bed::Bed;
use crate::figures::Figures;
use crate::peers::Kind;

/// What comes in, of what goes out.
pub(super) const CASES: [&str; 4] = ["0 % in", "5 % in", "10 % in", "20 % in"];
const SHARES: [f64; 4] = [0.0, 0.05, 0.1, 0.2];

const PRECISION: f64 = 0.05;
/// Of a count that does not hold in full, this is tried next.
const BACK: f64 = 0.95;
/// The warm-up and the measured part of a try.
const TRY: [(u64, u64); 2] = [(15, 20), (5, 6)];

pub(super) fn run(bed: &Bed, kind: Kind, case: &str) -> Result<Figures> {
    let share = CASES.iter().position(|name| *name == case);
    let share = share.map_or(0.0, |index| SHARES[index]);
    let max = bed.connections as u32;
    let (warm_up, measured) = TRY[usize::from(bed.quick)];
    let times = [warm_up, measured].map(Duration::from_secs);
    let (mut tries, mut limited) = (0, false);
    let found = find::largest(max.div_ceil(2), max, PRECISION, |viewers| {
        tries += 1;
        let report = attempt(bed, kind, share, viewers, times)?.report;
        let passes = is_right(&report, viewers);
        limited |= !passes && !report.counts;
        eprintln!(
            "bench: {case}: {} with {viewers} viewers: {} errors, generator {:.0} % busy",
            kind.label(),
            report.errors,
            report.cpu_busy_percent
        );
        anyhow::Ok(passes)
    })?;
    let Some(mut viewers) = found else {
        bail!("not even one viewer was without an error");
    };
    let full = [bed.times.warm_up, bed.times.measured];
    let outcome = loop {
        tries += 1;
        let outcome = attempt(bed, kind, share, viewers, full)?;
        if is_right(&outcome.report, viewers) {
            break outcome;
        }
        limited |= !outcome.report.counts;
        let less = (f64::from(viewers) * BACK) as u32;
        if less == 0 {
            bail!("not even one viewer was without an error in a full run");
        }
        viewers = less.min(viewers - 1);
    };
    let mut figures = Figures::default();
    figures.add("viewers", viewers.into());
    figures.add("streams", streams(viewers, share) as f64);
    note_delay(&mut figures, &outcome.report, "first_byte", "first_byte");
    outcome.note(&mut figures);
    figures.add("tries", f64::from(tries));
    // More may be possible where the generator was what failed.
    figures.load_limited |= limited;
    if viewers == max {
        let note = format!(
            "{}, {case}: {max} viewers were the most that was tried",
            kind.label()
        );
        figures.notes.push(note);
    }
    if kind == Kind::Ours {
        let note = "ours takes streams by kept HTTPS PUT, one connection each";
        figures.notes.push(note.to_owned());
    }
    Ok(figures)
}

fn is_right(report: &zonecast_load::live::LiveReport, viewers: u32) -> bool {
    report.errors == 0 && report.uploads_broken == 0 && report.viewers == viewers as usize
}

/// Something must come in for anybody to watch.
fn streams(viewers: u32, share: f64) -> usize {
    ((f64::from(viewers) * share).round() as usize).max(1)
}

fn attempt(
    bed: &Bed,
    kind: Kind,
    share: f64,
    viewers: u32,
    [warm_up, measured]: [Duration; 2],
) -> Result<Outcome> {
    let media = media(bed, streams(viewers, share));
    let stage = Stage::start(bed, kind, &media.tracks, 1)?;
    let arrivals = vec![Arrivals::ramp(viewers, warm_up / 2)];
    let mut load = Load::usual(media, arrivals, [warm_up, measured]);
    load.errors_max = 0;
    stage.measure_once(bed, load)
}
