//! The daemon under test: started as a child, asked over its admin listener, stopped with
//! SIGTERM.

use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, ExitStatus};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::process::Signal;
use serde_json::Value;
use tokio::time::{sleep, timeout};

use crate::child::Child;
use crate::client::{Connection, Response, Target, Want};
use crate::metrics::Metrics;
use crate::setup::{Ports, Setup};

const POLL: Duration = Duration::from_millis(50);
const ADMIN_MAX: Duration = Duration::from_secs(2);

/// A running daemon; killed when dropped.
#[derive(Debug)]
pub struct Daemon {
    child: Child,
    admin: SocketAddr,
}

impl Daemon {
    /// Writes the set-up's configuration and starts `binary serve` on it, with its log in
    /// `daemon.log` of the work folder.
    ///
    /// # Errors
    /// The configuration cannot be written or the program not started.
    pub fn start(binary: &Path, setup: &Setup) -> Result<Daemon> {
        let config = setup.write()?;
        Daemon::start_with(
            binary,
            &config,
            Ports::four(setup.ports.admin),
            &setup.folder,
        )
    }

    /// Starts `binary serve` on a configuration that is already there.
    ///
    /// # Errors
    /// The program cannot be started.
    pub fn start_with(
        binary: &Path,
        config: &Path,
        admin: SocketAddr,
        folder: &Path,
    ) -> Result<Daemon> {
        let mut command = Command::new(binary);
        command.arg("serve").arg("--config").arg(config);
        let child = Child::start("zonecast", command, &folder.join("daemon.log"))
            .with_context(|| format!("cannot start {}", binary.display()))?;
        Ok(Daemon { child, admin })
    }

    /// The child process.
    pub fn child(&mut self) -> &mut Child {
        &mut self.child
    }

    /// Waits until `/readyz` says 200.
    ///
    /// # Errors
    /// The daemon ended, or was not ready within `patience`; with the end of its log.
    pub async fn ready(&mut self, patience: Duration) -> Result<()> {
        let deadline = Instant::now() + patience;
        loop {
            if let Some(status) = self.child.ended()? {
                bail!(
                    "the daemon ended at once ({status}); its log ends:\n{}",
                    self.child.log_tail()
                );
            }
            let said = match self.ask("/readyz").await {
                Ok(response) if response.status() == 200 => return Ok(()),
                Ok(response) => format!("/readyz says {}", response.status()),
                Err(error) => format!("{error:#}"),
            };
            if Instant::now() >= deadline {
                bail!(
                    "the daemon was not ready within {patience:?}: {said}; its log ends:\n{}",
                    self.child.log_tail()
                );
            }
            sleep(POLL).await;
        }
    }

    /// GET on the admin listener.
    ///
    /// # Errors
    /// No whole response within two seconds.
    pub async fn ask(&self, path: &str) -> Result<Response> {
        let ask = async {
            let mut connection = Connection::open(&Target::plain(self.admin)).await?;
            connection
                .request("GET", path, &[("Connection", "close")], Want::BODY)
                .await
        };
        Ok(timeout(ADMIN_MAX, ask)
            .await
            .context("the admin listener does not answer")??)
    }

    /// `/metrics`.
    ///
    /// # Errors
    /// As [`Daemon::ask`].
    pub async fn metrics(&self) -> Result<Metrics> {
        let response = self.ask("/metrics").await?;
        Ok(Metrics::parse(&String::from_utf8_lossy(&response.body)))
    }

    /// `/streams`.
    ///
    /// # Errors
    /// As [`Daemon::ask`], or it is not JSON.
    pub async fn streams(&self) -> Result<Value> {
        let response = self.ask("/streams").await?;
        serde_json::from_slice(&response.body).context("/streams is not JSON")
    }

    /// SIGTERM, and the status that it ends with; `None` if it had to be killed after
    /// `patience`.
    ///
    /// # Errors
    /// The system refuses.
    pub async fn stop(&mut self, patience: Duration) -> Result<Option<ExitStatus>> {
        Ok(self.child.stop(Signal::TERM, patience).await?)
    }
}
