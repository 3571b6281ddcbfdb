//! Running programs with a time limit and their output captured in files, so that no pipe fills.

use anyhow::{Context, Result, bail, ensure};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// No program that a suite waits for takes longer, even on a busy host.
pub(crate) const LIMIT: Duration = Duration::from_secs(90);

/// How often a program or a condition is looked at.
const LOOK: Duration = Duration::from_millis(20);

/// Runs a program to its end: its stdout, or an error with its stderr.
pub(crate) fn run(program: &str, arguments: &[&str]) -> Result<String> {
    let output = bytes(Command::new(program).args(arguments))?;
    Ok(String::from_utf8_lossy(&output).into_owned())
}

/// The same for a command made by the caller, with its stdout as it is.
pub(crate) fn bytes(command: &mut Command) -> Result<Vec<u8>> {
    let name = format!("{command:?}");
    let (out, err) = (scratch("out"), scratch("err"));
    let mut child = command
        .stdout(File::create(&out)?)
        .stderr(File::create(&err)?)
        .spawn()
        .with_context(|| name.clone())?;
    let started = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        if started.elapsed() > LIMIT {
            end(&mut child);
            bail!("{name}: not done after {} s", LIMIT.as_secs());
        }
        std::thread::sleep(LOOK);
    };
    let (output, said) = (fs::read(&out)?, fs::read_to_string(&err)?);
    let _ = (fs::remove_file(&out), fs::remove_file(&err));
    ensure!(status.success(), "{name}: {status}: {}", said.trim());
    Ok(output)
}

/// Starts a program that stays; what it says goes to `log`.
pub(crate) fn start(command: &mut Command, log: &Path) -> Result<Server> {
    let name = format!("{command:?}");
    let file = File::create(log)?;
    let child = command
        .stdin(Stdio::null())
        .stdout(file.try_clone()?)
        .stderr(file)
        .spawn()
        .context(name)?;
    Ok(Server(child))
}

/// A program that runs until it is dropped.
pub(crate) struct Server(pub(crate) Child);

impl Server {
    /// Whether it still runs.
    pub(crate) fn is_running(&mut self) -> bool {
        matches!(self.0.try_wait(), Ok(None))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        end(&mut self.0);
    }
}

fn end(child: &mut Child) {
    let _ = child.kill();
    let _ = child.wait();
}

/// Waits until `ready` has something; `what` is for the error.
pub(crate) fn until<T>(what: &str, mut ready: impl FnMut() -> Result<Option<T>>) -> Result<T> {
    let started = Instant::now();
    loop {
        if let Some(value) = ready()? {
            return Ok(value);
        }
        let waited = started.elapsed();
        ensure!(waited < LIMIT, "{what}: not after {} s", LIMIT.as_secs());
        std::thread::sleep(LOOK);
    }
}

/// A file name that nobody else has.
fn scratch(kind: &str) -> PathBuf {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    std::env::temp_dir().join(format!("lab-{}-{number}.{kind}", std::process::id()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Output and failure come back; so does a program that is not there.
    #[test]
    fn runs_programs() {
        assert_eq!(run("sh", &["-c", "echo a; echo b >&2"]).unwrap(), "a\n");
        let error = run("sh", &["-c", "echo why >&2; exit 3"]).unwrap_err();
        assert!(format!("{error:#}").contains("why"), "{error:#}");
        assert!(run("no-such-program", &[]).is_err());
    }
}
