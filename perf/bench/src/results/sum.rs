//! From runs to results.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{FORMAT, Results, Row, fit};
use crate::bed::Bed;
use crate::cli::Arguments;
use crate::figures::{Run, Spread, each_once};
use crate::machine;
use crate::points::Leg;
use crate::scenarios::Scenario;
use crate::scenarios::sweep::Size;

/// Flags that xtask adds, or that change nothing of what is measured.
const UNSAID: [&str; 5] = ["--zonecast", "--floor", "--results", "--out", "--against"];

/// Sums the runs up.
#[must_use]
pub fn up(
    scenario: &Scenario,
    arguments: &Arguments,
    bed: &Bed,
    legs: &[Leg],
    runs: Vec<Run>,
) -> Results {
    let mut results = Results {
        format: FORMAT,
        name: scenario.name.to_owned(),
        headline: scenario.headline.to_owned(),
        date: machine::utc(bed.began),
        command: command(std::env::args().skip(1)),
        quick: arguments.quick,
        tls: !arguments.plain,
        settings: settings(arguments, bed),
        machine: bed.machine.clone(),
        versions: bed.versions.clone(),
        floor_sweep: Vec::new(),
        skipped: Vec::new(),
        summary: rows(scenario, legs, &runs),
        fits: Vec::new(),
        runs,
    };
    results.fits = fit::all(&results);
    results
}

impl Results {
    /// Adds what the floor program's send size was chosen from.
    #[must_use]
    pub fn with_sweep(mut self, sweep: Vec<Size>) -> Results {
        self.floor_sweep = sweep;
        self
    }

    /// Adds what could not be measured.
    #[must_use]
    pub fn with_skipped(mut self, skipped: Vec<String>) -> Results {
        self.skipped = skipped;
        self
    }
}

fn settings(arguments: &Arguments, bed: &Bed) -> BTreeMap<String, Value> {
    let pairs: [(&str, Value); 6] = [
        ("offer", zonecast_load::tls::OFFER.into()),
        ("warm_up_s", bed.times.warm_up.as_secs().into()),
        ("measured_s", bed.times.measured.as_secs().into()),
        ("server_cpu", arguments.server_cpu.into()),
        ("load_cpu", arguments.load_cpu.into()),
        ("floor_records", bed.floor_records.into()),
    ];
    BTreeMap::from(pairs.map(|(name, value)| (name.to_owned(), value)))
}

/// What was typed, without what xtask added.
fn command(words: impl Iterator<Item = String>) -> String {
    let mut kept = vec!["cargo xtask bench".to_owned()];
    let mut words = words;
    while let Some(word) = words.next() {
        if UNSAID.contains(&word.as_str()) {
            words.next();
        } else if !UNSAID
            .iter()
            .any(|flag| word.starts_with(&format!("{flag}=")))
        {
            kept.push(word);
        }
    }
    kept.join(" ")
}

/// A row for each part, point and server that was measured, in the scenario's order.
fn rows(scenario: &Scenario, legs: &[Leg], runs: &[Run]) -> Vec<Row> {
    let mut rows = Vec::new();
    for leg in legs {
        for server in scenario.servers.iter().map(|kind| kind.label()) {
            let own = runs.iter().filter(|run| {
                run.case == leg.case && run.point == leg.point && run.server == server
            });
            let own: Vec<&Run> = own.collect();
            if own.is_empty() {
                continue;
            }
            let figures = own.iter().flat_map(|run| &run.figures.values);
            let names = each_once(figures.map(|(name, _)| name.as_str()));
            let spread = |name: &str| {
                let values = own.iter().filter_map(|run| run.figures.get(name));
                Some((name.to_owned(), Spread::of(values.collect())?))
            };
            rows.push(Row {
                case: leg.case.to_owned(),
                point: leg.point,
                server: server.to_owned(),
                runs: own.len(),
                load_limited: own.iter().any(|run| run.figures.load_limited),
                figures: names.into_iter().filter_map(spread).collect(),
            });
        }
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The command is what a person types to get the same.
    #[test]
    fn the_command_is_what_was_typed() {
        let words = "--zonecast a/b --floor=c delivery --quick --against x.json --size 10,20";
        let words = words.split(' ').map(str::to_owned);
        let due = "cargo xtask bench delivery --quick --size 10,20";
        assert_eq!(command(words), due);
    }
}
