//! The command line, and the order of a whole benchmark.

use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use clap::Parser;

use crate::bed::Bed;
use crate::figures::Run;
use crate::peers::{Kind, Programs};
use crate::points::{self, Leg};
use crate::results::against::Against;
use crate::results::{self, Results};
use crate::scenarios::{self, SCENARIOS, Scenario};
use crate::{limits, page, profile};

/// Measures the daemon beside nginx and a program that only seals and sends.
#[derive(Debug, Clone, Parser)]
#[command(version)]
pub struct Arguments {
    /// What to measure (see --list), or `report`, which renders what was kept
    #[arg(value_name = "NAME", required_unless_present = "list")]
    pub name: Option<String>,
    /// Say what can be measured
    #[arg(long)]
    pub list: bool,
    /// Short runs, to see that all works; the figures mean little
    #[arg(long)]
    pub quick: bool,
    /// Runs of each server; the table shows their median and spread
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100))]
    pub runs: Option<u32>,
    /// Bytes of an object, one or several (default: 500000)
    #[arg(long, value_name = "N,…", value_delimiter = ',', value_parser = clap::value_parser!(u32).range(64..=16_777_216))]
    pub size: Vec<u32>,
    /// Viewers, one number or several (default: the scenario's)
    #[arg(long, value_name = "N,…", value_delimiter = ',', value_parser = clap::value_parser!(u32).range(1..=60_000))]
    pub connections: Vec<u32>,
    /// Only parts whose names begin so (default: all of the scenario's)
    #[arg(long, value_name = "PART,…", value_delimiter = ',')]
    pub case: Vec<String>,
    /// Go through sizes and numbers of viewers (delivery), or numbers of viewers (memory)
    #[arg(long)]
    pub grid: bool,
    /// Without TLS (delivery, memory, paced)
    #[arg(long)]
    pub plain: bool,
    /// The servers to measure: ours, nginx, floor (default: the scenario's)
    #[arg(long, value_delimiter = ',', value_enum)]
    pub servers: Vec<Kind>,
    /// The server's CPU
    #[arg(long, default_value_t = 0)]
    pub server_cpu: usize,
    /// The generator's CPU
    #[arg(long, default_value_t = 1)]
    pub load_cpu: usize,
    /// The daemon
    #[arg(long, value_name = "PATH", default_value = "target/release/zonecast")]
    pub zonecast: PathBuf,
    /// The floor program
    #[arg(
        long,
        value_name = "PATH",
        default_value = "target/release/zonecast-floor"
    )]
    pub floor: PathBuf,
    /// nginx
    #[arg(long, value_name = "PATH", default_value = "nginx")]
    pub nginx: PathBuf,
    /// One run of each server under perf, and a flame graph of it, instead of measuring
    #[arg(long)]
    pub profile: bool,
    /// Hold the results against earlier ones of the same scenario
    #[arg(long, value_name = "FILE")]
    pub against: Option<PathBuf>,
    /// Where results are kept: those of short runs go to --out instead
    #[arg(
        long,
        value_name = "FOLDER",
        default_value = "perf/results",
        overrides_with = "results"
    )]
    pub results: PathBuf,
    /// Where results of short runs go, and the page of `report`
    #[arg(
        long,
        value_name = "FOLDER",
        default_value = "target/bench",
        overrides_with = "out"
    )]
    pub out: PathBuf,
    /// A file whose summary of results `report` writes anew
    #[arg(long, value_name = "FILE")]
    pub readme: Option<PathBuf>,
}

/// Reads the command line and does what it says.
///
/// # Errors
/// Whatever keeps the figures from being right.
pub fn run() -> Result<()> {
    let arguments = Arguments::parse();
    if arguments.list {
        for scenario in &SCENARIOS {
            println!("{:<11} {}", scenario.name, scenario.summary);
        }
        return Ok(());
    }
    let name = arguments.name.as_deref().unwrap_or_default();
    if name == page::NAME {
        return page::make(
            &arguments.results,
            &arguments.out,
            arguments.readme.as_deref(),
        );
    }
    let scenario = SCENARIOS
        .iter()
        .find(|scenario| scenario.name == name)
        .with_context(|| {
            let names: Vec<_> = SCENARIOS.iter().map(|scenario| scenario.name).collect();
            format!("there is no {name}; there are {}", names.join(", "))
        })?;
    measure(scenario, &arguments)
}

