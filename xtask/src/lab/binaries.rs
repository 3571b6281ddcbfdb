//! Our own programs for the guest.

use crate::Result;
use crate::demo::MESSAGES;
use crate::json::Json;
use crate::process::is_message;
use crate::workspace::cargo;
use std::path::PathBuf;
use std::process::Stdio;

/// The variable that names a daemon to take instead of one built for the run, as for the
/// end-to-end tests.
pub(super) const DAEMON: &str = "ZONECAST_BIN";

/// What the guest runs.
pub(super) struct Binaries {
    pub(super) daemon: PathBuf,
    /// Its first process, which runs the suites.
    pub(super) guest: PathBuf,
}

impl Binaries {
    /// Builds both with `profile`, with cargo's progress on stderr.
    pub(super) fn build(profile: &str) -> Result<Binaries> {
        let given = std::env::var_os(DAEMON).map(PathBuf::from);
        Self::made(profile, given, &[])
    }

    /// The same with a feature of the data plane that breaks a rule of it.
    pub(super) fn build_broken(profile: &str, feature: &str) -> Result<Binaries> {
        let feature = format!("zonecast-dataplane/{feature}");
        Self::made(profile, None, &["--features", &feature])
    }

    fn made(profile: &str, given: Option<PathBuf>, more: &[&str]) -> Result<Binaries> {
        let mut command = cargo(["build", "--bins", "-p", "zonecast-lab-guest", MESSAGES]);
        command.args(["--profile", profile]).args(more);
        if given.is_none() {
            command.args(["-p", "zonecast"]);
        }
        let output = command
            .stderr(Stdio::inherit())
            .output()
            .map_err(|e| format!("cargo build: {e}"))?;
        if !output.status.success() {
            return Err(format!("cargo build: {}", output.status));
        }
        let text = String::from_utf8_lossy(&output.stdout);
        let messages: Vec<_> = text.lines().collect();
        Ok(Binaries {
            daemon: given.map_or_else(|| find(&messages, "zonecast"), Ok)?,
            guest: find(&messages, "zonecast-lab-guest")?,
        })
    }
}

/// The executable of this name among cargo's messages.
fn find(messages: &[&str], name: &str) -> Result<PathBuf> {
    for line in messages.iter().filter(|line| is_message(line)) {
        let message = Json::parse(line)?;
        let path = message.get("executable").and_then(Json::as_str);
        if let Some(path) = path.map(PathBuf::from).filter(|p| p.ends_with(name)) {
            return Ok(path);
        }
    }
    Err(format!("cargo built no {name}"))
}
