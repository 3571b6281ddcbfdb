//! The client's side of TLS: exactly one version, group and suite, so that every server is made
//! to do the same work; and of the client's own work no more than must be ([`verifier`]).

mod verifier;

use std::sync::Arc;

use rustls::client::{Resumption, WebPkiServerVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::CertificateDer;

use crate::LoadError;
use verifier::SamplingVerifier;

/// The name that clients ask for.
pub const SERVER_NAME: &str = "localhost";

/// What clients offer, for reports.
pub const OFFER: &str = "TLS 1.3, X25519, TLS_AES_128_GCM_SHA256";

/// Tickets that a client keeps; rustls keeps eight for a name.
const TICKETS_MAX: usize = 8;

/// A client that trusts `root` alone and offers [`OFFER`]. With `resumes` it keeps tickets and
/// uses each once (PSK with a fresh X25519 exchange, RFC 8446 section 2.2); give each slot that
/// connects a configuration of its own then, or they take each other's tickets.
///
/// # Errors
/// The root is no certificate.
pub fn client(root: CertificateDer<'static>, resumes: bool) -> Result<ClientConfig, LoadError> {
    let provider = Arc::new(CryptoProvider {
        cipher_suites: vec![aws_lc_rs::cipher_suite::TLS13_AES_128_GCM_SHA256],
        kx_groups: vec![aws_lc_rs::kx_group::X25519],
        ..aws_lc_rs::default_provider()
    });
    let mut roots = RootCertStore::empty();
    roots.add(root)?;
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider.clone())
        .build()
        .map_err(|error| rustls::Error::General(error.to_string()))?;
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(SamplingVerifier::new(verifier)))
        .with_no_client_auth();
    config.resumption = if resumes {
        Resumption::in_memory_sessions(TICKETS_MAX)
    } else {
        Resumption::disabled()
    };
    Ok(config)
}
