//! `check`: the rules of the tree, cheapest first.

use crate::process::capture;
use crate::source::{self, Source};
use crate::steps::{Outcome, Progress, Step, run_all};
use crate::workspace::{Workspace, cargo};
use crate::{Result, layering, layout, lengths, phrases, unsafe_list};
use std::process::{Command, ExitCode};

/// Runs every rule; exits 0 if all hold.
pub(crate) fn run(arguments: &[String]) -> Result<ExitCode> {
    let fix = match arguments {
        [] => false,
        [flag] if flag == "--fix" => true,
        _ => {
            return Err(format!(
                "check takes only --fix, not {}",
                arguments.join(" ")
            ));
        }
    };
    let workspace = Workspace::load()?;
    let logs = workspace.target.join("xtask");
    if fix {
        run_all(fixes(), &logs);
    }
    let sources = source::read_all(&workspace.root)?;
    let totals = run_all(steps(&workspace, &sources), &logs);
    if totals.failed.is_empty() {
        println!("check: all {} hold", totals.steps);
        return Ok(ExitCode::SUCCESS);
    }
    let failed = totals.failed.join(", ");
    println!(
        "check: {} of {} failed: {failed}",
        totals.failed.len(),
        totals.steps
    );
    if totals.failed.contains(&"fmt") {
        println!("`cargo xtask check --fix` mends the format");
    }
    Ok(ExitCode::FAILURE)
}

/// The rules as steps; `sources` are the tree's Rust files.
pub(crate) fn steps<'a>(workspace: &'a Workspace, sources: &'a [Source]) -> Vec<Step<'a>> {
    let members = &workspace.members;
    vec![
        Step::new("fmt", |p| command(unformatted(), p)),
        Step::new("layering", move |_| {
            Ok(Outcome::of_rule(
                layering::broken(members),
                layering::rule(),
            ))
        }),
        Step::new("unsafe", move |_| {
            let broken = unsafe_list::broken(members, sources);
            Ok(Outcome::of_rule(broken, unsafe_list::rule()))
        }),
        Step::new("lengths", move |_| {
            let lengths = lengths::measure(sources);
            let notes = std::iter::once(lengths::rule()).chain(lengths.long);
            Ok(Outcome::of_rule(lengths.broken, notes.collect()))
        }),
        Step::new("phrases", move |_| {
            Ok(Outcome::of_rule(phrases::broken(sources), Vec::new()))
        }),
        Step::new("layout", move |_| {
            Ok(Outcome::of_rule(layout::broken(workspace), Vec::new()))
        }),
        Step::new("clippy", |p| command(clippy(&["--", "-D", "warnings"]), p)),
        Step::new("docs", |p| command(docs(), p)),
    ]
}

/// What mends by itself what can be mended.
fn fixes() -> Vec<Step<'static>> {
    let mend = ["--fix", "--allow-dirty", "--allow-staged", "--allow-no-vcs"];
    vec![
        Step::new("clippy-fix", move |p| command(clippy(&mend), p)),
        Step::new("fmt-fix", |p| command(cargo(["fmt", "--all"]), p)),
    ]
}

/// Names the files that rustfmt would change.
fn unformatted() -> Command {
    let names_only = ["--", "-l", "--color", "never"];
    let mut command = cargo(["fmt", "--all", "--check"]);
    command.args(names_only);
    command
}

fn clippy(flags: &[&str]) -> Command {
    let mut command = cargo(["clippy", "--workspace", "--all-targets"]);
    command.args(flags);
    command
}

fn docs() -> Command {
    let mut command = cargo(["doc", "--workspace", "--no-deps"]);
    command.env("RUSTDOCFLAGS", "-D warnings");
    command
}

fn command(command: Command, progress: &mut Progress) -> Result<Outcome> {
    capture(command, progress, |_, _| {}).map(Outcome::of_command)
}
