//! `bench`: builds the daemon and the benchmarks in release mode, and becomes the benchmark.

use crate::Result;
use crate::demo;
use crate::packages::Purpose;
use crate::setup;
use crate::workspace::root;
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};

/// What is built.
const PACKAGES: [&str; 2] = ["zonecast", "zonecast-bench"];

/// Makes sure of what is needed, builds, and runs the benchmark in place of this process.
pub(crate) fn run(arguments: &[String]) -> Result<ExitCode> {
    if !setup::ensure(needed_for(arguments))? {
        return Ok(ExitCode::FAILURE);
    }
    let mut command = command(arguments)?;
    let error = command.exec();
    Err(format!("{}: {error}", command.get_program().display()))
}

/// Builds, and makes the benchmark's command line: with where the programs are that it measures,
/// and where results are kept, wherever this was called.
pub(crate) fn command(arguments: &[String]) -> Result<Command> {
    let messages = demo::build(&PACKAGES, "release")?;
    let mut command = Command::new(demo::executable(&messages, "zonecast-bench")?);
    command
        .arg("--zonecast")
        .arg(demo::executable(&messages, "zonecast")?)
        .arg("--floor")
        .arg(demo::executable(&messages, "zonecast-floor")?)
        .arg("--results")
        .arg(root().join("perf/results"))
        .arg("--out")
        .arg(root().join("target/bench"))
        .args(arguments);
    Ok(command)
}

/// Whoever chose the servers may do without nginx, and so does whoever measures nothing.
fn needed_for(arguments: &[String]) -> Purpose {
    let words = ["--list", "--servers", "report"];
    let does_without = |flag: &String| words.iter().any(|word| flag.starts_with(word));
    if arguments.iter().any(does_without) {
        Purpose::Demo
    } else {
        Purpose::Test
    }
}
