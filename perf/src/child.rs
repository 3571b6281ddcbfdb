//! Child processes that cannot outlive us: killed when dropped, killed by the kernel when
//! the thread that started them dies, and out of reach of the terminal's Ctrl-C, so that
//! they are stopped in order. Start them from a thread that lives as long as they should:
//! the main one, or the test's.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal};
use tokio::process::Command;
use tokio::time::timeout;

const TAIL_BYTES: usize = 2048;

/// A running child and its log.
#[derive(Debug)]
pub struct Child {
    name: String,
    log: PathBuf,
    process: tokio::process::Child,
}

impl Child {
    /// Starts `command` with its output in the file `log`.
    ///
    /// # Errors
    /// The log cannot be made, or the program not started.
    pub fn start(name: &str, command: std::process::Command, log: &Path) -> io::Result<Child> {
        let output = File::create(log)?;
        let mut command = Command::from(command);
        command
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            .process_group(0)
            .kill_on_drop(true);
        die_with_parent(&mut command);
        let process = command
            .spawn()
            .map_err(|error| io::Error::new(error.kind(), format!("{name}: {error}")))?;
        Ok(Child {
            name: name.to_owned(),
            log: log.to_owned(),
            process,
        })
    }

    /// What it was started as.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its process id, until its end was seen.
    #[must_use]
    pub fn id(&self) -> Option<u32> {
        self.process.id()
    }

    /// Its status, if it has ended.
    ///
    /// # Errors
    /// The system cannot say.
    pub fn ended(&mut self) -> io::Result<Option<ExitStatus>> {
        self.process.try_wait()
    }

    /// Sends a signal; nothing happens if the child has ended.
    ///
    /// # Errors
    /// The system refuses.
    pub fn signal(&self, signal: Signal) -> io::Result<()> {
        let pid = self
            .id()
            .and_then(|id| i32::try_from(id).ok())
            .and_then(Pid::from_raw);
        // The id is that of a child which has not been waited for, so it is still its own.
        pid.map_or(Ok(()), |pid| {
            Ok(rustix::process::kill_process(pid, signal)?)
        })
    }

    /// Waits for its end, killing it when that takes longer than `patience`: its own
    /// status, or `None` if it had to be killed.
    ///
    /// # Errors
    /// The system cannot say.
    pub async fn wait(&mut self, patience: Duration) -> io::Result<Option<ExitStatus>> {
        if let Ok(status) = timeout(patience, self.process.wait()).await {
            return status.map(Some);
        }
        self.process.kill().await?;
        Ok(None)
    }

    /// Signals, then waits as [`Child::wait`].
    ///
    /// # Errors
    /// The system refuses, or cannot say.
    pub async fn stop(
        &mut self,
        signal: Signal,
        patience: Duration,
    ) -> io::Result<Option<ExitStatus>> {
        self.signal(signal)?;
        self.wait(patience).await
    }

    /// The end of its log, for error messages.
    #[must_use]
    pub fn log_tail(&self) -> String {
        let bytes = std::fs::read(&self.log).unwrap_or_default();
        let from = bytes.len().saturating_sub(TAIL_BYTES);
        String::from_utf8_lossy(&bytes[from..]).into_owned()
    }
}

/// Asks the kernel to kill the child when the thread that starts it dies.
#[allow(unsafe_code)]
fn die_with_parent(command: &mut Command) {
    let ask = || {
        // SAFETY: prctl(PR_SET_PDEATHSIG) takes an integer, touches no memory, and is
        // async-signal-safe, which is what runs between fork and exec must be.
        let result = unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) };
        if result == 0 {
            Ok(())
        } else {
            Err(io::Error::last_os_error())
        }
    };
    // SAFETY: the closure allocates nothing, takes no lock and makes one safe system call.
    unsafe {
        command.pre_exec(ask);
    }
}
