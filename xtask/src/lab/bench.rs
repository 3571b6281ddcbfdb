//! `lab bench`: what each byte path costs, in instructions of the guest for each byte delivered.
//!
//! The guest's suite `cost` does the measuring; here it is booted twice, with two seeds, in a
//! machine that counts instructions, its figures are put beside each other, and written to
//! `target/lab/bench.json`. What counting instructions cannot show, bytes that cross from node to
//! node, is of a boot of suite `numa` in a machine with two nodes.

mod comparisons;
mod row;
mod table;

use super::console::Said;
use super::kernels::LINES;
use super::qemu::{Guest, Machine};
use super::suites::{self, On, Suite};
use super::wish::Wish;
use super::{Lab, show};
use crate::Result;
use row::Row;
use std::fs;
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// The suite, which no other run of the lab has: it takes minutes, and a machine of its own.
const COST: Suite = Suite {
    name: "cost",
    shows: "instructions of each byte path",
    on: On::Newest,
    limit: Duration::from_secs(1800),
};

/// How often all is measured where nobody says it. Each run has a seed of its own, its number:
/// what differs between them is chance.
pub(super) const RUNS: usize = 2;

/// All rows of one boot.
type Run = Vec<Row>;

/// Measures, prints the table, writes the file.
pub(super) fn run(lab: &Lab, wish: &Wish) -> Result<ExitCode> {
    let line = wish.kernel.unwrap_or(LINES[0]);
    let started = Instant::now();
    let mut failed = Vec::new();
    let mut crossing = None;
    let (release, runs) = lab.prepare(line, |mut guest| {
        let words = wish.names.iter().map(|name| name.replace(' ', "_"));
        guest.words = format!("lab.rows={}", words.collect::<Vec<_>>().join(","));
        let mut runs = Vec::new();
        for number in 1..=wish.runs {
            guest.machine = Machine::Counting { seed: number };
            let (release, of) = (&guest.kernel.release, wish.runs);
            println!("lab: booting {release}, run {number} of {of}");
            let (mut rows, booted) = (Run::new(), Instant::now());
            let heard = guest.run(&[COST], |said| {
                if let Said::Step(step) = said {
                    rows.extend(Row::read(step));
                }
                show(said, booted);
            })?;
            failed.extend(heard.failed);
            runs.push(rows);
        }
        if wish.names.is_empty() {
            crossing = nodes(&mut guest, &mut failed)?;
        }
        Ok((guest.kernel.release.clone(), runs))
    })?;
    println!("\n{}", table::print(&runs));
    println!("{}", comparisons::print(&runs));
    if let Some(crossing) = crossing {
        println!("{crossing}");
    }
    write(&lab.folder.join("bench.json"), &release, &runs)?;
    for line in &failed {
        println!("failed: {line}");
    }
    let took = started.elapsed().as_secs();
    println!("lab: bench: {} failed, {took} s", failed.len());
    Ok(ExitCode::from(u8::from(!failed.is_empty())))
}

/// What siloing keeps from crossing, in a machine that has two nodes.
fn nodes(guest: &mut Guest<'_>, failed: &mut Vec<String>) -> Result<Option<String>> {
    guest.machine = Machine::Nodes;
    println!("lab: booting {}, two nodes", guest.kernel.release);
    let (mut crossing, booted) = (None, Instant::now());
    let numa = suites::select(&[String::from("numa")])?;
    let heard = guest.run(&numa, |said| {
        if let Said::Step(step) = said {
            crossing = comparisons::crossing(step).or(crossing.take());
        }
        show(said, booted);
    })?;
    failed.extend(heard.failed);
    Ok(crossing)
}

fn write(file: &Path, release: &str, runs: &[Run]) -> Result<()> {
    let run = |rows: &Run| {
        let rows: Vec<_> = rows.iter().map(Row::json).collect();
        format!("[\n    {}\n  ]", rows.join(",\n    "))
    };
    let runs: Vec<_> = runs.iter().map(run).collect();
    let runs = runs.join(", ");
    let text = format!("{{\n  \"kernel\": \"{release}\",\n  \"runs\": [{runs}]\n}}\n");
    fs::write(file, text).map_err(|e| format!("{}: {e}", file.display()))?;
    println!("lab: {}", file.display());
    Ok(())
}
