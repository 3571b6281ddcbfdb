//! `cargo xtask`: sets a machine up, shows the system at work, tests it and checks its rules.
//!
//! Stands outside the layers: it depends on no crate at all, so it builds before any system
//! library is installed, and it reaches the rest of the tree only by starting cargo and the
//! binaries that cargo builds. One file or folder a subcommand (`setup`, `demo`, `test`, `fuzz`,
//! `bench`, `profile`, `lab`, `doctor`, `bpf`, `check`); each rule that `check` holds is a file of its own with its table at the
//! top.

#![forbid(unsafe_code)]

mod again;
mod bench;
mod bpf;
mod check;
mod demo;
mod doctor;
mod failures;
mod fuzz;
mod help;
mod json;
mod lab;
mod layering;
mod layout;
mod lengths;
mod packages;
mod phrases;
mod plan;
mod probe;
mod process;
mod profile;
mod setup;
mod skips;
mod source;
mod steps;
mod tally;
mod test;
mod unsafe_list;
mod workspace;

use std::process::ExitCode;

/// What a subcommand returns: an error is one message for a person, printed on stderr.
type Result<T> = std::result::Result<T, String>;

fn main() -> ExitCode {
    if fuzz::is_in_rustcs_place() {
        return finish(fuzz::instrument());
    }
    let mut arguments = std::env::args().skip(1);
    let command = arguments.next().unwrap_or_else(|| String::from("help"));
    let rest: Vec<String> = arguments.collect();
    let wants_help = rest.iter().any(|a| a == "--help" || a == "-h");

    let ended = match command.as_str() {
        "setup" | "demo" | "test" | "fuzz" | "bench" | "profile" | "lab" | "check" | "doctor"
        | "bpf"
            if wants_help =>
        {
            help::of(&command)
        }
        "setup" => setup::run(&rest),
        "demo" => demo::run(&rest),
        "test" => test::run(&rest),
        "fuzz" => fuzz::run(&rest),
        "bench" => bench::run(&rest),
        "profile" => profile::run(&rest),
        "check" => check::run(&rest),
        "lab" => lab::run(&rest),
        "doctor" => doctor::run(&rest),
        "bpf" => bpf::run(&rest),
        "help" | "--help" | "-h" => help::all(),
        other => Err(format!(
            "there is no `{other}`; `cargo xtask help` lists what there is"
        )),
    };
    finish(ended)
}

fn finish(ended: Result<ExitCode>) -> ExitCode {
    ended.unwrap_or_else(|message| {
        eprintln!("xtask: {message}");
        ExitCode::FAILURE
    })
}
