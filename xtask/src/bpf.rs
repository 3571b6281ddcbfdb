//! `bpf`: builds the eBPF programs, and shows what the kernel makes of them.

use crate::packages::Purpose;
use crate::workspace::cargo;
use crate::{Result, setup};
use std::os::unix::process::CommandExt;
use std::process::ExitCode;

/// Makes sure of what is needed, builds, and becomes what shows them.
pub(crate) fn run(arguments: &[String]) -> Result<ExitCode> {
    if !setup::ensure(Purpose::Demo)? {
        return Ok(ExitCode::FAILURE);
    }
    let mut command = cargo(["run", "-q", "-p", "zonecast-ebpf", "--example", "inspect"]);
    command.arg("--").args(arguments);
    let error = command.exec();
    Err(format!("{}: {error}", command.get_program().display()))
}
