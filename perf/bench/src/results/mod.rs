//! What is kept of a benchmark: every run, what the runs come to, and on what they were made.
//!
//! A file of JSON for each benchmark, whose name says what, when and where. [`sum`] makes it
//! from the runs, [`table`] shows it on a terminal, [`against`] beside an earlier one, and
//! [`crate::page`] beside all others.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::figures::{Run, Spread, each_once, pairs};
use crate::points::{Axis, Point};
use crate::scenarios::sweep::Size;

pub mod against;
mod compact;
mod fit;
pub mod sum;
mod table;

pub use fit::Fit;

/// Files of another format are not read.
const FORMAT: u32 = 1;
/// The server that the others are compared with.
pub const OURS: &str = "ours";

/// All that came of a benchmark.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Results {
    /// Of the file.
    pub format: u32,
    /// The scenario.
    pub name: String,
    /// The figure by which servers are compared; see [`crate::figures::more_is_better`].
    pub headline: String,
    /// When it began, in UTC: `2026-11-22T12:15:30Z`.
    pub date: String,
    /// What was typed.
    pub command: String,
    /// Short runs: the figures mean little.
    pub quick: bool,
    /// By TLS.
    pub tls: bool,
    /// Whatever else was chosen.
    pub settings: BTreeMap<String, Value>,
    /// What it was measured on.
    pub machine: BTreeMap<String, Value>,
    /// Of what.
    pub versions: BTreeMap<String, Value>,
    /// What the floor program's send size was chosen from.
    pub floor_sweep: Vec<Size>,
    /// What could not be measured here, and why.
    pub skipped: Vec<String>,
    /// What the runs come to.
    pub summary: Vec<Row>,
    /// How the headline figure grows, where there are points enough.
    pub fits: Vec<Fit>,
    /// Each run.
    pub runs: Vec<Run>,
}

/// A server in one part of the scenario, at one point.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// The part.
    pub case: String,
    /// With how much of everything.
    pub point: Point,
    /// The server.
    pub server: String,
    /// Of how many runs.
    pub runs: usize,
    /// In at least one run the generator may have been the limit.
    pub load_limited: bool,
    /// Name and what the runs come to.
    #[serde(with = "pairs")]
    pub figures: Vec<(String, Spread)>,
}

impl Row {
    /// The figures that any of some rows has.
    #[must_use]
    pub fn names<'r>(rows: &[&'r Row]) -> Vec<&'r str> {
        let figures = rows.iter().flat_map(|row| &row.figures);
        each_once(figures.map(|(name, _)| name.as_str()))
    }

    /// One of its figures.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<Spread> {
        let found = self.figures.iter().find(|(known, _)| known == name)?;
        Some(found.1)
    }
}

impl Results {
    /// Writes `NAME-DATE-MACHINE.json`; returns its path.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn write(&self, folder: &Path) -> Result<PathBuf> {
        std::fs::create_dir_all(folder)
            .with_context(|| format!("cannot make {}", folder.display()))?;
        let path = folder.join(self.file_name());
        std::fs::write(&path, compact::to_string(self)?)
            .with_context(|| format!("cannot write {}", path.display()))?;
        Ok(path)
    }

    /// Reads a file.
    ///
    /// # Errors
    /// It is not there, or holds something else.
    pub fn read(path: &Path) -> Result<Results> {
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("cannot read {}", path.display()))?;
        let value: Value = serde_json::from_str(&text)
            .with_context(|| format!("{} is not JSON", path.display()))?;
        if value["format"] != FORMAT {
            bail!(
                "{} holds no results of a benchmark in format {FORMAT}",
                path.display()
            );
        }
        serde_json::from_str(&text).with_context(|| format!("{} is damaged", path.display()))
    }

    fn file_name(&self) -> String {
        let plain = if self.tls { "" } else { "-plain" };
        let date = self.date.replace(':', "").replace('T', "-");
        let machine = self.machine.get("name").and_then(Value::as_str);
        format!(
            "{}{plain}-{}-{}.json",
            self.name,
            date.trim_end_matches('Z'),
            machine.unwrap_or("unknown")
        )
    }

    /// The parts of the scenario with their points, in their order, each once.
    #[must_use]
    pub fn legs(&self) -> Vec<(&str, Point)> {
        let mut legs = Vec::new();
        for row in &self.summary {
            let leg = (row.case.as_str(), row.point);
            if !legs.contains(&leg) {
                legs.push(leg);
            }
        }
        legs
    }

    /// The servers, in the table's order.
    #[must_use]
    pub fn servers(&self) -> Vec<&str> {
        each_once(self.summary.iter().map(|row| row.server.as_str()))
    }

    /// The rows of a part at a point, a server each.
    pub fn rows(&self, case: &str, point: Point) -> impl Iterator<Item = &Row> {
        let rows = self.summary.iter();
        rows.filter(move |row| row.case == case && row.point == point)
    }

    /// A server's headline figure.
    #[must_use]
    pub fn headline_of(&self, case: &str, point: Point, server: &str) -> Option<Spread> {
        let mut rows = self.rows(case, point);
        rows.find(|row| row.server == server)?.get(&self.headline)
    }

    /// What runs say beside figures, each thing once.
    #[must_use]
    pub fn notes(&self) -> Vec<&str> {
        let notes = self.runs.iter().flat_map(|run| &run.figures.notes);
        let mut notes: Vec<_> = notes.map(String::as_str).collect();
        notes.sort_unstable();
        notes.dedup();
        notes
    }

    /// The axes along which the points of one part differ.
    #[must_use]
    pub fn axes(&self, case: &str) -> Vec<Axis> {
        let legs = self.legs().into_iter();
        let points: Vec<_> = legs.filter(|leg| leg.0 == case).map(|leg| leg.1).collect();
        Axis::that_differ(&points)
    }
}
