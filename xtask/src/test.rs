//! `test`: everything that can fail, in order, and one line that counts it.
//!
//! A failing step does not stop the next. A step that fails without naming a failed test (it did
//! not build, it crashed) counts as one failed test, so that the count never says more than the
//! exit code.

use crate::demo::{self, Binaries, MESSAGES};
use crate::failures::Failure;
use crate::packages::Purpose;
use crate::plan::Plan;
use crate::process::{capture, is_message};
use crate::steps::{Outcome, Progress, Step, Totals, run_all};
use crate::tally::{Reader, Skip};
use crate::workspace::{Member, Workspace, cargo};
use crate::{Result, again, check, fuzz, lab, probe, skips, source};
use std::cell::OnceCell;
use std::path::Path;
use std::process::{Command, ExitCode};

/// The crate of the end-to-end tests.
const END_TO_END: &str = "zonecast-tests";

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

/// The steps that run tests. All but the models share one build of the whole workspace: cargo
/// would give parts of it other features, and build their dependencies again.
fn test_steps<'a>(
    plan: &'a Plan,
    workspace: &'a Workspace,
    binaries: &'a OnceCell<Binaries>,
) -> Vec<Step<'a>> {
    let members = &workspace.members;
    let mut steps = Vec::new();
    if ["unit", "e2e", "lab", "demo"]
        .into_iter()
        .any(|part| plan.has(part))
    {
        steps.push(Step::new("build", |p| build(binaries, p)));
    }
    if plan.has("unit") {
        steps.push(Step::new("unit", move |p| {
            built(binaries)?;
            some(unit(members), plan, p)
        }));
        steps.push(Step::new("examples", move |p| {
            built(binaries)?;
            runner(examples(), plan, p)
        }));
    }
    if plan.has("loom") {
        let target = workspace.target.join("loom");
        steps.push(Step::new("loom", move |p| some(loom(&target), plan, p)));
    }
    if plan.has("fuzz") {
        steps.push(Step::new("fuzz", |p| fuzz::all(workspace, p)));
    }
    if plan.has("e2e") {
        steps.push(Step::new("e2e", move |p| {
            let binaries = built(binaries)?;
            let outcome = some(end_to_end(members, binaries)?, plan, p)?;
            again::run(outcome, |binary| end_to_end_alone(binaries, binary), p)
        }));
    }
    if plan.has("lab") {
        steps.push(Step::new("lab", |p| lab::step(&built(binaries)?.daemon, p)));
    }
    if plan.has("demo") {
        steps.push(Step::new("demo", |p| show(built(binaries)?, p)));
    }
    steps
}

/// Every test but the end-to-end ones and the examples.
fn unit(members: &[Member]) -> Command {
    let mut command = cargo(["test", "--workspace", "--no-fail-fast", "--lib", "--bins"]);
    let others = members.iter().filter(|m| m.name != END_TO_END);
    for name in others.flat_map(|m| &m.tests) {
        command.args(["--test", name]);
    }
    command
}

/// The examples in the documentation.
fn examples() -> Command {
    cargo(["test", "--workspace", "--no-fail-fast", "--doc"])
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

/// The end-to-end tests, by their names; they start the daemon that `ZONECAST_BIN` names.
fn end_to_end(members: &[Member], binaries: &Binaries) -> Result<Command> {
    let mut command = end_to_end_runner(binaries);
    let (own, others): (Vec<_>, Vec<_>) = members.iter().partition(|m| m.name == END_TO_END);
    let names: Vec<_> = own.iter().flat_map(|m| &m.tests).collect();
    if names.is_empty() {
        return Err(format!("{END_TO_END} has no tests"));
    }
    for name in names {
        if let Some(other) = others.iter().find(|m| m.tests.contains(name)) {
            return Err(format!("{} has a test {name} too; rename one", other.name));
        }
        command.args(["--test", name]);
    }
    Ok(command)
}

/// One binary of them.
fn end_to_end_alone(binaries: &Binaries, name: &str) -> Command {
    let mut command = end_to_end_runner(binaries);
    command.args(["--test", name]);
    command
}

fn end_to_end_runner(binaries: &Binaries) -> Command {
    let mut command = cargo(["test", "--workspace", "--no-fail-fast"]);
    command.env("ZONECAST_BIN", &binaries.daemon);
    command
}

/// Runs a test runner and counts.
fn runner(mut command: Command, plan: &Plan, progress: &mut Progress) -> Result<Outcome> {
    command.args(["--", "--show-output"]).args(&plan.filters);
    // An error's message is enough; fifty frames after it would hide it. A panic keeps its own
    // backtrace where RUST_BACKTRACE asks for one, in the step's log.
    command.env("RUST_LIB_BACKTRACE", "0");
    let mut reader = Reader::default();
    let captured = capture(command, progress, |line, progress| {
        if let Some(text) = reader.line(line) {
            progress.say(&text);
        }
    })?;
    let (tally, failures) = reader.finish();
    let mut outcome = Outcome::of_command(captured);
    outcome.summary = tally.line();
    outcome.shown = (tally.failed > 0).then_some(failures);
    outcome.tally = tally;
    Ok(outcome)
}

/// The same, where no test at all is a failure: they are there, so something hid them.
fn some(command: Command, plan: &Plan, progress: &mut Progress) -> Result<Outcome> {
    let mut outcome = runner(command, plan, progress)?;
    if outcome.tally.is_empty() && plan.filters.is_empty() {
        outcome.failed = true;
        outcome.output.push(String::from("no test ran"));
    }
    Ok(outcome)
}

/// Builds everything with the tests' profile, and finds what end-to-end tests and demo start.
fn build(binaries: &OnceCell<Binaries>, progress: &mut Progress) -> Result<Outcome> {
    let mut command = cargo(["build", "--workspace", "--all-targets"]);
    command.arg(MESSAGES);
    let mut captured = capture(command, progress, |_, _| {})?;
    if captured.success {
        let found = demo::find(&captured.lines)?;
        binaries.get_or_init(|| found);
    }
    captured.lines.retain(|line| !is_message(line));
    Ok(Outcome::of_command(captured))
}

fn built(binaries: &OnceCell<Binaries>) -> Result<&Binaries> {
    binaries
        .get()
        .ok_or_else(|| String::from("the build failed"))
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
    for line in tally.flaky.iter().flat_map(Failure::lines) {
        println!("flaky: {line}");
    }
    if strict {
        tally.failed += std::mem::take(&mut tally.flaky).len();
    }
    if !failed.is_empty() {
        println!("failed: {}", failed.join(", "));
    }
    for line in tally.failures.iter().flat_map(Failure::lines) {
        println!("{line}");
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
