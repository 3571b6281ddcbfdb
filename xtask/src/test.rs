//! `test`: everything that can fail, in order, and one line that counts it.
//!
//! A failing step does not stop the next. A step that fails without naming a failed test (it did
//! not build, it crashed) counts as one failed test, so that the count never says more than the
//! exit code.

use crate::demo::{self, Binaries};
use crate::packages::Purpose;
use crate::plan::Plan;
use crate::process::capture;
use crate::steps::{Outcome, Progress, Step, Totals, run_all};
use crate::tally::{Reader, Skip};
use crate::workspace::{Workspace, cargo};
use crate::{Result, check, probe, skips, source};
use std::cell::OnceCell;
use std::path::Path;
use std::process::{Command, ExitCode};

/// How long the demo runs.
const DEMO_SECONDS: &str = "20";

/// Runs what the arguments select; exits 0 if nothing failed.
pub(crate) fn run(arguments: &[String]) -> Result<ExitCode> {
    let plan = Plan::read(arguments)?;
    let strict = plan.strict || std::env::var("ZONECAST_STRICT").is_ok_and(|value| value == "1");
    let missing: Vec<_> = probe::missing(Purpose::Test)
        .iter()
        .map(|n| n.name())
        .collect();
    if !missing.is_empty() {
        let names = missing.join(", ");
        return Err(format!("missing: {names}; run `cargo xtask setup` first"));
    }
    let workspace = Workspace::load()?;
    let sources = source::read_all(&workspace.root)?;
    let binaries = OnceCell::new();

    let mut steps = Vec::new();
    if plan.has("check") {
        steps.extend(check::steps(&workspace, &sources));
    }
    steps.extend(test_steps(&plan, &workspace, &binaries));
    let totals = run_all(steps, &workspace.target.join("xtask"));
    conclude(totals, strict, &workspace.root)
}

/// The steps that run tests.
fn test_steps<'a>(
    plan: &'a Plan,
    workspace: &'a Workspace,
    binaries: &'a OnceCell<Binaries>,
) -> Vec<Step<'a>> {
    let mut steps = Vec::new();
    if plan.has("unit") {
        steps.push(Step::new("unit", |p| runner(unit(), plan, p)));
    }
    if plan.has("loom") {
        let target = workspace.target.join("loom");
        steps.push(Step::new("loom", move |p| runner(loom(&target), plan, p)));
    }
    if plan.has("e2e") || plan.has("demo") {
        steps.push(Step::new("binaries", |p| build(binaries, p)));
    }
    if plan.has("e2e") {
        steps.push(Step::new("e2e", |p| {
            runner(end_to_end(built(binaries)?), plan, p)
        }));
    }
    if plan.has("demo") {
        steps.push(Step::new("demo", |p| show(built(binaries)?, p)));
    }
    steps
}

/// Every test but the end-to-end ones, with those in the documentation.
fn unit() -> Command {
    cargo([
        "test",
        "--workspace",
        "--exclude",
        "zonecast-tests",
        "--no-fail-fast",
    ])
}

/// The models of the ring, in a target folder of their own: the flag would rebuild everything.
fn loom(target: &Path) -> Command {
    let flags = std::env::var("RUSTFLAGS").unwrap_or_default();
    let mut command = cargo(["test", "-p", "zonecast-ring", "--lib", "--tests"]);
    command
        .arg("--no-fail-fast")
        .env("RUSTFLAGS", format!("{flags} --cfg loom").trim())
        .env("CARGO_TARGET_DIR", target);
    command
}

/// The end-to-end tests; they start the daemon that `ZONECAST_BIN` names.
fn end_to_end(binaries: &Binaries) -> Command {
    let mut command = cargo(["test", "-p", "zonecast-tests", "--no-fail-fast"]);
    command.env("ZONECAST_BIN", &binaries.daemon);
    command
}

/// Runs a test runner and counts.
fn runner(mut command: Command, plan: &Plan, progress: &mut Progress) -> Result<Outcome> {
    command.args(["--", "--show-output"]).args(&plan.filters);
    let mut reader = Reader::default();
    let captured = capture(command, progress, |line, progress| {
        if let Some(text) = reader.line(line) {
            progress.say(&text);
        }
    })?;
    let (tally, failures) = reader.finish();
    let mut outcome = Outcome::of_command(captured);
    outcome.summary = tally.line();
    if tally.is_empty() && !outcome.failed && plan.filters.is_empty() {
        outcome.failed = true;
        outcome.output.push(String::from("no test ran"));
    }
    outcome.shown = (tally.failed > 0).then_some(failures);
    outcome.tally = tally;
    Ok(outcome)
}

/// Builds what the end-to-end tests and the demo start, with the tests' own profile.
fn build(binaries: &OnceCell<Binaries>, progress: &mut Progress) -> Result<Outcome> {
    let captured = capture(demo::build_command("dev"), progress, |_, _| {})?;
    if captured.success {
        let found = demo::find(&captured.lines)?;
        binaries.get_or_init(|| found);
    }
    Ok(Outcome::of_command(captured))
}

fn built(binaries: &OnceCell<Binaries>) -> Result<&Binaries> {
    binaries
        .get()
        .ok_or_else(|| String::from("the binaries were not built"))
}

/// Runs the demo; it counts as one test.
fn show(binaries: &Binaries, progress: &mut Progress) -> Result<Outcome> {
    let mut command = demo::command(binaries);
    command.args(["--seconds", DEMO_SECONDS]);
    let mut reader = Reader::default();
    let captured = capture(command, progress, |line, _| {
        reader.line(line);
    })?;
    let mut outcome = Outcome::of_command(captured);
    let last = outcome.output.iter().rfind(|line| !line.is_empty());
    outcome.summary = last.cloned().unwrap_or_default();
    outcome.tally = reader.finish().0;
    outcome.tally.passed += usize::from(!outcome.failed);
    Ok(outcome)
}

/// Says what was skipped and what failed; the last line counts.
fn conclude(totals: Totals, strict: bool, root: &Path) -> Result<ExitCode> {
    let Totals {
        mut tally, failed, ..
    } = totals;
    println!();
    print_skips("skipped", &tally.skipped);
    if strict {
        let refused = skips::refuse(&mut tally, &skips::load(root)?);
        print_skips(&format!("strict: not in {}", skips::LIST), &refused);
    }
    if !failed.is_empty() {
        println!("failed: {}", failed.join(", "));
    }
    println!("{}", tally.line());
    let passed = failed.is_empty() && tally.failed == 0;
    Ok(ExitCode::from(u8::from(!passed)))
}

fn print_skips(what: &str, skipped: &[Skip]) {
    for skip in skipped {
        println!("{what}: {}: {}", skip.test, skip.reasons.join("; "));
    }
}
