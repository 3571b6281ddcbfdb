//! What the guest says on the serial line, in the form that the host reads
//! (`xtask/src/lab/console.rs`).

use anyhow::Result;

/// A step failed and has been reported; what depends on it cannot run.
#[derive(Debug)]
pub(crate) struct Stop;

/// One suite's voice.
pub(crate) struct Report {
    suite: String,
}

impl Report {
    /// Says that a suite begins.
    pub(crate) fn begin(suite: &str) -> Report {
        println!("lab: suite {suite} begin");
        Report {
            suite: suite.to_owned(),
        }
    }

    /// Takes a step: `work` returns what it saw, in a few words, or why it failed. A failure is
    /// an error here too, for suites that cannot go on without it.
    pub(crate) fn step(
        &mut self,
        what: &str,
        work: impl FnOnce() -> Result<String>,
    ) -> Result<(), Stop> {
        let suite = &self.suite;
        match work() {
            Ok(seen) => {
                println!("lab: suite {suite} step {what}: ok  {}", one_line(&seen));
                Ok(())
            }
            Err(error) => {
                let why = one_line(&format!("{error:#}"));
                println!("lab: suite {suite} step {what}: FAILED {why}");
                Err(Stop)
            }
        }
    }

    /// Says that the suite is through.
    pub(crate) fn end(self) {
        println!("lab: suite {} end", self.suite);
    }
}

/// Says that nothing more comes.
pub(crate) fn end() {
    println!("lab: end");
}

/// The host reads lines.
fn one_line(text: &str) -> String {
    let lines: Vec<_> = text.lines().map(str::trim).collect();
    lines.join(" | ")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A failure stays a failure for the caller; more lines become one.
    #[test]
    fn steps_return_their_failures() {
        let mut report = Report::begin("none");
        assert!(report.step("a", || Ok(String::new())).is_ok());
        assert!(report.step("b", || anyhow::bail!("x")).is_err());
        assert_eq!(one_line("a\n  b\n"), "a | b");
    }
}
