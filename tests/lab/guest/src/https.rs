//! A certificate, and real clients: uploads and downloads by curl.

use crate::tool::{bytes, run};
use anyhow::{Context, Result, ensure};
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A certificate with its key, made for `localhost` and the lab's addresses.
pub(crate) struct Certificate {
    pub(crate) chain: PathBuf,
    pub(crate) key: PathBuf,
}

impl Certificate {
    /// Makes one in `folder`.
    pub(crate) fn make(folder: &Path) -> Result<Certificate> {
        let (chain, key) = (folder.join("cert.pem"), folder.join("key.pem"));
        let mut command = Command::new("openssl");
        command.args(["req", "-x509", "-newkey", "ec", "-nodes", "-days", "2"]);
        command.args([
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-subj",
            "/CN=localhost",
        ]);
        command.args(["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]);
        // No file of defaults comes along.
        command.args(["-config", "/dev/null"]);
        bytes(command.arg("-keyout").arg(&key).arg("-out").arg(&chain))?;
        Ok(Certificate { chain, key })
    }
}

/// Bytes that compress to nothing, of a length that fills no page, in a new file.
pub(crate) fn segment(file: &Path, length: u64) -> Result<Vec<u8>> {
    let mut segment = Vec::new();
    let random = File::open("/dev/urandom")?;
    random.take(length).read_to_end(&mut segment)?;
    fs::write(file, &segment).with_context(|| file.display().to_string())?;
    Ok(segment)
}

/// Uploads a file by PUT.
pub(crate) fn put(url: &str, file: &Path, token: &str) -> Result<()> {
    let file = file.to_string_lossy();
    let header = format!("Authorization: Bearer {token}");
    let status = run(
        "curl",
        &[
            "-sS",
            "-o",
            "/dev/null",
            "-w",
            "%{http_code}",
            "-H",
            &header,
            "-T",
            &file,
            url,
        ],
    )?;
    ensure!(status == "201", "PUT {url}: {status}");
    Ok(())
}

/// Fetches a URL: the body of a response that says success.
pub(crate) fn get(url: &str, certificate: Option<&Certificate>) -> Result<Vec<u8>> {
    let mut command = Command::new("curl");
    command.args(["-sS", "-f"]);
    if let Some(certificate) = certificate {
        command.arg("--cacert").arg(&certificate.chain);
    }
    bytes(command.arg(url))
}

/// That what came is what was sent; tells where it is not.
pub(crate) fn equal(came: &[u8], sent: &[u8]) -> Result<()> {
    ensure!(
        came.len() == sent.len(),
        "{} bytes came of {}",
        came.len(),
        sent.len()
    );
    let differs = came.iter().zip(sent).position(|(a, b)| a != b);
    ensure!(differs.is_none(), "differs at byte {differs:?}");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Neither a shorter copy nor one that differs passes.
    #[test]
    fn compares() {
        assert!(equal(b"abc", b"abc").is_ok());
        assert!(equal(b"ab", b"abc").is_err());
        assert!(equal(b"abd", b"abc").is_err());
    }
}
