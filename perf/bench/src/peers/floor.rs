//! The floor program (`src/floor/`).

use std::net::SocketAddr;
use std::process::Command;

use anyhow::Result;
use zonecast_perf::child::Child;

use super::{Process, free_address};
use crate::bed::Bed;

pub(super) fn start(bed: &Bed, records: usize) -> Result<(Process, SocketAddr)> {
    let address = free_address()?;
    let mut command = Command::new(&bed.programs.floor);
    command
        .arg("--listen")
        .arg(address.to_string())
        .arg("--objects")
        .arg(bed.files())
        .arg("--records")
        .arg(records.to_string());
    if !bed.plain {
        command
            .arg("--chain")
            .arg(&bed.certificate.chain_file)
            .arg("--key")
            .arg(&bed.certificate.key_file);
    }
    let child = Child::start("floor", command, &bed.folder().join("floor.log"))?;
    Ok((Process::Child(child), address))
}
