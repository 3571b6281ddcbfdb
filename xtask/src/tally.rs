//! Counting tests from what the test runner prints.
//!
//! Reads the output of `cargo test … -- --show-output` line by line. A test that cannot run on
//! this machine prints `SKIP: reason` and returns; the runner calls it passed, and here it counts
//! as skipped instead. An ignored test is a skipped one too.

use crate::failures::{Backtraces, Failure};

/// Tests counted.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Tally {
    pub(crate) passed: usize,
    pub(crate) failed: usize,
    pub(crate) skipped: Vec<Skip>,
    /// Those of the failed ones that said something.
    pub(crate) failures: Vec<Failure>,
    /// Those of the passed ones that failed the first time.
    pub(crate) flaky: Vec<Failure>,
}

/// A test that did not run, or not whole.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Skip {
    /// Its name, with that of its binary.
    pub(crate) test: String,
    /// What it printed after `SKIP:`, once or more often.
    pub(crate) reasons: Vec<String>,
}

impl Tally {
    /// Adds another's counts.
    pub(crate) fn add(&mut self, other: Tally) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped.extend(other.skipped);
        self.failures.extend(other.failures);
        self.flaky.extend(other.flaky);
    }

    /// `N passed, N failed, N skipped`.
    pub(crate) fn line(&self) -> String {
        let skipped = self.skipped.len();
        format!(
            "{} passed, {} failed, {skipped} skipped",
            self.passed, self.failed
        )
    }

    /// Whether no test was seen at all.
    pub(crate) fn is_empty(&self) -> bool {
        *self == Tally::default()
    }
}

/// The reason in a line `SKIP: reason`.
pub(crate) fn skip_reason(line: &str) -> Option<&str> {
    line.strip_prefix("SKIP:").map(str::trim)
}

/// Where in a test binary's output a line stands.
#[derive(Debug, Default, Clone, Copy, PartialEq)]
enum Section {
    #[default]
    Results,
    /// What passed tests printed.
    Successes,
    /// What failed tests printed.
    Failures,
}

/// Reads the runner's output.
#[derive(Debug, Default)]
pub(crate) struct Reader {
    tally: Tally,
    /// What failed tests printed, without the frames of backtraces.
    failures: Vec<String>,
    backtraces: Backtraces,
    /// The test binary whose output this is.
    binary: String,
    section: Section,
    /// The test whose output this is.
    test: String,
    /// How many of this binary's tests that the runner calls passed were skipped.
    skipped_here: usize,
}

impl Reader {
    /// What was counted, and what failed tests printed, without backtraces.
    pub(crate) fn finish(self) -> (Tally, Vec<String>) {
        (self.tally, self.failures)
    }

    /// Takes one line; returns a line of progress when a binary's tests are through.
    pub(crate) fn line(&mut self, line: &str) -> Option<String> {
        if let Some(binary) = binary_name(line) {
            self.binary = binary;
            self.section = Section::Results;
            return None;
        }
        match line {
            "successes:" => self.enter(Section::Successes),
            "failures:" => self.enter(Section::Failures),
            _ => {}
        }
        if let Some(result) = line.strip_prefix("test result: ") {
            return self.binary_done(result);
        }
        if let Some(test) = shown_test(line) {
            self.test = test.to_owned();
        }
        if self.section == Section::Failures {
            self.failure_line(line);
        } else if let Some(reason) = skip_reason(line) {
            self.skip(reason);
        } else if let Some(ignored) = ignored_test(line) {
            let test = format!("{} {ignored}", self.binary);
            let reasons = vec![String::from("ignored")];
            self.tally.skipped.push(Skip { test, reasons });
        }
        None
    }

    /// Takes a line that a failed test printed, or that stands around such lines.
    fn failure_line(&mut self, line: &str) {
        if self.backtraces.has(line) {
            return;
        }
        self.failures.push(line.to_owned());
        let known = &mut self.tally.failures;
        if shown_test(line).is_some() {
            let test = format!("{} {}", self.binary, self.test).trim().to_owned();
            let output = Vec::new();
            known.push(Failure { test, output });
        } else if let Some(failure) = known.last_mut().filter(|_| !self.test.is_empty()) {
            failure.output.push(line.to_owned());
        }
    }

    fn enter(&mut self, section: Section) {
        self.section = section;
        self.test.clear();
    }

    /// Books a skip: one a test, however many reasons it prints.
    fn skip(&mut self, reason: &str) {
        let test = format!("{} {}", self.binary, self.test).trim().to_owned();
        let in_test = !self.test.is_empty();
        let known = self
            .tally
            .skipped
            .last_mut()
            .filter(|s| in_test && s.test == test);
        if let Some(skip) = known {
            skip.reasons.push(reason.to_owned());
            return;
        }
        let reasons = vec![reason.to_owned()];
        self.tally.skipped.push(Skip { test, reasons });
        self.skipped_here += usize::from(in_test);
    }

    /// Books `ok. 3 passed; 0 failed; 0 ignored; …; finished in 0.01s`.
    fn binary_done(&mut self, result: &str) -> Option<String> {
        let skipped = std::mem::take(&mut self.skipped_here);
        let passed = count(result, "passed").saturating_sub(skipped);
        let failed = count(result, "failed");
        let ignored = count(result, "ignored");
        self.tally.passed += passed;
        self.tally.failed += failed;
        self.enter(Section::Results);
        if passed + failed + skipped + ignored == 0 {
            return None;
        }
        let took = result.rsplit("finished in ").next().unwrap_or_default();
        let mut line = format!("{}: {passed} passed", self.binary);
        for (number, what) in [(failed, "FAILED"), (skipped + ignored, "skipped")] {
            if number > 0 {
                line += &format!(", {number} {what}");
            }
        }
        Some(format!("{line}, {took}"))
    }
}

/// The binary in `Running unittests src/lib.rs (…/deps/zonecast_ring-0123456789abcdef)`, or the
/// crate in `Doc-tests zonecast_ring`.
fn binary_name(line: &str) -> Option<String> {
    if let Some(name) = line.strip_prefix("   Doc-tests ") {
        return Some(format!("{name} (docs)"));
    }
    let rest = line.strip_prefix("     Running ")?.strip_suffix(')')?;
    let (_, path) = rest.rsplit_once(" (")?;
    let file = path.rsplit('/').next()?;
    Some(
        file.rsplit_once('-')
            .map_or(file, |(name, _)| name)
            .to_owned(),
    )
}

/// The test in `---- name stdout ----`.
fn shown_test(line: &str) -> Option<&str> {
    line.strip_prefix("---- ")?.strip_suffix(" stdout ----")
}

/// The test in `test name ... ignored`, with or without a reason.
fn ignored_test(line: &str) -> Option<&str> {
    let (test, verdict) = line.strip_prefix("test ")?.split_once(" ... ")?;
    verdict.starts_with("ignored").then_some(test)
}

/// The number before `what` in `ok. 3 passed; 0 failed; …`.
fn count(result: &str, what: &str) -> usize {
    let words: Vec<_> = result.split([' ', ';', ',']).collect();
    let at = words.iter().position(|word| *word == what);
    let number = at.and_then(|at| words.get(at.checked_sub(1)?));
    number.and_then(|number| number.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
#[path = "tally_tests.rs"]
mod tests;
