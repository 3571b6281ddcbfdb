//! A daemon's configuration, as far as tests choose it: small rings, free ports, both
//! families of loopback addresses.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use sha2::{Digest as _, Sha256};
use zonecast_perf::ledger::hex;
use zonecast_perf::setup::{Certificate, Ports, token};

/// See the module's description.
#[derive(Debug)]
pub struct Config {
    /// Where it is written, with certificate, state and logs beside it.
    pub folder: PathBuf,
    /// All on loopback addresses.
    pub ports: Ports,
    /// For viewers and, where it speaks TLS, the ingest.
    pub certificate: Certificate,
    /// For every stream that has no other.
    pub token: String,
    /// Ids and tokens.
    pub streams: Vec<(String, String)>,
    /// Encoders speak TLS.
    pub ingest_tls: bool,
    /// Keys before the first table.
    pub top: String,
    /// Keys of `[ingest]`.
    pub ingest: String,
    /// Keys of `[limits]`.
    pub limits: String,
    /// Tables of their own.
    pub more: String,
}

impl Config {
    /// One without streams.
    ///
    /// # Errors
    /// The folder cannot be written, or there are no ports.
    pub fn new(folder: &Path) -> Result<Config> {
        Ok(Config {
            folder: folder.to_owned(),
            ports: Ports::pick()?,
            certificate: Certificate::make(folder)?,
            token: token()?,
            streams: Vec::new(),
            ingest_tls: false,
            top: format!("state_dir = {:?}\n", folder.join("state")),
            ingest: String::new(),
            limits: String::new(),
            more: String::new(),
        })
    }

    /// Adds streams with the common token.
    pub fn add_streams<'s>(&mut self, ids: impl IntoIterator<Item = &'s str>) {
        for id in ids {
            self.streams.push((id.to_owned(), self.token.clone()));
        }
    }

    /// Where the file is.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        self.folder.join("zonecast.toml")
    }

    /// Writes the file.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn write(&self) -> Result<()> {
        std::fs::write(self.path(), self.text()).context("cannot write the configuration")
    }

    /// The whole file.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = self.top.clone();
        // Writing to a String cannot fail.
        let _ = self.tables(&mut text);
        text
    }

    fn tables(&self, out: &mut String) -> std::fmt::Result {
        let Ports {
            https,
            http,
            ingest,
            admin,
            ipv6,
        } = self.ports;
        writeln!(out, "zones = \"virtual:2\"")?;
        writeln!(out, "[memory]\narena = \"96MiB\"")?;
        writeln!(out, "[admin]\nlisten = \"127.0.0.1:{admin}\"")?;
        writeln!(out, "[steering]\nmode = \"off\"")?;
        let Certificate {
            chain_file,
            key_file,
            ..
        } = &self.certificate;
        writeln!(out, "[[certificates]]\nchain_file = {chain_file:?}")?;
        writeln!(out, "key_file = {key_file:?}")?;
        let hosts: &[&str] = if ipv6 {
            &["127.0.0.1", "[::1]"]
        } else {
            &["127.0.0.1"]
        };
        for host in hosts {
            for (port, tls) in [(https, true), (http, false)] {
                writeln!(out, "[[listeners]]\nlisten = \"{host}:{port}\"")?;
                writeln!(out, "tls = {tls}")?;
            }
        }
        let ingest: Vec<String> = hosts
            .iter()
            .map(|host| format!("{host}:{ingest}"))
            .collect();
        writeln!(out, "[ingest]\nlisten = {ingest:?}")?;
        writeln!(out, "tls = {}\n{}", self.ingest_tls, self.ingest)?;
        writeln!(
            out,
            "[limits]\nobject_bytes_max = \"4MiB\"\n{}",
            self.limits
        )?;
        for (id, token) in &self.streams {
            let token = sha256(token);
            writeln!(out, "[[streams]]\nid = {id:?}")?;
            writeln!(
                out,
                "token_sha256 = \"{token}\"\nring = \"8MiB\"\ntracks_max = 2"
            )?;
        }
        writeln!(out, "{}", self.more)
    }
}

/// A token's hash, as the configuration wants it.
#[must_use]
pub fn sha256(token: &str) -> String {
    hex(&Sha256::digest(token.as_bytes()))
}
