//! A dialogue with OpenSSL's client: what is said to it line by line, and what it prints.

use crate::https::Certificate;
use crate::tool::until;
use anyhow::{Context, Result, ensure};
use std::fs::{self, File};
use std::io::Write;
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};

/// A client that runs until it is dropped or ends by itself.
pub(crate) struct Dialog {
    child: Child,
    input: ChildStdin,
    output: PathBuf,
}

impl Dialog {
    /// Connects; waits until the handshake is over.
    pub(crate) fn open(
        certificate: &Certificate,
        output: PathBuf,
        flags: &[&str],
    ) -> Result<Dialog> {
        let file = File::create(&output)?;
        let mut child = Command::new("openssl")
            .args(["s_client", "-connect", "localhost:8443", "-CAfile"])
            .arg(&certificate.chain)
            .args(flags)
            .stdin(Stdio::piped())
            .stdout(file.try_clone()?)
            .stderr(file)
            .spawn()
            .context("openssl s_client")?;
        let input = child.stdin.take().context("its input is a pipe")?;
        let dialog = Dialog {
            child,
            input,
            output,
        };
        dialog.wait("Verify return code: 0", 1)?;
        Ok(dialog)
    }

    /// Says something. A single letter at the beginning of a line is a command to the client itself.
    pub(crate) fn say(&mut self, text: &str) -> Result<()> {
        self.input.write_all(text.as_bytes())?;
        Ok(self.input.flush()?)
    }

    /// Waits until it has printed `text` so many times.
    pub(crate) fn wait(&self, text: &str, times: usize) -> Result<()> {
        let printed = until(text, || {
            let printed = self.printed()?;
            Ok((printed.matches(text).count() >= times).then_some(printed))
        })
        .with_context(|| self.printed().unwrap_or_default())?;
        let count = printed.matches(text).count();
        ensure!(count == times, "{count} times {text}, not {times}");
        Ok(())
    }

    /// Waits until it has ended by itself; all that it printed.
    pub(crate) fn ended(&mut self) -> Result<String> {
        until("the client's end", || {
            Ok(self.child.try_wait()?.map(|_| ()))
        })?;
        self.printed()
    }

    /// Whether it has ended by itself.
    pub(crate) fn has_ended(&mut self) -> Result<bool> {
        Ok(self.child.try_wait()?.is_some())
    }

    /// All that it has printed.
    pub(crate) fn printed(&self) -> Result<String> {
        Ok(String::from_utf8_lossy(&fs::read(&self.output)?).into_owned())
    }
}

impl Drop for Dialog {
    /// Without a word to the server.
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
