//! What the guest says on its serial line, and the verdict that comes of it.
//!
//! Lines that begin with `lab:` are for this program; all others are for a person:
//!
//! ```text
//! lab: suite NAME begin
//! lab: suite NAME step WHAT: ok [DETAIL]
//! lab: suite NAME step WHAT: FAILED WHY
//! lab: suite NAME end
//! lab: end
//! ```

use super::suites::Suite;
use std::time::{Duration, Instant};

/// What the kernel says when it cannot go on.
const FATAL: [&str; 3] = ["Kernel panic", "Oops:", "BUG: "];

/// What has been heard from one guest.
pub(super) struct Console {
    /// Those asked for that have not ended.
    open: Vec<Suite>,
    running: Option<(Suite, Instant)>,
    /// Whether the running suite passed a step.
    has_passed: bool,
    pub(super) passed: usize,
    /// What failed, one line each: suite, step and why.
    pub(super) failed: Vec<String>,
    pub(super) ended: bool,
    heard: Instant,
}

/// What a line means to a person.
#[derive(Debug, PartialEq)]
pub(super) enum Said {
    /// A suite begins.
    Suite(String),
    /// A step ended.
    Step(String),
    /// Anything else that is worth showing.
    Other(String),
    /// Nothing to show.
    Nothing,
}

impl Console {
    /// One that waits for these suites.
    pub(super) fn new(suites: &[Suite]) -> Console {
        Console {
            open: suites.to_vec(),
            running: None,
            has_passed: false,
            passed: 0,
            failed: Vec::new(),
            ended: false,
            heard: Instant::now(),
        }
    }

    /// Takes in a line.
    pub(super) fn line(&mut self, line: &str) -> Said {
        self.heard = Instant::now();
        let line = line.trim_end();
        if FATAL.iter().any(|sign| line.contains(sign)) {
            self.fail(line);
        }
        // The kernel may have left its own line open.
        let Some(at) = line.find("lab: ") else {
            return match line {
                "" => Said::Nothing,
                _ => Said::Other(line.to_owned()),
            };
        };
        let words = &line[at + 5..];
        if words == "end" {
            self.ended = true;
            return Said::Nothing;
        }
        let suite = words.strip_prefix("suite ").and_then(|w| w.split_once(' '));
        match suite {
            Some((name, "begin")) => self.begin(name),
            Some((name, "end")) => self.end(name),
            Some((name, rest)) => self.step(name, rest),
            None => Said::Other(words.to_owned()),
        }
    }

    fn begin(&mut self, name: &str) -> Said {
        let suite = self.open.iter().find(|s| s.name == name).copied();
        self.running = suite.map(|suite| (suite, Instant::now()));
        self.has_passed = false;
        Said::Suite(name.to_owned())
    }

    fn end(&mut self, name: &str) -> Said {
        self.running = None;
        self.open.retain(|suite| suite.name != name);
        if !self.has_passed {
            self.failed.push(format!("{name}: no step passed"));
        }
        Said::Nothing
    }

    fn step(&mut self, suite: &str, rest: &str) -> Said {
        let rest = rest.strip_prefix("step ").unwrap_or(rest);
        match rest.split_once(": FAILED") {
            Some((step, why)) => self.failed.push(format!("{suite}: {step}:{why}")),
            None => {
                self.passed += 1;
                self.has_passed = true;
            }
        }
        Said::Step(rest.to_owned())
    }

    fn fail(&mut self, why: &str) {
        let during = self.running.map_or("boot", |(suite, _)| suite.name);
        self.failed.push(format!("{during}: {why}"));
    }

    /// Why the guest must be ended now, if it must: the running suite, or silence, is too long.
    pub(super) fn overdue(&self, silence_max: Duration) -> Option<String> {
        if let Some((suite, since)) = self.running
            && since.elapsed() > suite.limit
        {
            let limit = suite.limit.as_secs();
            return Some(format!("{}: not done after {limit} s", suite.name));
        }
        let silent = self.heard.elapsed() > silence_max;
        silent.then(|| {
            format!(
                "nothing heard from the guest for {} s",
                silence_max.as_secs()
            )
        })
    }

    /// What the guest is at, each time that its silence has grown by `often`; `told` is what
    /// this keeps between calls.
    pub(super) fn still(&self, often: Duration, told: &mut u64) -> Option<&'static str> {
        let silent = self.heard.elapsed().as_secs() / often.as_secs();
        let news = silent > *told;
        *told = silent;
        news.then(|| self.running.map_or("boot", |(suite, _)| suite.name))
    }

    /// Ends the listening: suites that never ended have failed.
    pub(super) fn close(&mut self, why: Option<String>) {
        if let Some(why) = why {
            self.fail(&why);
        }
        for suite in std::mem::take(&mut self.open) {
            self.failed.push(format!("{}: did not end", suite.name));
        }
        if !self.ended {
            self.failed
                .push(String::from("the guest did not end by itself"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::suites::SUITES;
    use super::*;

    fn heard(lines: &[&str]) -> Console {
        let mut console = Console::new(&SUITES[..1]);
        for line in lines {
            console.line(line);
        }
        console.close(None);
        console
    }

    /// A suite with steps, ended, in a guest that ended passes.
    #[test]
    fn counts_steps() {
        let console = heard(&[
            "[ 1.2] noise",
            "lab: suite boot begin",
            "lab: suite boot step kernel: ok 7.3",
            "[ 2.0] lab: suite boot step nodes: ok",
            "lab: suite boot end",
            "lab: end",
        ]);
        assert_eq!((console.passed, console.failed), (2, Vec::new()));
    }

    /// A failed step, an empty suite, a panic, silence, slowness, and an end that does not come
    /// are each failures.
    #[test]
    fn nothing_passes_by_silence() {
        let begin = "lab: suite boot begin";
        let (ok, end) = ("lab: suite boot step a: ok", "lab: suite boot end");
        let cases: [(&[&str], &str); 4] = [
            (
                &[
                    begin,
                    ok,
                    "lab: suite boot step b: FAILED x: y",
                    end,
                    "lab: end",
                ],
                "boot: b: x: y",
            ),
            (&[begin, end, "lab: end"], "boot: no step passed"),
            (&[begin, ok, "lab: end"], "boot: did not end"),
            (&[begin, ok, end], "the guest did not end by itself"),
        ];
        for (lines, failure) in cases {
            assert_eq!(heard(lines).failed, [failure]);
        }
        assert!(Console::new(&[]).overdue(Duration::MAX).is_none());
        assert!(Console::new(&[]).overdue(Duration::ZERO).is_some());
        let mut slow = SUITES[0];
        slow.limit = Duration::ZERO;
        let mut console = Console::new(&[slow]);
        console.line(begin);
        let why = console.overdue(Duration::MAX).unwrap();
        assert!(why.starts_with("boot: not done"), "{why}");
        let panic = heard(&[begin, "[3.0] Kernel panic - not syncing", end, "lab: end"]);
        assert!(panic.failed[0].starts_with("boot: [3.0] Kernel panic"));
    }
}
