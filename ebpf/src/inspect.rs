//! What the kernel makes of the programs: sizes, and how much work it was to verify them.

use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

use libbpf_rs::libbpf_sys;

use crate::load::{Shape, attempt};
use crate::{Error, links};

/// One loaded program.
#[derive(Clone, Debug)]
pub struct ProgramFacts {
    /// Its name.
    pub name: &'static str,
    /// Its number in the kernel, while it is loaded.
    pub id: u32,
    /// Instructions, as the kernel has rewritten them.
    pub instructions: u32,
    /// Bytes of machine code.
    pub machine_bytes: u32,
    /// Instructions that the verifier went through, over all paths.
    pub verified: u32,
}

/// Loads the programs, shows them to `then`, and drops them; nothing is attached or pinned.
///
/// # Errors
/// [`Error::Load`].
pub fn inspect<R>(then: impl FnOnce(&[ProgramFacts]) -> R) -> Result<R, Error> {
    let mut place = MaybeUninit::uninit();
    let skeleton = attempt(None, &Shape::smallest(), true, &mut place, &mut Vec::new())?;
    let progs = &skeleton.progs;
    let facts = [
        facts("steer_lookup", progs.steer_lookup.as_fd())?,
        facts("steer_reuseport", progs.steer_reuseport.as_fd())?,
        facts("count_life", progs.count_life.as_fd())?,
        facts("list_live", progs.list_live.as_fd())?,
    ];
    Ok(then(&facts))
}

fn facts(name: &'static str, program: BorrowedFd<'_>) -> Result<ProgramFacts, Error> {
    let mut info = libbpf_sys::bpf_prog_info::default();
    let mut length = size_of_val(&info) as u32;
    let pointer = (&raw mut info).cast();
    let fd = program.as_raw_fd();
    // SAFETY: an open descriptor, and memory of the length that is given, for the call.
    let result = unsafe { libbpf_sys::bpf_obj_get_info_by_fd(fd, pointer, &raw mut length) };
    links::done(result).map_err(|error| Error::Attach {
        program: name,
        error,
    })?;
    Ok(ProgramFacts {
        name,
        id: info.id,
        // Eight bytes each.
        instructions: info.xlated_prog_len / 8,
        machine_bytes: info.jited_prog_len,
        verified: info.verified_insns,
    })
}
