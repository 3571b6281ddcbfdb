//! `strace -f -c`: the last resort.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process};

use super::Counted;

/// strace needs a moment to attach to every thread.
const ATTACH: Duration = Duration::from_millis(500);
const END_MAX: Duration = Duration::from_secs(5);

/// A running strace; killed when dropped, which detaches it.
pub struct Strace {
    process: Child,
    summary: PathBuf,
}

impl Strace {
    pub(super) fn attach(pid: u32, folder: &Path) -> Result<Strace> {
        let summary = folder.join("strace.txt");
        let process = Command::new("strace")
            .args(["-f", "-c", "-U", "calls,name", "-p", &pid.to_string(), "-o"])
            .arg(&summary)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .context("strace")?;
        let mut strace = Strace { process, summary };
        std::thread::sleep(ATTACH);
        if let Some(status) = strace.process.try_wait()? {
            bail!("strace ended at once ({status})");
        }
        Ok(strace)
    }

    pub(super) fn finish(mut self) -> Result<Counted> {
        let pid = i32::try_from(self.process.id())
            .ok()
            .and_then(Pid::from_raw);
        kill_process(pid.context("strace has no id")?, Signal::INT)?;
        let deadline = Instant::now() + END_MAX;
        while self.process.try_wait()?.is_none() {
            if Instant::now() > deadline {
                bail!("strace does not end");
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        let summary = std::fs::read_to_string(&self.summary).context("strace wrote nothing")?;
        Ok(parse(&summary))
    }
}

impl Drop for Strace {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Adds up lines of `calls name`; the last one is the total.
fn parse(summary: &str) -> Counted {
    let mut counted = Counted::default();
    for line in summary.lines() {
        let mut words = line.split_whitespace();
        let (Some(Ok(calls)), Some(name)) = (words.next().map(str::parse::<u64>), words.next())
        else {
            continue;
        };
        if name == "total" {
            continue;
        }
        counted.all += calls;
        if name == "io_uring_enter" {
            counted.uring_enter += calls;
        }
    }
    counted
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Calls are added up, and the total is not added to them.
    #[test]
    fn reads_a_summary() {
        let summary = "    calls syscall\n--------- ------\n       57 io_uring_enter\n        \
                       3 futex\n--------- ------\n       60 total\n";
        let due = Counted {
            all: 60,
            uring_enter: 57,
        };
        assert_eq!(parse(summary), due);
    }
}
