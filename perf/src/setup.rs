//! What the daemon needs before it can start: a certificate, a token, free ports and a
//! configuration file, all in one work folder.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result};
use rustls::ClientConfig;
use rustls::crypto::aws_lc_rs;
use sha2::{Digest as _, Sha256};

use crate::ledger::hex;

mod ports;
pub use ports::Ports;

/// A self-signed certificate for this machine, and a client that trusts only it.
#[derive(Debug, Clone)]
pub struct Certificate {
    /// PEM.
    pub chain_file: PathBuf,
    /// PEM, readable by the owner only.
    pub key_file: PathBuf,
    /// For viewers.
    pub client: Arc<ClientConfig>,
}

impl Certificate {
    /// Makes one for `localhost`, `127.0.0.1` and `::1`, in `folder`.
    ///
    /// # Errors
    /// The files cannot be written.
    pub fn make(folder: &Path) -> Result<Certificate> {
        let names = ["localhost", "127.0.0.1", "::1"].map(str::to_owned);
        let made = rcgen::generate_simple_self_signed(names)?;
        let chain_file = folder.join("cert.pem");
        let key_file = folder.join("key.pem");
        write(&chain_file, &made.cert.pem())?;
        write(&key_file, &made.signing_key.serialize_pem())?;
        let mut roots = rustls::RootCertStore::empty();
        roots.add(made.cert.der().clone())?;
        let client = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Certificate {
            chain_file,
            key_file,
            client: Arc::new(client),
        })
    }
}

/// Writes a file that only its owner can read.
fn write(path: &Path, text: &str) -> Result<()> {
    use std::io::Write as _;
    use std::os::unix::fs::OpenOptionsExt as _;
    std::fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)
        .and_then(|mut file| file.write_all(text.as_bytes()))
        .with_context(|| format!("cannot write {}", path.display()))
}

/// A new token of 128 random bits.
///
/// # Errors
/// The system has no randomness.
pub fn token() -> Result<String> {
    Ok(hex(&random::<16>()?))
}

fn random<const N: usize>() -> Result<[u8; N]> {
    let mut bytes = [0; N];
    let random = aws_lc_rs::default_provider().secure_random;
    random
        .fill(&mut bytes)
        .map_err(|_| anyhow::anyhow!("no randomness"))?;
    Ok(bytes)
}

/// A stream that the configuration names.
#[derive(Debug, Clone)]
pub struct StreamSetup {
    /// Its id.
    pub id: String,
    /// Its zone; `None` lets the daemon choose.
    pub zone: Option<u16>,
}

/// All of a daemon's configuration that the demo and tests choose.
#[derive(Debug, Clone)]
pub struct Setup {
    /// The work folder: certificate, token, state and logs are in it.
    pub folder: PathBuf,
    /// `auto` or `virtual:N`.
    pub zones: String,
    /// See [`Ports`].
    pub ports: Ports,
    /// See [`Certificate`].
    pub certificate: Certificate,
    /// For all streams.
    pub token: String,
    /// The streams.
    pub streams: Vec<StreamSetup>,
    /// A zone's memory, e.g. `256MiB`.
    pub arena: String,
    /// A track's memory, e.g. `32MiB`.
    pub ring: String,
    /// More TOML for each of the viewers' listeners (keys).
    pub listeners: String,
    /// Encoders speak TLS.
    pub ingest_tls: bool,
    /// More TOML for `[ingest]` (keys).
    pub ingest: String,
    /// More TOML, appended as it is (sections of its own).
    pub more: String,
}

impl Setup {
    /// A daemon with two virtual zones and no stream yet.
    ///
    /// # Errors
    /// The folder cannot be written, or there are no ports.
    pub fn new(folder: &Path) -> Result<Setup> {
        Ok(Setup {
            folder: folder.to_owned(),
            zones: "virtual:2".to_owned(),
            ports: Ports::pick()?,
            certificate: Certificate::make(folder)?,
            token: token()?,
            streams: Vec::new(),
            arena: "256MiB".to_owned(),
            ring: "32MiB".to_owned(),
            listeners: String::new(),
            ingest_tls: false,
            ingest: String::new(),
            more: String::new(),
        })
    }

