//! How much the floor program should send at a time: the best of a few sizes is the floor.

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use super::Scenario;
use crate::bed::Bed;
use crate::peers::Kind;

const RECORDS: [usize; 6] = [1, 2, 3, 4, 8, 16];

/// One size.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Size {
    /// Records of 16 KiB in a send.
    pub records: usize,
    /// The scenario's headline figure.
    pub figure: f64,
}

/// Tries each size once and leaves the best one in the bed.
///
/// # Errors
/// As a run.
pub fn run(scenario: &Scenario, bed: &mut Bed) -> Result<Vec<Size>> {
    let times = bed.times;
    bed.times = scenario.times(true);
    let mut sizes = Vec::new();
    for records in RECORDS {
        bed.floor_records = records;
        let case = scenario.cases.first().copied().unwrap_or_default();
        let figures = scenario.measure_once(bed, Kind::Floor, case)?;
        let figure = figures
            .get(scenario.headline)
            .context("the floor has no headline figure")?;
        eprintln!("bench: floor with {records} records a send: {figure:.3}");
        sizes.push(Size { records, figure });
    }
    let best = sizes.iter().min_by(|a, b| a.figure.total_cmp(&b.figure));
    bed.floor_records = best.map_or(RECORDS[0], |size| size.records);
    bed.times = times;
    Ok(sizes)
}
