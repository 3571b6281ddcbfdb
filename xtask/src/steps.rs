//! Steps in order, one line each: `[3/9] clippy … ok 12.3 s`, and what went wrong where one fails.
//!
//! A step that fails does not stop the next ones. Its whole output is kept in a log file, and
//! shown as far as a person reads it.

use crate::Result;
use crate::process::Captured;
use crate::tally::Tally;
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

/// Lines shown from the start and from the end of a failed step's output.
const SHOWN_LINES: usize = 100;

/// After this long without a line of progress a running step says that it still runs.
const STILL_RUNNING: Duration = Duration::from_secs(30);

/// What a step does.
type Work<'a> = dyn FnOnce(&mut Progress) -> Result<Outcome> + 'a;

/// One thing to do, under a name of one word.
pub(crate) struct Step<'a> {
    name: &'static str,
    work: Box<Work<'a>>,
}

/// How a step ended.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) failed: bool,
    /// What follows the time on the step's line.
    pub(crate) summary: String,
    /// Lines shown under the step's line in any case.
    pub(crate) notes: Vec<String>,
    /// Lines kept in the log if it failed.
    pub(crate) output: Vec<String>,
    /// Lines shown if it failed; none means the output.
    pub(crate) shown: Option<Vec<String>>,
    /// The tests that it ran.
    pub(crate) tally: Tally,
}

/// All steps' outcomes together.
#[derive(Debug, Default)]
pub(crate) struct Totals {
    pub(crate) steps: usize,
    /// The names of those that failed.
    pub(crate) failed: Vec<&'static str>,
    /// Their tests; a step that failed without naming a failed test counts as one.
    pub(crate) tally: Tally,
}

/// The step's voice while it runs.
pub(crate) struct Progress {
    /// Whether the step's own line waits for its end.
    line_open: bool,
    silent: bool,
    started: Instant,
    said: Instant,
}

impl<'a> Step<'a> {
    pub(crate) fn new(
        name: &'static str,
        work: impl FnOnce(&mut Progress) -> Result<Outcome> + 'a,
    ) -> Step<'a> {
        let work = Box::new(work);
        Step { name, work }
    }
}

impl Outcome {
    /// The outcome of a rule: it fails if anything breaks it.
    pub(crate) fn of_rule(broken: Vec<String>, notes: Vec<String>) -> Outcome {
        Outcome {
            failed: !broken.is_empty(),
            output: broken,
            notes,
            ..Outcome::default()
        }
    }

    /// The outcome of a command: it fails if the command does.
    pub(crate) fn of_command(captured: Captured) -> Outcome {
        Outcome {
            failed: !captured.success,
            output: captured.lines,
            ..Outcome::default()
        }
    }
}

impl Progress {
    fn start(line_open: bool, silent: bool) -> Progress {
        let now = Instant::now();
        Progress {
            line_open,
            silent,
            started: now,
            said: now,
        }
    }

    /// One that prints nothing.
    #[cfg(test)]
    pub(crate) fn silent() -> Progress {
        Progress::start(false, true)
    }

    /// Prints a line under the running step's.
    pub(crate) fn say(&mut self, text: &str) {
        self.said = Instant::now();
        if self.silent {
            return;
        }
        if std::mem::take(&mut self.line_open) {
            println!();
        }
        println!("      {text}");
    }

    /// Says that the step still runs, if it has said nothing for long; `last` is the last line
    /// of its command's output.
    pub(crate) fn still_running(&mut self, last: &str) {
        if self.said.elapsed() > STILL_RUNNING {
            let last: String = last.trim().chars().take(80).collect();
            self.say(&format!(
                "… {:.0} s: {last}",
                self.started.elapsed().as_secs_f64()
            ));
        }
    }
}

