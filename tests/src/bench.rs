//! One test's daemon and all that belongs to it, in a folder that stays when the test fails.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use rustix::process::Signal;
use tempfile::TempDir;
use zonecast_perf::client::Target;
use zonecast_perf::daemon::Daemon;
use zonecast_perf::ledger::Ledger;
use zonecast_perf::setup::Ports;
use zonecast_perf::tee::Tee;

use crate::PATIENCE;
use crate::config::Config;

/// See the module's description.
#[derive(Debug)]
pub struct Bench {
    /// Change it before [`Bench::start`].
    pub config: Config,
    daemon: Option<Daemon>,
    folder: Option<TempDir>,
    passed: bool,
}

impl Bench {
    /// A folder, ports and a certificate; no daemon yet.
    ///
    /// # Errors
    /// One of them cannot be had.
    pub fn new(test: &str) -> Result<Bench> {
        let folder = tempfile::Builder::new()
            .prefix(&format!("zonecast-{test}-"))
            .tempdir()?;
        Ok(Bench {
            config: Config::new(folder.path())?,
            daemon: None,
            folder: Some(folder),
            passed: false,
        })
    }

    /// A bench whose daemon runs and knows these streams.
    ///
    /// # Errors
    /// It does not get ready.
    pub async fn with_streams(test: &str, streams: &[&str]) -> Result<Bench> {
        let mut bench = Bench::new(test)?;
        bench.config.add_streams(streams.iter().copied());
        bench.start().await?;
        Ok(bench)
    }

    /// Where everything is written.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.config.folder
    }

    /// Writes the configuration, starts the daemon and waits until it is ready.
    ///
    /// # Errors
    /// It does not get ready; with the end of its log.
    pub async fn start(&mut self) -> Result<()> {
        self.start_as(&zonecast()).await
    }

    /// As [`Bench::start`], with another program in the daemon's place.
    ///
    /// # Errors
    /// It does not get ready; with the end of its log.
    pub async fn start_as(&mut self, program: &Path) -> Result<()> {
        self.config.write()?;
        let mut daemon = Daemon::start_with(
            program,
            &self.config.path(),
            Ports::four(self.config.ports.admin),
            self.folder(),
        )?;
        daemon.ready(PATIENCE).await?;
        self.daemon = Some(daemon);
        Ok(())
    }

    /// The running daemon.
    ///
    /// # Errors
    /// There is none.
    pub fn daemon(&mut self) -> Result<&mut Daemon> {
        self.daemon.as_mut().context("no daemon runs")
    }

    /// kill -9, and waits until it is gone.
    ///
    /// # Errors
    /// There is none.
    pub async fn kill(&mut self) -> Result<()> {
        let mut daemon = self.daemon.take().context("no daemon runs")?;
        daemon.child().stop(Signal::KILL, PATIENCE).await?;
        Ok(())
    }

    /// SIGTERM: the exit code, `None` when a signal ended it or `patience` was too short.
    ///
    /// # Errors
    /// There is none.
    pub async fn stop(&mut self, patience: Duration) -> Result<Option<i32>> {
        let mut daemon = self.daemon.take().context("no daemon runs")?;
        let status = daemon.stop(patience).await?;
        Ok(status.and_then(|status| status.code()))
    }

    /// Waits for its end: the exit code, `None` when a signal ended it or `patience` was too
    /// short.
    ///
    /// # Errors
    /// There is none.
    pub async fn ended(&mut self, patience: Duration) -> Result<Option<i32>> {
        let mut daemon = self.daemon.take().context("no daemon runs")?;
        let status = daemon.child().wait(patience).await?;
        Ok(status.and_then(|status| status.code()))
    }

    /// What the daemon has logged since it was started last.
    ///
    /// # Errors
    /// The log cannot be read.
    pub fn log(&self) -> Result<String> {
        Ok(std::fs::read_to_string(self.folder().join("daemon.log"))?)
    }

    /// A tee in front of the ingest.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn tee(&self) -> Result<(Tee, Arc<Ledger>)> {
        let ledger = Ledger::new();
        let tee = Tee::start(self.ingest(), ledger.clone())?;
        Ok((tee, ledger))
    }

    /// The ingest's IPv4 address.
    #[must_use]
    pub fn ingest(&self) -> SocketAddr {
        Ports::four(self.config.ports.ingest)
    }

    /// An encoder's URL of a stream's folder, by this address.
    #[must_use]
    pub fn ingest_url(&self, address: SocketAddr, stream: &str) -> String {
        let scheme = if self.config.ingest_tls {
            "https"
        } else {
            "http"
        };
        format!("{scheme}://{address}/live/{stream}")
    }

    /// A viewer's URL by TLS and IPv4.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("https://127.0.0.1:{}/live/{path}", self.config.ports.https)
    }

    /// A viewer's URLs by TLS: IPv4, and IPv6 where this machine has it.
    #[must_use]
    pub fn urls(&self, path: &str) -> Vec<String> {
        let mut urls = vec![self.url(path)];
        if self.config.ports.ipv6 {
            let port = self.config.ports.https;
            urls.push(format!("https://[::1]:{port}/live/{path}"));
        }
        urls
    }

    /// A viewer's way in by TLS.
    #[must_use]
    pub fn target(&self) -> Target {
        let Config {
            ports, certificate, ..
        } = &self.config;
        Target::tls(Ports::four(ports.https), certificate.client.clone())
    }
}

impl Bench {
    /// The end of every test: its folder is not needed any more.
    ///
    /// # Errors
    /// None.
    pub fn passed(mut self) -> Result<()> {
        self.passed = true;
        Ok(())
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        // Before its folder goes.
        self.daemon = None;
        if let Some(folder) = self.folder.take()
            && !self.passed
        {
            println!("the logs are in {}", folder.keep().display());
        }
    }
}

/// The daemon's binary: what `ZONECAST_BIN` names, else the one that was built beside the
/// tests.
///
/// # Panics
/// The test's own path cannot be had.
#[must_use]
pub fn zonecast() -> PathBuf {
    match std::env::var_os("ZONECAST_BIN") {
        Some(path) => path.into(),
        None => built().join("zonecast"),
    }
}

/// The folder that the tests were built into.
pub(crate) fn built() -> PathBuf {
    let test = std::env::current_exe().expect("a test knows where it is");
    test.ancestors()
        .nth(2)
        .expect("deps/ of a profile")
        .to_owned()
}
