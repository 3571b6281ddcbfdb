//! Who checks the server's certificate, and how often.
//!
//! A signature takes a client longer to check than everything else in its handshake; thousands of
//! clients that each check the same certificate would be what is measured. So a certificate's
//! chain is checked when it is first seen, and of the signatures made with its key the first few
//! and one of [`CHECKED_EVERY`]. A server does not see the difference: it signs for everybody. And
//! it must have the keys all the same, or Finished is wrong.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::{DigitallySignedStruct, Error, SignatureScheme};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};

/// The first signatures, all of which are checked.
const CHECKED_FIRST: u64 = 16;
/// Of the others each so-manieth is.
const CHECKED_EVERY: u64 = 64;

/// Checks by `inner`, but not again what has been checked.
#[derive(Debug)]
pub(super) struct SamplingVerifier {
    inner: Arc<WebPkiServerVerifier>,
    /// The certificate that `inner` has accepted.
    accepted: OnceLock<CertificateDer<'static>>,
    signatures: AtomicU64,
}

impl SamplingVerifier {
    pub(super) fn new(inner: Arc<WebPkiServerVerifier>) -> Self {
        Self {
            inner,
            accepted: OnceLock::new(),
            signatures: AtomicU64::new(0),
        }
    }

    fn is_sampled(&self) -> bool {
        let number = self.signatures.fetch_add(1, Ordering::Relaxed);
        number < CHECKED_FIRST || number.is_multiple_of(CHECKED_EVERY)
    }
}

impl ServerCertVerifier for SamplingVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if self.accepted.get() == Some(end_entity) {
            return Ok(ServerCertVerified::assertion());
        }
        let verified = self.inner.verify_server_cert(
            end_entity,
            intermediates,
            server_name,
            ocsp_response,
            now,
        )?;
        // Of several, the first is remembered.
        let _ = self.accepted.set(end_entity.clone().into_owned());
        Ok(verified)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.inner.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        if !self.is_sampled() {
            return Ok(HandshakeSignatureValid::assertion());
        }
        self.inner.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use rustls::RootCertStore;
    use rustls::crypto::aws_lc_rs;
    use rustls_pki_types::pem::PemObject;
    use zonecast_perf::setup::Certificate;

    use super::*;
    use crate::tls::SERVER_NAME;

    /// The first ones, and then few.
    #[test]
    fn most_signatures_are_taken_unchecked() {
        let checked = |verifier: &SamplingVerifier, count: u64| {
            (0..count).filter(|_| verifier.is_sampled()).count() as u64
        };
        let verifier = SamplingVerifier::new(inner());
        assert_eq!(checked(&verifier, CHECKED_FIRST), CHECKED_FIRST);
        assert_eq!(checked(&verifier, 100 * CHECKED_EVERY), 100);
    }

    /// A certificate that nobody vouches for is never remembered.
    #[test]
    fn a_strange_certificate_is_refused_every_time() {
        let verifier = SamplingVerifier::new(inner());
        let strange = CertificateDer::from(vec![0x30, 0]);
        for _ in 0..2 {
            let name = ServerName::try_from(SERVER_NAME).unwrap();
            let now = UnixTime::now();
            assert!(
                verifier
                    .verify_server_cert(&strange, &[], &name, &[], now)
                    .is_err()
            );
        }
    }

    fn inner() -> Arc<WebPkiServerVerifier> {
        let folder = tempfile::tempdir().unwrap();
        let certificate = Certificate::make(folder.path()).unwrap();
        let pem = CertificateDer::from_pem_file(&certificate.chain_file).unwrap();
        let mut roots = RootCertStore::empty();
        roots.add(pem).unwrap();
        let provider = Arc::new(aws_lc_rs::default_provider());
        WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider)
            .build()
            .unwrap()
    }
}
