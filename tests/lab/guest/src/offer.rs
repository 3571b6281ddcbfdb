//! What clients of our own offer in a handshake.

use crate::https::Certificate;
use anyhow::Result;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use std::sync::Arc;

/// One version (as on the wire), one group and one suite: every server does the same work.
pub(crate) fn offer(certificate: &Certificate, version: u16) -> Result<Arc<ClientConfig>> {
    use aws_lc_rs::cipher_suite::{
        TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, TLS13_AES_128_GCM_SHA256,
    };
    let (version, suite) = match version {
        0x0303 => (&TLS12, TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256),
        _ => (&TLS13, TLS13_AES_128_GCM_SHA256),
    };
    let provider = CryptoProvider {
        cipher_suites: vec![suite],
        kx_groups: vec![aws_lc_rs::kx_group::X25519],
        ..aws_lc_rs::default_provider()
    };
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(&certificate.chain)?)?;
    let mut config = ClientConfig::builder_with_provider(Arc::new(provider))
        .with_protocol_versions(&[version])?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.resumption = rustls::client::Resumption::disabled();
    Ok(Arc::new(config))
}