/// Runs every step and prints its line; the logs of failed ones go to the folder `logs`.
pub(crate) fn run_all(steps: Vec<Step>, logs: &Path) -> Totals {
    let mut totals = Totals {
        steps: steps.len(),
        ..Totals::default()
    };
    for (step, number) in steps.into_iter().zip(1..) {
        let head = format!("[{number}/{}] {} …", totals.steps, step.name);
        print!("{head} ");
        flush();
        let mut progress = Progress::start(true, false);
        let ended = (step.work)(&mut progress);
        let outcome = ended.unwrap_or_else(|error| Outcome::of_rule(vec![error], Vec::new()));
        if !progress.line_open {
            print!("{head} ");
        }
        finish(&outcome, progress.started.elapsed());
        if outcome.failed {
            totals.failed.push(step.name);
            show_failure(step.name, &outcome, logs);
            totals.tally.failed += usize::from(outcome.tally.failed == 0);
        }
        totals.tally.add(outcome.tally);
    }
    totals
}

fn finish(outcome: &Outcome, took: Duration) {
    let verdict = if outcome.failed { "FAILED" } else { "ok" };
    let line = format!("{verdict} {:.1} s  {}", took.as_secs_f64(), outcome.summary);
    println!("{}", line.trim_end());
    for note in &outcome.notes {
        println!("      {note}");
    }
    flush();
}

fn show_failure(name: &str, outcome: &Outcome, logs: &Path) {
    let shown = outcome.shown.as_ref().unwrap_or(&outcome.output);
    for line in excerpt(shown, SHOWN_LINES) {
        println!("    | {line}");
    }
    let log = logs.join(format!("{name}.log"));
    let text = outcome.output.join("\n") + "\n";
    match std::fs::create_dir_all(logs).and_then(|()| std::fs::write(&log, text)) {
        Ok(()) => println!("    whole output: {}", log.display()),
        Err(error) => println!("    {}: {error}", log.display()),
    }
    flush();
}

/// The first and the last `shown` lines, with a line between that says how many are left out.
fn excerpt(lines: &[String], shown: usize) -> Vec<String> {
    if lines.len() <= 2 * shown {
        return lines.to_vec();
    }
    let left_out = lines.len() - 2 * shown;
    let mut excerpt = lines[..shown].to_vec();
    excerpt.push(format!("… {left_out} lines left out …"));
    excerpt.extend_from_slice(&lines[lines.len() - shown..]);
    excerpt
}

/// Shows what was printed so far; a stdout that fails is met by the next line printed.
fn flush() {
    let _ = std::io::stdout().flush();
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Long output keeps both its ends and says how much is missing; short output is whole.
    #[test]
    fn excerpts_keep_both_ends() {
        let lines: Vec<String> = (0..10).map(|n| n.to_string()).collect();
        assert_eq!(excerpt(&lines, 5), lines);
        assert_eq!(
            excerpt(&lines, 2),
            ["0", "1", "… 6 lines left out …", "8", "9"]
        );
    }

    /// A failing step is named and does not stop the next one, nor does an error; tallies add up.
    #[test]
    fn all_steps_run() {
        let logs = std::env::temp_dir().join(format!("xtask-steps-{}", std::process::id()));
        let passing = || Outcome {
            tally: Tally {
                passed: 2,
                ..Tally::default()
            },
            ..Outcome::default()
        };
        let steps = vec![
            Step::new("rule", |_| {
                Ok(Outcome::of_rule(vec!["a".into()], Vec::new()))
            }),
            Step::new("error", |_| Err("b".into())),
            Step::new("fine", |_| Ok(passing())),
            Step::new("good", |_| Ok(passing())),
        ];
        let totals = run_all(steps, &logs);
        assert_eq!((totals.steps, totals.failed), (4, vec!["rule", "error"]));
        assert_eq!((totals.tally.passed, totals.tally.failed), (4, 2));
        assert_eq!(
            std::fs::read_to_string(logs.join("error.log")).unwrap(),
            "b\n"
        );
        std::fs::remove_dir_all(logs).unwrap();
    }
}
