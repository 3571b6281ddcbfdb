//! perf_event counters on tracepoints, one for each thread. They need no hardware counters, but
//! the tracepoints' numbers, which tracefs has: it is mounted for the moment of reading them
//! where it is not mounted already.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use perf_event::events::Tracepoint;
use perf_event::{Builder, Counter};
use rustix::mount::{MountFlags, UnmountFlags, mount, unmount};

use super::Counted;
use crate::peers::threads;

const TRACEFS: &str = "/sys/kernel/tracing";
const ALL: &str = "raw_syscalls/sys_enter";
const URING_ENTER: &str = "syscalls/sys_enter_io_uring_enter";

/// Counters of all threads.
pub struct Tracepoints {
    all: Vec<Counter>,
    uring_enter: Vec<Counter>,
}

impl Tracepoints {
    pub(super) fn attach(pid: u32, folder: &Path) -> Result<Tracepoints> {
        let tracefs = Tracefs::open(folder)?;
        let (all, uring_enter) = (tracefs.number(ALL)?, tracefs.number(URING_ENTER)?);
        drop(tracefs);
        Ok(Tracepoints {
            all: counters(pid, all)?,
            uring_enter: counters(pid, uring_enter)?,
        })
    }

    pub(super) fn finish(self) -> Result<Counted> {
        Ok(Counted {
            all: sum(self.all)?,
            uring_enter: sum(self.uring_enter)?,
        })
    }
}

/// Counters that run, one for each thread of a process.
fn counters(pid: u32, tracepoint: u64) -> Result<Vec<Counter>> {
    let mut counters = Vec::new();
    for thread in threads(pid)? {
        let mut builder = Builder::new(Tracepoint::with_id(tracepoint));
        builder
            .observe_pid(thread.as_raw_nonzero().get())
            .any_cpu()
            .include_kernel()
            .include_hv();
        let mut counter = builder.build().context("perf_event_open")?;
        counter.enable().context("a counter cannot be enabled")?;
        counters.push(counter);
    }
    Ok(counters)
}

fn sum(counters: Vec<Counter>) -> Result<u64> {
    let mut sum = 0;
    for mut counter in counters {
        sum += counter.read().context("a counter cannot be read")?;
    }
    Ok(sum)
}

/// The tracing file system, mounted at its usual place or by us.
struct Tracefs {
    folder: PathBuf,
    ours: bool,
}

impl Tracefs {
    fn open(work: &Path) -> Result<Tracefs> {
        let usual = Path::new(TRACEFS);
        if usual.join("events").is_dir() {
            return Ok(Tracefs {
                folder: usual.to_owned(),
                ours: false,
            });
        }
        let folder = work.join("tracefs");
        std::fs::create_dir_all(&folder)?;
        let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
        mount("tracefs", &folder, "tracefs", flags, None).context("tracefs cannot be mounted")?;
        Ok(Tracefs { folder, ours: true })
    }

    fn number(&self, tracepoint: &str) -> Result<u64> {
        let path = self.folder.join("events").join(tracepoint).join("id");
        let text = std::fs::read_to_string(&path).with_context(|| tracepoint.to_owned())?;
        text.trim().parse().context("a tracepoint without a number")
    }
}

impl Drop for Tracefs {
    fn drop(&mut self) {
        if self.ours {
            // It is in the work folder; nothing but this process looks there.
            let _ = unmount(&self.folder, UnmountFlags::DETACH);
        }
    }
}
