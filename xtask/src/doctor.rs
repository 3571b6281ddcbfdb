//! `doctor`: builds the daemon in release mode, and becomes its `doctor`.

use crate::Result;
use crate::demo;
use crate::packages::Purpose;
use crate::setup;
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};

/// Makes sure of what is needed, builds, and runs `zonecast doctor` in place of this process.
pub(crate) fn run(arguments: &[String]) -> Result<ExitCode> {
    if !setup::ensure(Purpose::Demo)? {
        return Ok(ExitCode::FAILURE);
    }
    let daemon = demo::executable(&demo::build(&["zonecast"], "release")?, "zonecast")?;
    let error = Command::new(&daemon).arg("doctor").args(arguments).exec();
    Err(format!("{}: {error}", daemon.display()))
}
