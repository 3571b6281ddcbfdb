//! `profile`: runs one scenario of the benchmarks under perf, and leaves a flame graph.

use crate::packages::Purpose;
use crate::{Result, bench, probe, setup};
use std::os::unix::process::CommandExt;
use std::process::ExitCode;

/// Makes sure of what is needed, builds, and runs the benchmark in place of this process.
pub(crate) fn run(arguments: &[String]) -> Result<ExitCode> {
    if arguments.is_empty() {
        return Err(String::from(
            "profile what? `cargo xtask bench --list` names the scenarios",
        ));
    }
    if probe::on_path("perf").is_none() {
        return Err(String::from(
            "perf is not installed: `cargo xtask setup bench` brings it on Debian (linux-perf); its \
             package is linux-tools-generic on Ubuntu and perf elsewhere",
        ));
    }
    if !setup::ensure(Purpose::Demo)? {
        return Ok(ExitCode::FAILURE);
    }
    let mut flags = arguments.to_vec();
    flags.push(String::from("--profile"));
    let mut command = bench::command(&flags)?;
    let error = command.exec();
    Err(format!("{}: {error}", command.get_program().display()))
}
