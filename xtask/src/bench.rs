//! `bench`: builds the daemon and the benchmarks in release mode, and becomes the benchmark.

use crate::Result;
use crate::demo;
use crate::packages::Purpose;
use crate::setup;
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};

/// What is built.
const PACKAGES: [&str; 2] = ["zonecast", "zonecast-bench"];

/// Makes sure of what is needed, builds, and runs the benchmark in place of this process.
pub(crate) fn run(arguments: &[String]) -> Result<ExitCode> {
    if !setup::ensure(needed_for(arguments))? {
        return Ok(ExitCode::FAILURE);
    }
    let messages = demo::build(&PACKAGES, "release")?;
    let bench = demo::executable(&messages, "zonecast-bench")?;
    let mut command = Command::new(&bench);
    command
        .arg("--zonecast")
        .arg(demo::executable(&messages, "zonecast")?)
        .arg("--floor")
        .arg(demo::executable(&messages, "zonecast-floor")?)
        .args(arguments);
    Err(format!("{}: {}", bench.display(), command.exec()))
}

/// Whoever chose the servers may do without the others.
fn needed_for(arguments: &[String]) -> Purpose {
    let words = ["--list", "--servers"];
    let does_without = |flag: &String| words.iter().any(|word| flag.starts_with(word));
    if arguments.iter().any(does_without) {
        Purpose::Demo
    } else {
        Purpose::Bench
    }
}
