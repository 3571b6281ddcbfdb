//! The players themselves: npm packages in `tests/players/node_modules`, installed when they
//! are not there as the lock file wants them.

use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tokio::process::Command;
use tokio::time::timeout;
use zonecast_tests::have;
use zonecast_tests::tool::text;

const INSTALL_MAX: Duration = Duration::from_secs(180);

/// What npm says when there is no way to the registry.
const OFFLINE: [&str; 8] = [
    "ENOTFOUND",
    "EAI_AGAIN",
    "ECONNREFUSED",
    "ECONNRESET",
    "ETIMEDOUT",
    "ENETUNREACH",
    "EHOSTUNREACH",
    "ERR_SOCKET_TIMEOUT",
];

/// Where pages, program and packages are.
pub(crate) fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("players")
}

/// Whether the packages are there, if need be after `npm ci`; says why not.
pub(crate) async fn packages() -> Result<bool> {
    let folder = folder();
    let wanted = std::fs::read_to_string(folder.join("package-lock.json"))?;
    // Written after an installation that succeeded.
    let stamp = folder.join("node_modules/.installed-from.json");
    if std::fs::read_to_string(&stamp).is_ok_and(|installed| installed == wanted) {
        return Ok(true);
    }
    if !have(&["npm"]) {
        return Ok(false);
    }
    println!("npm ci in {}", folder.display());
    let mut npm = Command::new("npm");
    npm.args(["ci", "--no-progress", "--fetch-retries=1"])
        .current_dir(&folder)
        .stdin(Stdio::null())
        .kill_on_drop(true);
    let Ok(ended) = timeout(INSTALL_MAX, npm.output()).await else {
        println!("SKIP: npm ci took more than {INSTALL_MAX:?}");
        return Ok(false);
    };
    let output = ended.context("cannot start npm")?;
    if output.status.success() {
        std::fs::write(stamp, wanted)?;
        return Ok(true);
    }
    let Some(reason) = offline(&output) else {
        bail!("npm ci: {}\n{}", output.status, text(&output));
    };
    println!("SKIP: npm ci found no way to the registry ({reason})");
    Ok(false)
}

fn offline(output: &Output) -> Option<&'static str> {
    let said = text(output);
    let mut words = said.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
    words.find_map(|word| OFFLINE.into_iter().find(|code| *code == word))
}
