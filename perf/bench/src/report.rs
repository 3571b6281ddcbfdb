//! The table for people, and the file for programs.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::Serialize;
use serde_json::Value;

use crate::bed::Bed;
use crate::cli::Arguments;
use crate::figures::{Run, Spread, as_map, short};
use crate::machine;
use crate::scenarios::Scenario;
use crate::scenarios::sweep::Size;

/// All that came of a benchmark.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    name: &'static str,
    headline: &'static str,
    settings: BTreeMap<&'static str, Value>,
    machine: Value,
    versions: Value,
    floor_sweep: Vec<Size>,
    summary: Vec<Row>,
    runs: Vec<Run>,
}

/// A server in one part of the scenario.
#[derive(Debug, Clone, Serialize)]
struct Row {
    case: &'static str,
    server: &'static str,
    runs: usize,
    /// In at least one run the generator may have been the limit.
    load_limited: bool,
    #[serde(serialize_with = "as_map")]
    figures: Vec<(&'static str, Spread)>,
}

impl Report {
    /// Sums the runs up.
    ///
    /// # Errors
    /// A setting is nothing that JSON can hold.
    pub fn new(
        scenario: &Scenario,
        arguments: &Arguments,
        bed: &Bed,
        floor_sweep: Vec<Size>,
        runs: Vec<Run>,
    ) -> Result<Report> {
        let settings = BTreeMap::from([
            ("quick", arguments.quick.into()),
            ("tls", (!arguments.plain).into()),
            ("offer", zonecast_load::tls::OFFER.into()),
            ("object_bytes", bed.objects.size().into()),
            ("objects", bed.objects.count().into()),
            ("connections", bed.connections.into()),
            ("warm_up_s", bed.times.warm_up.as_secs().into()),
            ("measured_s", bed.times.measured.as_secs().into()),
            ("server_cpu", bed.server_cpu.into()),
            ("load_cpu", bed.load_cpu.into()),
            ("floor_records", bed.floor_records.into()),
        ]);
        Ok(Report {
            name: scenario.name,
            headline: scenario.headline,
            settings,
            machine: bed.machine.clone(),
            versions: machine::versions(&bed.programs),
            floor_sweep,
            summary: sum_up(scenario, &runs),
            runs,
        })
    }

    /// Writes `NAME.json`; returns its path.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn write(&self, folder: &Path) -> Result<PathBuf> {
        std::fs::create_dir_all(folder)
            .with_context(|| format!("cannot make {}", folder.display()))?;
        let path = folder.join(format!("{}.json", self.name));
        let text = serde_json::to_string_pretty(self)?;
        std::fs::write(&path, text + "\n")
            .with_context(|| format!("cannot write {}", path.display()))?;
        Ok(path)
    }

    /// A server's headline figure.
    fn headline(&self, case: &str, server: &str) -> Option<f64> {
        let row = self.summary.iter();
        let mut row = row.filter(|row| row.case == case && row.server == server);
        let figures = &row.next()?.figures;
        let found = figures.iter().find(|(name, _)| *name == self.headline)?;
        Some(found.1.median)
    }
}

fn sum_up(scenario: &Scenario, runs: &[Run]) -> Vec<Row> {
    let mut rows = Vec::new();
    for &case in scenario.cases {
        for server in scenario.servers.iter().map(|kind| kind.label()) {
            let own: Vec<&Run> = runs
                .iter()
                .filter(|run| run.case == case && run.server == server)
                .collect();
            let Some(first) = own.first() else {
                continue;
            };
            let names = first.figures.values.iter().map(|(name, _)| *name);
            let spread = |name| {
                let values = own.iter().filter_map(|run| run.figures.get(name));
                Some((name, Spread::of(values.collect())?))
            };
            rows.push(Row {
                case,
                server,
                runs: own.len(),
                load_limited: own.iter().any(|run| run.figures.load_limited),
                figures: names.filter_map(spread).collect(),
            });
        }
    }
    rows
}

impl fmt::Display for Report {
    /// A block for each part: figures down, servers across.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let settings = self.settings.iter();
        let settings: Vec<_> = settings
            .map(|(name, value)| format!("{name} {value}"))
            .collect();
        writeln!(f, "\n{}: {}", self.name, settings.join(", "))?;
        let mut cases: Vec<_> = self.summary.iter().map(|row| row.case).collect();
        cases.dedup();
        for case in cases {
            let rows: Vec<_> = self.summary.iter().filter(|row| row.case == case).collect();
            self.block(f, case, &rows)?;
        }
        let mut notes: Vec<_> = self
            .runs
            .iter()
            .flat_map(|run| &run.figures.notes)
            .collect();
        notes.sort();
        notes.dedup();
        for note in notes {
            writeln!(f, "note: {note}")?;
        }
        Ok(())
    }
}

impl Report {
    fn block(&self, f: &mut fmt::Formatter<'_>, case: &str, rows: &[&Row]) -> fmt::Result {
        let Some(first) = rows.first() else {
            return Ok(());
        };
        write!(f, "\n{case:<26}")?;
        for row in rows {
            let mark = if row.load_limited { " *" } else { "" };
            write!(f, "{:<28}", format!("{} ({}){mark}", row.server, row.runs))?;
        }
        writeln!(f)?;
        for (name, _) in &first.figures {
            write!(f, "{name:<26}")?;
            for row in rows {
                match row.figures.iter().find(|(known, _)| known == name) {
                    Some((_, spread)) => write!(f, "{spread:<28}")?,
                    None => write!(f, "{:<28}", "-")?,
                }
            }
            writeln!(f)?;
        }
        let ours = self.headline(case, "ours");
        for (server, what) in [
            ("floor", "times the floor's"),
            ("nginx", "times nginx's"),
            ("redis", "times Redis's"),
        ] {
            if let (Some(ours), Some(other)) = (ours, self.headline(case, server)) {
                let times = short(ours / other);
                writeln!(f, "our {} is {times} {what}", self.headline)?;
            }
        }
        if rows.iter().any(|row| row.load_limited) {
            writeln!(f, "* the generator's CPU was over 90 % busy")?;
        }
        Ok(())
    }
}
