//! Listeners with TLS, and clients that trust them.

use std::sync::Arc;

use rustls::crypto::aws_lc_rs::default_provider;
use rustls::{ClientConfig, RootCertStore, SupportedProtocolVersion};
use rustls_pki_types::CertificateDer;
use zonecast_dataplane::Config;
use zonecast_dataplane::tls::{CertificatePem, CertificateStore};

/// A self-signed certificate for `localhost`.
pub struct Identity {
    chain: String,
    key: String,
    der: CertificateDer<'static>,
}

impl Identity {
    pub fn new() -> Self {
        let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        Self {
            chain: made.cert.pem(),
            key: made.signing_key.serialize_pem(),
            der: made.cert.der().clone(),
        }
    }

    pub fn store(&self) -> CertificateStore {
        CertificateStore::from_pem(&[CertificatePem {
            label: "test",
            chain: self.chain.as_bytes(),
            key: self.key.as_bytes(),
        }])
        .unwrap()
    }

    /// A client that speaks one version; clones of it share their tickets.
    pub fn client(&self, version: &'static SupportedProtocolVersion) -> Arc<ClientConfig> {
        let mut roots = RootCertStore::empty();
        roots.add(self.der.clone()).unwrap();
        let config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
            .with_protocol_versions(&[version])
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        Arc::new(config)
    }
}

/// The same configuration with TLS for viewers and encoders.
pub fn config(identity: &Identity) -> Config {
    let mut config = super::config();
    config.listeners[0].tls = true;
    config.ingest.tls = true;
    config.certificates = Some(identity.store());
    config
}
