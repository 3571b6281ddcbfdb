//! The command line, and the order of a whole benchmark.

use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use clap::Parser;

use crate::bed::Bed;
use crate::figures::Run;
use crate::peers::{Kind, Programs};
use crate::report::Report;
use crate::scenarios::{self, SCENARIOS, Scenario};

/// Measures the daemon beside nginx and a program that only seals and sends.
#[derive(Debug, Clone, Parser)]
#[command(version)]
pub struct Arguments {
    /// What to measure; see --list
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
    /// Bytes of an object
    #[arg(long, default_value_t = 500_000, value_parser = clap::value_parser!(u32).range(64..=16_777_216))]
    pub size: u32,
    /// Viewers (default: the scenario's)
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=9_000))]
    pub connections: Option<u32>,
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
    /// Where NAME.json goes
    #[arg(long, value_name = "FOLDER", default_value = "target/bench")]
    pub out: PathBuf,
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
    let kinds = match arguments.servers.as_slice() {
        [] => scenario.servers.to_vec(),
        chosen => chosen.to_vec(),
    };
    if let Some(kind) = kinds.iter().find(|kind| !scenario.servers.contains(kind)) {
        bail!("{} does not measure {}", scenario.name, kind.label());
    }
    let programs = Programs::find(arguments, &kinds)?;
    let mut bed = Bed::make(scenario, arguments, programs)?;
    let sweep = match scenario.sweeps && kinds.contains(&Kind::Floor) {
        true => scenarios::sweep::run(scenario, &mut bed)?,
        false => Vec::new(),
    };
    let count = arguments
        .runs
        .unwrap_or(if arguments.quick { 1 } else { 3 });
    let mut runs: Vec<Run> = Vec::new();
    for number in 0..count as usize {
        for case in scenario.cases {
            // Each server is the first to run as often as the others.
            for turn in 0..kinds.len() {
                let kind = kinds[(number + turn) % kinds.len()];
                let figures = scenario
                    .measure_once(&bed, kind, case)
                    .with_context(|| format!("run {} of {} ({case})", number + 1, kind.label()))?;
                let run = Run {
                    case,
                    server: kind.label(),
                    number: number + 1,
                    figures,
                };
                eprintln!("bench: run {}/{count} {case} {run}", number + 1);
                runs.push(run);
            }
        }
    }
    let report = Report::new(scenario, arguments, &bed, sweep, runs)?;
    print!("{report}");
    let path = report.write(&arguments.out)?;
    println!("{}", path.display());
    Ok(())
}
