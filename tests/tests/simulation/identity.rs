//! The certificate of all runs.

use std::sync::{Arc, OnceLock};

use rustls::{ClientConfig, RootCertStore, SupportedProtocolVersion};
use zonecast_dataplane::tls::{CertificatePem, CertificateStore};

/// A certificate for `localhost`. Ed25519: its signatures have one length.
pub(crate) struct Identity {
    chain: String,
    key: String,
    roots: RootCertStore,
}

/// The one of this process.
pub(crate) fn identity() -> &'static Identity {
    static IDENTITY: OnceLock<Identity> = OnceLock::new();
    IDENTITY.get_or_init(|| {
        let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519).expect("a key");
        let params = rcgen::CertificateParams::new(["localhost".to_owned()]).expect("a name");
        let certificate = params.self_signed(&key).expect("a certificate");
        let mut roots = RootCertStore::empty();
        roots.add(certificate.der().clone()).expect("a certificate");
        Identity {
            chain: certificate.pem(),
            key: key.serialize_pem(),
            roots,
        }
    })
}

impl Identity {
    /// For the pipeline.
    pub(crate) fn store(&self) -> CertificateStore {
        let pem = CertificatePem {
            label: "simulation",
            chain: self.chain.as_bytes(),
            key: self.key.as_bytes(),
        };
        CertificateStore::from_pem(&[pem]).expect("a good certificate")
    }

    /// For clients, which speak one version.
    pub(crate) fn client(&self, version: &'static SupportedProtocolVersion) -> Arc<ClientConfig> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[version])
            .expect("versions that the provider has")
            .with_root_certificates(self.roots.clone())
            .with_no_client_auth();
        Arc::new(config)
    }
}
