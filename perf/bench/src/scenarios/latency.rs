//! How long a segment is on its way: from the encoder's last byte to the viewer's last, and, where
//! a viewer gets a segment that is still being filled, from the encoder's first byte to its first.
//!
//! Viewers ask for a segment before it is listed, as soon as they have the one before. A server
//! that does not wait for it says 404, and is asked again after a while.

use std::time::Duration;

use anyhow::Result;
use zonecast_load::live::Arrivals;

use super::live::{Load, Stage, media, note_delay};
use crate::bed::Bed;
use crate::figures::Figures;
use crate::peers::Kind;

/// Encoders send as they encode: eight parts over a segment's duration.
pub(super) const SLICED: &str = "sent in 8 slices";
/// Encoders send a segment when it is complete.
pub(super) const WHOLE: &str = "sent as a whole";

const STREAMS: usize = 4;
/// After a 404.
const RETRY: Duration = Duration::from_millis(20);

pub(super) fn run(bed: &Bed, kind: Kind, case: &str) -> Result<Figures> {
    let media = media(bed, STREAMS);
    let stage = Stage::start(bed, kind, &media.tracks, 1)?;
    let (warm_up, measured) = (bed.times.warm_up, bed.times.measured);
    let arrivals = vec![Arrivals::ramp(bed.connections as u32, warm_up / 4)];
    let mut load = Load::usual(media, arrivals, [warm_up, measured]);
    load.ahead = Some(RETRY);
    if case != SLICED {
        load.slices = 1;
    }
    let outcome = stage.measure_once(bed, load)?;
    let report = &outcome.report;
    let mut figures = Figures::default();
    note_delay(&mut figures, report, "live_last", "last_byte");
    note_delay(&mut figures, report, "live_first", "first_byte");
    let filling = report.delay("live_first").map_or(0, |first| first.count);
    figures.add("segments", report.amounts.segments as f64);
    figures.add("while_filling", filling as f64);
    outcome.note(&mut figures);
    Ok(figures)
}
