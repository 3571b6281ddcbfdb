//! `[[certificates]]`: what viewers and encoders are shown over TLS.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use zonecast_dataplane::tls::{CertificatePem, CertificateStore};

use super::report::Report;

/// Bytes of a PEM file at most.
const PEM_MAX: u64 = 1 << 20;

/// One table `[[certificates]]`; the names it serves are those in the certificate, and the
/// first one serves all other names too.
#[derive(Clone, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CertificateFiles {
    /// PEM file with the certificate and what leads from it to the root.
    pub chain_file: PathBuf,
    /// PEM file with the private key.
    pub key_file: PathBuf,
}

/// One certificate as read from its files.
struct Pem {
    label: String,
    chain: Vec<u8>,
    key: Vec<u8>,
}

impl Pem {
    fn borrow(&self) -> CertificatePem<'_> {
        CertificatePem {
            label: &self.label,
            chain: &self.chain,
            key: &self.key,
        }
    }
}

/// Reads all certificates; `None` where there are none or any is wrong.
pub(super) fn resolve(
    all: &[CertificateFiles],
    report: &mut Report<'_>,
) -> Option<CertificateStore> {
    let mut pems = Vec::new();
    for (index, files) in all.iter().enumerate() {
        pems.extend(one(&format!("certificates[{index}]"), files, report));
    }
    if pems.is_empty() || pems.len() < all.len() {
        return None;
    }
    let borrowed: Vec<_> = pems.iter().map(Pem::borrow).collect();
    match CertificateStore::from_pem(&borrowed) {
        Ok(store) => Some(store),
        Err(error) => {
            report.error("certificates", error.to_string());
            None
        }
    }
}

/// Reads one certificate and tries it by itself, so that what is wrong is said of its key.
fn one(key: &str, files: &CertificateFiles, report: &mut Report<'_>) -> Option<Pem> {
    let (chain_file, key_file) = (report.path(&files.chain_file), report.path(&files.key_file));
    let key_key = format!("{key}.key_file");
    let chain = read(&format!("{key}.chain_file"), &chain_file, report);
    let private = read(&key_key, &key_file, report);
    warn_if_readable_by_others(&key_key, &key_file, report);
    let pem = Pem {
        label: chain_file.display().to_string(),
        chain: chain?,
        key: private?,
    };
    match CertificateStore::from_pem(&[pem.borrow()]) {
        Ok(_) => Some(pem),
        Err(error) => {
            report.error(key, error.to_string());
            None
        }
    }
}

fn read(key: &str, path: &Path, report: &mut Report<'_>) -> Option<Vec<u8>> {
    let read = std::fs::metadata(path).and_then(|metadata| {
        if metadata.len() > PEM_MAX {
            return Err(std::io::Error::other("larger than 1 MiB"));
        }
        std::fs::read(path)
    });
    match read {
        Ok(bytes) => Some(bytes),
        Err(error) => {
            report.error(key, format!("{} cannot be read: {error}", path.display()));
            None
        }
    }
}

fn warn_if_readable_by_others(key: &str, path: &Path, report: &mut Report<'_>) {
    if let Ok(metadata) = std::fs::metadata(path) {
        let mode = metadata.permissions().mode() & 0o777;
        if mode & 0o007 != 0 {
            let text = format!(
                "{} can be read by other users (mode {mode:o})",
                path.display()
            );
            report.warn(key, text);
        }
    }
}
