//! Records that a network card seals, by our daemon: right bytes under everything that a network does,
//! and the truth about who sealed them.
//!
//! [`bed`] is the daemon behind a card, [`bytes`] what viewers get, [`pages`] what becomes of memory that
//! the card reads, [`truth`] who sealed.

mod bed;
mod bytes;
mod pages;
mod truth;

use crate::report::{Report, Stop};
use bed::{Bed, CARD, FAR_ADDRESS};

pub(super) fn run(report: &mut Report) -> Result<(), Stop> {
    let mut made = None;
    report.step("a cable, and the daemon at its near end", || {
        let bed = made.insert(Bed::make()?);
        Ok(bed.daemon.logged("byte path of")?.join(" "))
    })?;
    let Some(mut bed) = made else {
        return Err(Stop);
    };
    report.step("the card seals, and counts the ledger's bytes", || {
        bed.counted()
    })?;
    for (what, switch, nth, seen) in [
        ("every 7th segment lost", "drop_nth", "7", "again_bytes"),
        (
            "every 5th segment out of order",
            "reorder_nth",
            "5",
            "reordered",
        ),
        (
            "resync asked for at every 10th",
            "resync_nth",
            "10",
            "resyncs_asked",
        ),
        (
            "every 4th segment held past its acknowledgement",
            "hold_nth",
            "4",
            "held",
        ),
    ] {
        let _ = report.step(what, || bed.with(switch, nth, seen));
    }
    let _ = report.step("viewers that leave with bytes unacknowledged", || {
        bed.left()
    });
    let _ = report.step("the ring turns over under held segments", || {
        bed.overwritten()
    });
    let _ = report.step("the ring turns over under slow viewers", || {
        bed.turned_over("0")
    });
    let _ = report.step("the same, every 9th segment lost", || bed.turned_over("9"));
    let _ = report.step("no place in the card: ktls, with the reason", || {
        bed.refused()
    });
    let _ = report.step("card down and up in mid-stream: ktls_fallback", || {
        let (down, up) = (["link", "set", CARD, "down"], ["link", "set", CARD, "up"]);
        bed.fell_back(&[&down, &up], &[])
    });
    let _ = report.step("route pulled in mid-stream: ktls_fallback", || {
        let route = |word| ["route", word, FAR_ADDRESS, "dev", "lo"];
        bed.fell_back(&[&route("add")], &[&route("del")])
    });
    Ok(())
}
