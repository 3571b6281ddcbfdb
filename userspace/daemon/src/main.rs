//! The binary: reads the command line, runs the command, says what went wrong.

#![forbid(unsafe_code)]

use std::process::ExitCode;

use clap::Parser;
use zonecast_daemon::cli::{Arguments, run};

fn main() -> ExitCode {
    match run(Arguments::parse()) {
        Ok(code) => code,
        Err(error) => {
            for line in format!("{error:#}").lines() {
                eprintln!("zonecast: {line}");
            }
            ExitCode::FAILURE
        }
    }
}