fn measure(scenario: &Scenario, arguments: &Arguments) -> Result<()> {
    if arguments.server_cpu == arguments.load_cpu {
        bail!("the server and the generator need a CPU each");
    }
    if arguments.plain && !scenario.can_be_plain {
        bail!("{} has no plain form", scenario.name);
    }
    if arguments.profile && scenario.is_live() {
        bail!(
            "{} cannot be profiled: it starts its servers itself",
            scenario.name
        );
    }
    let (kinds, mut skipped) = match arguments.servers.as_slice() {
        [] if arguments.profile => (vec![Kind::Ours], Vec::new()),
        [] => installed(scenario, arguments),
        chosen => (chosen.to_vec(), Vec::new()),
    };
    if let Some(kind) = kinds.iter().find(|kind| !scenario.servers.contains(kind)) {
        bail!("{} does not measure {}", scenario.name, kind.label());
    }
    let earlier = arguments.against.as_deref().map(Results::read);
    let earlier = earlier.transpose()?;
    let programs = Programs::find(arguments, &kinds)?;
    let mut legs = points::plan(scenario, arguments)?;
    if !arguments.case.is_empty() {
        let is_meant = |leg: &Leg| {
            arguments
                .case
                .iter()
                .any(|begin| leg.case.starts_with(begin))
        };
        legs.retain(is_meant);
        if legs.is_empty() {
            bail!(
                "{} has no such part; there are {:?}",
                scenario.name,
                scenario.cases
            );
        }
    }
    let cannot = |leg: &Leg, kind: &Kind| limits::against(scenario, leg, *kind);
    let of_legs = legs.iter();
    skipped.extend(of_legs.flat_map(|leg| kinds.iter().filter_map(|kind| cannot(leg, kind))));
    legs.retain(|leg| kinds.iter().any(|kind| cannot(leg, kind).is_none()));
    for reason in &skipped {
        eprintln!("SKIP: {reason}");
    }
    let first = legs.first().context("nothing is left to measure")?;
    let mut bed = Bed::make(scenario, arguments, programs, first.point)?;
    if arguments.profile {
        for &kind in &kinds {
            profile::make(scenario, &bed, kind, first, &arguments.out)?;
        }
        return Ok(());
    }
    let sweep = match scenario.sweeps && kinds.contains(&Kind::Floor) {
        true => scenarios::sweep::run(scenario, &mut bed)?,
        false => Vec::new(),
    };
    let count = arguments
        .runs
        .unwrap_or(if arguments.quick { 1 } else { 3 });
    let folder = if arguments.quick {
        &arguments.out
    } else {
        &arguments.results
    };
    let so_far = |bed: &Bed, runs: &[Run]| {
        results::sum::up(scenario, arguments, bed, &legs, runs.to_vec())
            .with_sweep(sweep.clone())
            .with_skipped(skipped.clone())
    };
    let mut runs: Vec<Run> = Vec::new();
    for number in 0..count as usize {
        for leg in &legs {
            bed.go_to(leg.point)?;
            // Each server is the first to run as often as the others.
            for turn in 0..kinds.len() {
                let kind = kinds[(number + turn) % kinds.len()];
                if cannot(leg, &kind).is_some() {
                    continue;
                }
                runs.push(one_run(scenario, &bed, kind, leg, number + 1, count)?);
                // One that is broken off leaves what it has measured.
                so_far(&bed, &runs).write(folder)?;
            }
        }
    }
    let results = so_far(&bed, &runs);
    print!("{results}");
    println!("{}", results.write(folder)?.display());
    if let Some(earlier) = earlier {
        print!("{}", Against::compare(&results, &earlier)?);
    }
    Ok(())
}

fn one_run(
    scenario: &Scenario,
    bed: &Bed,
    kind: Kind,
    leg: &Leg,
    number: usize,
    of: u32,
) -> Result<Run> {
    let (case, point) = (leg.case, leg.point);
    let figures = scenario
        .measure_once(bed, kind, case)
        .with_context(|| format!("run {number} of {} ({case}, {point})", kind.label()))?;
    let run = Run {
        case: case.to_owned(),
        server: kind.label().to_owned(),
        number,
        point,
        figures,
    };
    eprintln!("bench: run {number}/{of} {case} ({point}) {run}");
    Ok(run)
}

/// All servers of a scenario but for Varnish and Redis where they are not installed; and why these
/// are left out.
fn installed(scenario: &Scenario, arguments: &Arguments) -> (Vec<Kind>, Vec<String>) {
    let programs = Programs::named(arguments);
    let (mut kinds, mut skipped) = (scenario.servers.to_vec(), Vec::new());
    kinds.retain(|&kind| match programs.missing(kind) {
        Some(missing) if matches!(kind, Kind::Varnish | Kind::Redis) => {
            skipped.push(format!("{}: {missing}", kind.label()));
            false
        }
        _ => true,
    });
    (kinds, skipped)
}
