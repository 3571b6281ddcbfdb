//! What a byte costs as something grows tenfold, and tenfold again: viewers, streams, the size
//! of objects. Each axis is a part of its own, in which all else stays the same; a power law
//! through its points says how the cost grows ([`crate::results::Fit`]).
//!
//! Each run is one of `delivery`. The cost in instructions, which no other program and no
//! hypervisor blurs, is what `cargo xtask lab bench` counts.

use crate::points::{Leg, Point};

/// The scenario's name.
pub const NAME: &str = "curves";
pub(super) const VIEWERS: &str = "viewers";
pub(super) const STREAMS: &str = "streams";
pub(super) const SIZES: &str = "sizes";

const VIEWER_COUNTS: [u32; 4] = [10, 100, 1_000, 10_000];
const STREAM_COUNTS: [u32; 4] = [1, 10, 100, 1_000];
const OBJECT_SIZES: [u32; 4] = [10_000, 100_000, 1_000_000, 10_000_000];
/// What does not grow. Objects of the streams' part are small, so that a thousand streams fit
/// into memory.
const VIEWERS_FIXED: u32 = 64;
const BYTES_FIXED: u32 = 500_000;
const STREAM_BYTES: u32 = 100_000;
/// Points of short runs: the first ones.
const QUICK: usize = 3;

/// The parts with their points.
#[must_use]
pub fn legs(quick: bool) -> Vec<Leg> {
    let count = if quick { QUICK } else { usize::MAX };
    let some = |values: &[u32]| -> Vec<u32> { values.iter().copied().take(count).collect() };
    let leg = |case, object_bytes, connections, streams| Leg {
        case,
        point: Point {
            object_bytes,
            connections,
            streams,
        },
    };
    let mut legs = Vec::new();
    legs.extend(
        some(&VIEWER_COUNTS)
            .into_iter()
            .map(|viewers| leg(VIEWERS, BYTES_FIXED, viewers, 1)),
    );
    legs.extend(
        some(&STREAM_COUNTS)
            .into_iter()
            .map(|streams| leg(STREAMS, STREAM_BYTES, VIEWERS_FIXED, streams)),
    );
    legs.extend(
        some(&OBJECT_SIZES)
            .into_iter()
            .map(|size| leg(SIZES, size, VIEWERS_FIXED, 1)),
    );
    legs
}
