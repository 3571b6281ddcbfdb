//! TLS as the daemon's listeners do it.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use zonecast_dataplane::tls::{
    Acceptor, AcceptorConfig, CertificatePem, CertificateStore, Certificates, RECORDS_PER_KEY,
    TicketKeys, Versions,
};

const TICKET_LIFETIME: Duration = Duration::from_secs(6 * 3600);

/// An acceptor with tickets.
///
/// # Errors
/// The files are no certificate and its key.
pub(super) fn make(chain: &Path, key: &Path) -> Result<Acceptor> {
    let read = |path: &Path| std::fs::read(path).with_context(|| path.display().to_string());
    let (chain, key) = (read(chain)?, read(key)?);
    let store = CertificateStore::from_pem(&[CertificatePem {
        label: "floor",
        chain: &chain,
        key: &key,
    }])?;
    Ok(Acceptor::new(AcceptorConfig {
        certificates: Certificates::new(store),
        tickets: Some(TicketKeys::new(TICKET_LIFETIME)?),
        versions: Versions::Tls13And12,
        records_per_key: RECORDS_PER_KEY,
    })?)
}
