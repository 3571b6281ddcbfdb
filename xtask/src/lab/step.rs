//! The lab as a step of `test`: the suites of the newest kernel, each of their steps one test.

use super::apt::NO_PACKAGES;
use super::suites::{On, SUITES};
use super::{able, binaries::DAEMON};
use crate::Result;
use crate::failures::Failure;
use crate::process::capture;
use crate::steps::{Outcome, Progress};
use crate::tally::{Skip, Tally};
use std::path::Path;
use std::process::Command;

/// Runs `lab` as a command of its own, so that what it says becomes this step's output; `daemon`
/// was built with the tests' profile.
pub(crate) fn step(daemon: &Path, progress: &mut Progress) -> Result<Outcome> {
    if let Err(why) = able() {
        return Ok(skipped(why));
    }
    let own = std::env::current_exe().map_err(|e| format!("xtask: {e}"))?;
    let mut command = Command::new(own);
    command.args(["lab", "run", "--profile", "dev"]);
    let newest = SUITES.iter().filter(|suite| suite.on == On::Newest);
    command.args(newest.map(|suite| suite.name));
    command.env(DAEMON, daemon);
    let captured = capture(command, progress, |line, progress| {
        if line.starts_with("lab: ") {
            progress.say(line);
        }
    })?;
    if let Some(why) = no_packages(&captured.lines).filter(|_| !captured.success) {
        return Ok(skipped(why));
    }
    let mut outcome = Outcome::of_command(captured);
    outcome.tally = tally(&outcome.output);
    outcome.summary = outcome.tally.line();
    Ok(outcome)
}

/// The line that says that the mirror gave nothing: whoever works without a network has no lab.
fn no_packages(output: &[String]) -> Option<String> {
    let line = output.iter().find(|line| line.contains(NO_PACKAGES))?;
    Some(line.trim_start_matches("xtask: ").to_owned())
}

fn skipped(why: String) -> Outcome {
    let skip = Skip {
        test: String::from("lab"),
        reasons: vec![why],
    };
    Outcome {
        tally: Tally {
            skipped: vec![skip],
            ..Tally::default()
        },
        ..Outcome::default()
    }
}

/// What the lab's last lines say: each failure, then a count.
fn tally(output: &[String]) -> Tally {
    let mut tally = Tally::default();
    for line in output {
        if let Some(failure) = line.strip_prefix("failed: ") {
            tally.failed += 1;
            tally.failures.push(Failure {
                test: String::from("lab"),
                output: vec![failure.to_owned()],
            });
        }
        let counted = line
            .strip_prefix("lab: ")
            .and_then(|l| l.split_once(" passed, "));
        tally.passed += counted.and_then(|(n, _)| n.parse().ok()).unwrap_or(0);
    }
    tally
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Without a mirror the lab is skipped, and says why.
    #[test]
    fn no_mirror_is_no_failure() {
        let said = format!("xtask: {NO_PACKAGES}: apt-get update: no route to host");
        let why = no_packages(&[String::from("lab: reading"), said]).unwrap();
        assert!(why.starts_with(NO_PACKAGES), "{why}");
        assert_eq!(no_packages(&[String::from("lab: booting 7.3.4")]), None);
    }

    /// Steps are counted as tests, and each failure is named.
    #[test]
    fn counts_the_labs_steps() {
        let output = [
            "lab: booting 7.3.4",
            "  45 s    kernel: ok  7.3.4",
            "failed: 7: numa: ring memory: 4 kB on the other node",
            "lab: 15 passed, 1 failed, 73 s",
        ];
        let tally = tally(&output.map(String::from));
        assert_eq!((tally.passed, tally.failed), (15, 1));
        assert!(tally.failures[0].output[0].contains("ring memory"));
    }
}
