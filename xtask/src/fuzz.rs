//! `fuzz`: the targets of `tests/fuzz` under libFuzzer, on the stable toolchain and without any
//! tool that is not in the tree.
//!
//! What a fuzzer needs to see of a program is put in by LLVM's pass `sancov-module`. Cargo calls
//! this very program in rustc's place for the workspace's own crates
//! (`RUSTC_WORKSPACE_WRAPPER`), and [`instrument`] adds the pass; all other crates are those of
//! an ordinary build, and are not built again.

use crate::demo::MESSAGES;
use crate::json::Json;
use crate::packages::Purpose;
use crate::process::{capture, is_message};
use crate::steps::{Outcome, Progress, Step, run_all};
use crate::workspace::{Workspace, cargo};
use crate::{Result, probe};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

/// Set for cargo: this program stands in rustc's place.
const IN_RUSTCS_PLACE: &str = "ZONECAST_XTASK_INSTRUMENT";

/// Where the targets' corpora are, one folder each.
const CORPORA: &str = "tests/fuzz/corpus";

/// How many seconds each target runs where nothing is said, and in the tests.
const SECONDS: u32 = 60;
const SECONDS_IN_TESTS: u32 = 10;

/// The pass, and what it counts: edges of the control flow, and both sides of comparisons.
const PASS: [&str; 5] = [
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
];

/// Limits of one input: bytes (the targets have their own, smaller ones), seconds, MiB.
const LIMITS: [&str; 3] = ["-max_len=9000", "-timeout=20", "-rss_limit_mb=2048"];

/// Adds to the first folder the fewest inputs of the second one that reach all its new code; how
/// often they do does not count.
const MINIMAL: [&str; 2] = ["-set_cover_merge=1", "-use_counters=0"];

/// What the command line asks for.
#[derive(Debug, PartialEq)]
struct Asked {
    targets: Vec<String>,
    /// Files to run once each, instead of fuzzing.
    inputs: Vec<String>,
    seconds: u32,
    /// What was found to be new is kept in the tree.
    keep: bool,
}

/// Whether cargo started this process in rustc's place.
pub(crate) fn is_in_rustcs_place() -> bool {
    std::env::var_os(IN_RUSTCS_PLACE).is_some()
}

/// Becomes rustc, with the pass; what runs while building has no fuzzer to be linked with.
pub(crate) fn instrument() -> Result<ExitCode> {
    let mut arguments = std::env::args_os().skip(1);
    let rustc = arguments.next().ok_or("cargo names rustc")?;
    let arguments: Vec<_> = arguments.collect();
    let mut command = Command::new(&rustc);
    command.args(&arguments);
    if !arguments.iter().any(|a| a == "build_script_build") {
        command.args(PASS);
    }
    Err(format!("{}: {}", rustc.display(), command.exec()))
}

/// Fuzzes what the arguments name; exits 0 if nothing was found.
pub(crate) fn run(arguments: &[String]) -> Result<ExitCode> {
    if !probe::missing(Purpose::Test)
        .iter()
        .all(|need| need.name() != "g++")
    {
        return Err(String::from("missing: g++; run `cargo xtask setup` first"));
    }
    let workspace = Workspace::load()?;
    let asked = Asked::read(arguments, targets(&workspace.root)?)?;
    let step = Step::new("fuzz", |progress| fuzz(&asked, &workspace, progress));
    let totals = run_all(vec![step], &workspace.target.join("xtask"));
    Ok(ExitCode::from(u8::from(!totals.failed.is_empty())))
}

/// All targets, for a short while; each counts as one test.
pub(crate) fn all(workspace: &Workspace, progress: &mut Progress) -> Result<Outcome> {
    let asked = Asked {
        targets: targets(&workspace.root)?,
        inputs: Vec::new(),
        seconds: SECONDS_IN_TESTS,
        keep: false,
    };
    fuzz(&asked, workspace, progress)
}

