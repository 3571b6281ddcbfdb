//! Shows that the name that a client asks for chooses its certificate, that a reload changes it,
//! and that certificates that cannot be served are refused when they are read.
#![allow(clippy::unwrap_used)]

mod tls_support;

use std::sync::Arc;

use rustls::ClientConfig;
use tls_support::{TLS13, acceptor, client_config, identity, join, store};
use zonecast_dataplane::tls::{
    Acceptor, CertificatePem, CertificateStore, Certificates, Fault, Versions,
};

#[test]
fn names_choose_certificates() {
    let (first, exact) = (
        identity(&["first.test"]),
        identity(&["a.live.test", "b.test"]),
    );
    let wildcard = identity(&["*.live.test"]);
    let certificates = Certificates::new(store(&[&first, &exact, &wildcard]));
    let acceptor = acceptor(&certificates, Versions::Tls13And12);
    let served = |name: &'static str| {
        let config = ClientConfig::clone(&client_config(&first, TLS13));
        let name = rustls_pki_types::ServerName::try_from(name).unwrap();
        served_certificate(&acceptor, config, name)
    };
    assert_eq!(served("first.test"), first.der);
    assert_eq!(served("a.live.test"), exact.der);
    assert_eq!(served("B.TEST"), exact.der);
    assert_eq!(served("z.live.test"), wildcard.der);
    assert_eq!(
        served("y.z.live.test"),
        first.der,
        "a wildcard is one label"
    );
    assert_eq!(served("live.test"), first.der);
    assert_eq!(served("unknown.test"), first.der);
    assert_eq!(served("127.0.0.1"), first.der, "addresses send no name");
    certificates.replace(store(&[&wildcard]));
    assert_eq!(served("a.live.test"), wildcard.der, "after a reload");
    assert_eq!(
        store(&[&first, &exact]).names(),
        ["a.live.test", "b.test", "first.test"]
    );
}

#[test]
fn certificates_that_cannot_be_served_are_refused_by_name() {
    let (one, other) = (identity(&["one.test"]), identity(&["other.test"]));
    let refused = |chain: &str, key: &str| {
        let pem = CertificatePem {
            label: "/etc/one.pem",
            chain: chain.as_bytes(),
            key: key.as_bytes(),
        };
        let error = CertificateStore::from_pem(&[pem]).unwrap_err();
        assert_eq!(error.fault(), Fault::Operator);
        error.to_string()
    };
    assert!(refused(&one.chain, &other.key).contains("/etc/one.pem: the key cannot serve"));
    assert!(refused("", &one.key).contains("no certificate"));
    assert!(refused(&one.chain, "").contains("private key"));
    assert!(refused(&one.chain[..200], &one.key).contains("/etc/one.pem"));
    assert!(CertificateStore::from_pem(&[]).is_err());
}

/// What the server offers, whatever the client thinks of it.
fn served_certificate(
    acceptor: &Acceptor,
    mut config: ClientConfig,
    name: rustls_pki_types::ServerName<'static>,
) -> rustls_pki_types::CertificateDer<'static> {
    let seen = Arc::new(tls_support::verifier::Seen::default());
    config.dangerous().set_certificate_verifier(seen.clone());
    let client = rustls::ClientConnection::new(Arc::new(config), name).unwrap();
    join(acceptor, client);
    seen.take()
}
