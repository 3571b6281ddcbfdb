//! Curves: how the cost of a byte changes as objects grow, and as viewers do.

use super::Shape;
use super::peers::Bed;
use super::rows::{Measured, Row, nginx, ours};
use anyhow::Result;

/// About 32 MB each, but for the most viewers.
pub(super) const ROWS: [Row; 12] = [
    row("curve, zonecast, 10 kB, 8 viewers", ours, 10_000, 8, 400),
    row("curve, zonecast, 100 kB, 8 viewers", ours, 100_000, 8, 40),
    row("curve, zonecast, 1 MB, 8 viewers", ours, 1_000_000, 8, 4),
    row("curve, zonecast, 4 MB, 8 viewers", ours, 4_000_000, 8, 1),
    row("curve, zonecast, 100 kB, 64 viewers", ours, 100_000, 64, 5),
    row(
        "curve, zonecast, 100 kB, 512 viewers",
        ours,
        100_000,
        512,
        1,
    ),
    row("curve, nginx, 10 kB, 8 viewers", nginx, 10_000, 8, 400),
    row("curve, nginx, 100 kB, 8 viewers", nginx, 100_000, 8, 40),
    row("curve, nginx, 1 MB, 8 viewers", nginx, 1_000_000, 8, 4),
    row("curve, nginx, 4 MB, 8 viewers", nginx, 4_000_000, 8, 1),
    row("curve, nginx, 100 kB, 64 viewers", nginx, 100_000, 64, 5),
    row("curve, nginx, 100 kB, 512 viewers", nginx, 100_000, 512, 1),
];

const fn row(
    name: &'static str,
    measure: fn(&Bed) -> Result<Measured>,
    bytes: u64,
    connections: usize,
    rounds: usize,
) -> Row {
    let shape = Shape {
        bytes,
        connections,
        rounds,
    };
    Row {
        name,
        measure,
        shape,
    }
}