/// The targets, by the folders of their corpora.
fn targets(root: &Path) -> Result<Vec<String>> {
    let folder = root.join(CORPORA);
    let entries = std::fs::read_dir(&folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    let names = entries.flatten().map(|entry| entry.file_name());
    let mut names: Vec<_> = names.map(|n| n.to_string_lossy().into_owned()).collect();
    names.sort();
    Ok(names)
}

impl Asked {
    /// Sorts the arguments into targets, files and flags.
    fn read(arguments: &[String], known: Vec<String>) -> Result<Asked> {
        let mut asked = Asked {
            targets: Vec::new(),
            inputs: Vec::new(),
            seconds: SECONDS,
            keep: false,
        };
        let mut arguments = arguments.iter();
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                "--seconds" => {
                    let number = arguments.next().and_then(|n| n.parse().ok());
                    asked.seconds = number.ok_or("--seconds needs a number")?;
                }
                "--keep" => asked.keep = true,
                flag if flag.starts_with('-') => return Err(format!("fuzz has no flag {flag}")),
                name if known.iter().any(|k| k == name) => asked.targets.push(name.to_owned()),
                file if asked.targets.len() == 1 => asked.inputs.push(file.to_owned()),
                other => {
                    let known = known.join(", ");
                    return Err(format!("there is no target {other}; there are {known}"));
                }
            }
        }
        if asked.targets.is_empty() {
            asked.targets = known;
        }
        Ok(asked)
    }

    /// What is run for one target, in this order.
    fn commands(&self, binary: &Path, workspace: &Workspace, name: &str) -> Result<Vec<Command>> {
        let folder = workspace.target.join("fuzz");
        let (found, kept) = (
            folder.join("corpus").join(name),
            workspace.root.join(CORPORA).join(name),
        );
        std::fs::create_dir_all(&found).map_err(|e| format!("{}: {e}", found.display()))?;
        let command = |flags: &[String], folders: &[&Path]| {
            let mut command = Command::new(binary);
            let artifacts = format!("-artifact_prefix={}/{name}-", folder.display());
            command.env("ZONECAST_FUZZ", name).args(LIMITS);
            command.arg(artifacts).args(flags).args(folders);
            command
        };
        if !self.inputs.is_empty() {
            return Ok(vec![command(&self.inputs, &[])]);
        }
        // What is new goes to the first folder.
        let time = format!("-max_total_time={}", self.seconds);
        let mut commands = vec![command(&[time], &[&found, &kept])];
        if self.keep {
            commands.push(command(&MINIMAL.map(String::from), &[&kept, &found]));
        }
        Ok(commands)
    }
}

/// Builds, and runs the targets one after the other.
fn fuzz(asked: &Asked, workspace: &Workspace, progress: &mut Progress) -> Result<Outcome> {
    let (mut outcome, binary) = build(progress)?;
    let Some(binary) = binary else {
        return Ok(outcome);
    };
    for name in &asked.targets {
        let mut failed = false;
        for command in asked.commands(&binary, workspace, name)? {
            let mut done = String::new();
            let captured = capture(command, progress, |line, _| {
                if line.starts_with("Done ") || line.starts_with("MERGE-OUTER: ") {
                    line.clone_into(&mut done);
                }
            })?;
            let verdict = if captured.success { &done } else { "FAILED" };
            progress.say(&format!("{name}: {verdict}"));
            if !captured.success {
                failed = true;
                outcome.output.push(format!("target {name}:"));
                outcome.output.extend(captured.lines);
                let again = format!("once more: cargo xtask fuzz {name} FILE");
                outcome.output.push(again);
                break;
            }
        }
        outcome.failed |= failed;
        outcome.tally.failed += usize::from(failed);
        outcome.tally.passed += usize::from(!failed);
    }
    outcome.summary = outcome.tally.line();
    Ok(outcome)
}

/// Builds the targets with the tests' profile; the workspace as a whole, so that its
/// dependencies have the features that they have in the tests.
fn build(progress: &mut Progress) -> Result<(Outcome, Option<PathBuf>)> {
    let own = std::env::current_exe().map_err(|e| format!("this program's own file: {e}"))?;
    let mut command = cargo(["build", "--workspace", "--bin", "zonecast-fuzz", MESSAGES]);
    command
        .args(["--features", "zonecast-fuzz/libfuzzer"])
        .env("RUSTC_WORKSPACE_WRAPPER", own)
        .env(IN_RUSTCS_PLACE, "1");
    let mut captured = capture(command, progress, |_, _| {})?;
    let mut binary = None;
    for line in captured.lines.iter().filter(|line| is_message(line)) {
        let message = Json::parse(line)?;
        let path = message.get("executable").and_then(Json::as_str);
        binary = path.map(PathBuf::from).or(binary);
    }
    captured.lines.retain(|line| !is_message(line));
    if !captured.success {
        return Ok((Outcome::of_command(captured), None));
    }
    Ok((Outcome::default(), binary))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(words: &[&str]) -> Result<Asked> {
        let strings = |words: &[&str]| words.iter().map(|&w| w.to_owned()).collect::<Vec<_>>();
        Asked::read(&strings(words), strings(&["chunked", "names"]))
    }

    /// Nothing is all; files belong to one target; flags are told from both.
    #[test]
    fn reads_what_is_asked_for() {
        let all = read(&[]).unwrap();
        assert_eq!(
            (all.targets.len(), all.seconds, all.keep),
            (2, SECONDS, false)
        );
        let one = read(&["--seconds", "5", "names", "--keep", "a/b"]).unwrap();
        assert_eq!(one.targets, ["names"]);
        assert_eq!(one.inputs, ["a/b"]);
        assert_eq!((one.seconds, one.keep), (5, true));
        for wrong in [
            &["other"][..],
            &["chunked", "names", "file"],
            &["--seconds"],
            &["-x"],
        ] {
            assert!(read(wrong).is_err(), "{wrong:?}");
        }
    }
}