    /// Writes the configuration file: its path.
    ///
    /// # Errors
    /// A file cannot be written.
    pub fn write(&self) -> Result<PathBuf> {
        let state = self.folder.join("state");
        std::fs::create_dir_all(&state).context("cannot make the state folder")?;
        let path = self.folder.join("zonecast.toml");
        write(&path, &self.toml(&state))?;
        Ok(path)
    }

    fn toml(&self, state: &Path) -> String {
        let mut toml = String::new();
        let mut add = |line: std::fmt::Arguments<'_>| {
            // Writing to a String cannot fail.
            let _ = writeln!(toml, "{line}");
        };
        let Ports {
            https,
            http,
            ingest,
            admin,
            ipv6,
        } = self.ports;
        add(format_args!("state_dir = {}", text(state)));
        add(format_args!("zones = {}", quoted(&self.zones)));
        add(format_args!("[memory]\narena = {}", quoted(&self.arena)));
        add(format_args!("[admin]\nlisten = \"127.0.0.1:{admin}\""));
        // What it would attach outlives it.
        add(format_args!("[steering]\nmode = \"off\""));
        add(format_args!("[[certificates]]"));
        add(format_args!(
            "chain_file = {}",
            text(&self.certificate.chain_file)
        ));
        add(format_args!(
            "key_file = {}",
            text(&self.certificate.key_file)
        ));
        let hosts: &[(&str, &str)] = if ipv6 {
            &[("", "127.0.0.1"), ("-ipv6", "[::1]")]
        } else {
            &[("", "127.0.0.1")]
        };
        for (suffix, host) in hosts {
            for (name, port, tls) in [("https", https, true), ("http", http, false)] {
                add(format_args!("[[listeners]]\nname = \"{name}{suffix}\""));
                add(format_args!("listen = \"{host}:{port}\"\ntls = {tls}"));
                add(format_args!("{}", self.listeners));
            }
        }
        add(format_args!(
            "[ingest]\nlisten = \"127.0.0.1:{ingest}\"\ntls = {}\n{}",
            self.ingest_tls, self.ingest
        ));
        let token = hex(&Sha256::digest(self.token.as_bytes()));
        for stream in &self.streams {
            add(format_args!("[[streams]]\nid = {}", quoted(&stream.id)));
            add(format_args!(
                "token_sha256 = \"{token}\"\nring = {}\ntracks_max = 4",
                quoted(&self.ring)
            ));
            if let Some(zone) = stream.zone {
                add(format_args!("zone = {zone}"));
            }
        }
        add(format_args!("{}", self.more));
        toml
    }
}

fn text(path: &Path) -> String {
    quoted(&path.to_string_lossy())
}

/// A TOML basic string: JSON's escapes are among TOML's.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// The file is TOML, and says what was set up.
    #[test]
    fn writes_toml() {
        let folder = tempfile::tempdir().unwrap();
        let mut setup = Setup::new(folder.path()).unwrap();
        setup.streams.push(StreamSetup {
            id: "fmp4".to_owned(),
            zone: Some(1),
        });
        let path = setup.write().unwrap();
        let table: toml::Table = std::fs::read_to_string(path).unwrap().parse().unwrap();
        assert_eq!(table["zones"].as_str(), Some("virtual:2"));
        assert_eq!(table["streams"][0]["zone"].as_integer(), Some(1));
        let listeners = table["listeners"].as_array().unwrap();
        assert_eq!(listeners.len(), if setup.ports.ipv6 { 4 } else { 2 });
        assert_eq!(setup.token.len(), 32);
    }
}
