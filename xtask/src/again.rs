//! Once more, alone: an end-to-end test that failed is run a second time, by itself.
//!
//! These tests start real programs by the dozen on a machine of two cores, and what else runs there
//! is not theirs to choose. One that fails among the others and passes alone is *flaky*: it is named
//! with its message in the last lines, so that somebody mends it, and fails the run with `--strict`.
//! One that fails again has failed.

use crate::Result;
use crate::failures::Failure;
use crate::process::capture;
use crate::steps::{Outcome, Progress};
use crate::tally::Reader;
use std::process::Command;

/// More failures than this are no accident.
const TESTS_MAX: usize = 3;

/// Runs the failed tests of `outcome` again; `command` makes the runner for a test binary.
pub(crate) fn run(
    mut outcome: Outcome,
    command: impl Fn(&str) -> Command,
    progress: &mut Progress,
) -> Result<Outcome> {
    let failed = std::mem::take(&mut outcome.tally.failures);
    let all_are_known = failed.len() == outcome.tally.failed;
    if failed.is_empty() || !all_are_known || failed.len() > TESTS_MAX {
        outcome.tally.failures = failed;
        return Ok(outcome);
    }
    for failure in failed {
        if passes(&failure, &command, progress)? {
            outcome.tally.failed -= 1;
            outcome.tally.passed += 1;
            outcome.tally.flaky.push(failure);
        } else {
            outcome.tally.failures.push(failure);
        }
    }
    outcome.failed = outcome.tally.failed > 0;
    outcome.summary = outcome.tally.line();
    Ok(outcome)
}

/// Whether the test passes alone.
fn passes(
    failure: &Failure,
    command: &impl Fn(&str) -> Command,
    progress: &mut Progress,
) -> Result<bool> {
    let Some((binary, test)) = failure.test.split_once(' ') else {
        return Ok(false);
    };
    progress.say(&format!("{} failed: once more, alone", failure.test));
    let mut command = command(binary);
    command.args(["--", "--exact", test, "--show-output"]);
    let mut reader = Reader::default();
    let captured = capture(command, progress, |line, _| {
        reader.line(line);
    })?;
    let (tally, _) = reader.finish();
    Ok(captured.success && tally.passed == 1 && tally.failed == 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tally::Tally;

    fn failed(tests: &[&str]) -> Outcome {
        let failure = |test: &&str| Failure {
            test: (*test).to_owned(),
            output: vec![String::from("Error: late")],
        };
        Outcome {
            failed: true,
            tally: Tally {
                passed: 5,
                failed: tests.len(),
                failures: tests.iter().map(failure).collect(),
                ..Tally::default()
            },
            ..Outcome::default()
        }
    }

    /// A stand-in for the runner: binary `calm` passes the second time, any other fails.
    fn runner(binary: &str) -> Command {
        let (word, code, passed) = if binary == "calm" {
            ("ok", 0, 1)
        } else {
            ("FAILED", 1, 0)
        };
        let result = format!("test result: {word}. {passed} passed; {code} failed; 0 ignored");
        let mut command = Command::new("sh");
        command.args(["-c", &format!("echo '{result}'; exit {code}")]);
        command
    }

    /// A test that passes alone is flaky and named; one that fails again has failed.
    #[test]
    fn flaky_and_failed_are_told_apart() {
        let outcome = failed(&["calm a::b", "wild c"]);
        let again = run(outcome, runner, &mut Progress::silent()).unwrap();
        assert!(again.failed);
        assert_eq!((again.tally.passed, again.tally.failed), (6, 1));
        assert_eq!(again.tally.flaky[0].test, "calm a::b");
        assert_eq!(again.tally.failures[0].test, "wild c");
        let again = run(failed(&["calm a"]), runner, &mut Progress::silent()).unwrap();
        assert!(!again.failed);
    }

    /// Many failures, or one whose test is not known (a crash), are taken as they are.
    #[test]
    fn a_disaster_is_none_twice() {
        let many = ["calm a", "calm b", "calm c", "calm d"];
        let again = run(failed(&many), runner, &mut Progress::silent()).unwrap();
        assert!(again.failed && again.tally.flaky.is_empty());
        let mut crashed = failed(&["calm a"]);
        crashed.tally.failed = 2;
        let again = run(crashed, runner, &mut Progress::silent()).unwrap();
        assert!(again.failed && again.tally.failures.len() == 1);
    }
}
