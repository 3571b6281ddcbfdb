//! `bench`: builds the daemon and the benchmarks in release mode, and becomes the benchmark.

use crate::Result;
use crate::demo;
use crate::packages::{Need, Purpose};
use crate::probe;
use crate::setup;
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};

/// What is built.
const PACKAGES: [&str; 2] = ["zonecast", "zonecast-bench"];

/// Makes sure of what is needed, builds, and runs the benchmark in place of this process.
pub(crate) fn run(arguments: &[String]) -> Result<ExitCode> {
    if !arguments.iter().any(|flag| flag == "--list") {
        let chosen = arguments.iter().any(|flag| flag.starts_with("--servers"));
        if let Some(message) = refusal(&probe::missing(Purpose::Bench), chosen) {
            return Err(message);
        }
        if !setup::ensure(Purpose::Demo)? {
            return Ok(ExitCode::FAILURE);
        }
    }
    let messages = demo::build(&PACKAGES, "release")?;
    let bench = demo::executable(&messages, "zonecast-bench")?;
    let mut command = Command::new(&bench);
    command
        .arg("--zonecast")
        .arg(demo::executable(&messages, "zonecast")?)
        .arg("--floor")
        .arg(demo::executable(&messages, "zonecast-floor")?)
        .args(arguments);
    Err(format!("{}: {}", bench.display(), command.exec()))
}

/// What to say when a server to compare with is missing, and nobody chose the servers.
fn refusal(missing: &[Need], chosen: bool) -> Option<String> {
    let need = missing.iter().find(|need| need.purpose == Purpose::Bench)?;
    (!chosen).then(|| {
        format!(
            "{} is missing ({}): `cargo xtask setup bench` installs it; `--servers ours,floor` \
             does without",
            need.name(),
            need.why
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packages::NEEDS;

    /// Without nginx there is a message that says what to do, unless the servers were chosen;
    /// what only building needs is not named here.
    #[test]
    fn says_what_is_missing() {
        let message = refusal(&NEEDS, false).unwrap_or_default();
        assert!(message.contains("nginx-light"), "{message}");
        assert!(message.contains("setup bench"), "{message}");
        assert_eq!(refusal(&NEEDS, true), None);
        let others: Vec<_> = NEEDS
            .into_iter()
            .filter(|need| need.purpose != Purpose::Bench)
            .collect();
        assert_eq!(refusal(&others, false), None);
    }
}
