//! System calls of a process, counted by the kernel: by its tracepoints where it lets us, else
//! by strace, which slows the process down but does not miss a call.

use std::path::Path;

use anyhow::{Context, Result};

mod strace;
mod tracepoints;

use strace::Strace;
use tracepoints::Tracepoints;

/// What was counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counted {
    /// All system calls.
    pub all: u64,
    /// `io_uring_enter` alone.
    pub uring_enter: u64,
}

/// A count under way.
pub enum Counter {
    /// By the kernel's tracepoints.
    Tracepoints(Tracepoints),
    /// By strace.
    Strace(Strace),
}

impl Counter {
    /// Begins to count in all threads of a process.
    ///
    /// # Errors
    /// Neither way is open here.
    pub fn attach(pid: u32, folder: &Path) -> Result<Counter> {
        let refused = match Tracepoints::attach(pid, folder) {
            Ok(tracepoints) => return Ok(Counter::Tracepoints(tracepoints)),
            Err(error) => format!("no tracepoints ({error:#}), and no strace either"),
        };
        Ok(Counter::Strace(
            Strace::attach(pid, folder).context(refused)?,
        ))
    }

    /// How it counts.
    #[must_use]
    pub fn how(&self) -> &'static str {
        match self {
            Counter::Tracepoints(_) => "the tracepoint raw_syscalls:sys_enter",
            Counter::Strace(_) => "strace, which slows the server down",
        }
    }

    /// What it counted.
    ///
    /// # Errors
    /// The counts cannot be read.
    pub fn finish(self) -> Result<Counted> {
        match self {
            Counter::Tracepoints(tracepoints) => tracepoints.finish(),
            Counter::Strace(strace) => strace.finish(),
        }
    }
}
