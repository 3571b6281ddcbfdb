//! The client's side of a connection: rustls makes the handshake, and gives the keys away.

use std::sync::{Arc, LazyLock, Mutex};

use aws_lc_rs::hkdf;
use rustls::crypto::aws_lc_rs::{cipher_suite, default_provider};
use rustls::{
    ClientConfig, ClientConnection, ConnectionTrafficSecrets, KeyLog, RootCertStore,
    SupportedCipherSuite, SupportedProtocolVersion,
};
use rustls_pki_types::CertificateDer;
use zonecast_dataplane::tls::{
    Acceptor, AcceptorConfig, CertificatePem, CertificateStore, Certificates, Handshake, Progress,
    RECORDS_PER_KEY, Session, Versions,
};

use crate::half::Half;

/// Three suites of TLS 1.3, three of TLS 1.2.
const SUITES: [SupportedCipherSuite; 6] = [
    cipher_suite::TLS13_AES_128_GCM_SHA256,
    cipher_suite::TLS13_AES_256_GCM_SHA384,
    cipher_suite::TLS13_CHACHA20_POLY1305_SHA256,
    cipher_suite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
    cipher_suite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
    cipher_suite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
];

/// A self-signed certificate of `localhost`.
pub(crate) struct Identity {
    chain: String,
    key: String,
    der: CertificateDer<'static>,
}

pub(crate) static IDENTITY: LazyLock<Identity> = LazyLock::new(|| {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()])
        .expect("a certificate can be made");
    Identity {
        chain: made.cert.pem(),
        key: made.signing_key.serialize_pem(),
        der: made.cert.der().clone(),
    }
});

impl Identity {
    pub(crate) fn store(&self) -> CertificateStore {
        let pem = CertificatePem {
            label: "fuzz",
            chain: self.chain.as_bytes(),
            key: self.key.as_bytes(),
        };
        CertificateStore::from_pem(&[pem]).expect("the certificate can be served")
    }
}

/// One listener with the real limits, one whose keys are worn after four records.
static ACCEPTORS: LazyLock<[Acceptor; 2]> = LazyLock::new(|| {
    let certificates = Certificates::new(IDENTITY.store());
    [RECORDS_PER_KEY, 4].map(|records_per_key| {
        let config = AcceptorConfig {
            certificates: certificates.clone(),
            tickets: None,
            versions: Versions::Tls13And12,
            records_per_key,
        };
        Acceptor::new(config).expect("the certificate can be served")
    })
});

static CLIENTS: LazyLock<Vec<ClientConfig>> = LazyLock::new(|| {
    let mut roots = RootCertStore::empty();
    roots
        .add(IDENTITY.der.clone())
        .expect("the certificate is one");
    let config = |suite: SupportedCipherSuite| {
        let mut provider = default_provider();
        provider.cipher_suites = vec![suite];
        let versions: [&SupportedProtocolVersion; 1] = [suite.version()];
        let mut config = ClientConfig::builder_with_provider(Arc::new(provider))
            .with_protocol_versions(&versions)
            .expect("the suite is of this version")
            .with_root_certificates(roots.clone())
            .with_no_client_auth();
        config.enable_secret_extraction = true;
        config
    };
    SUITES.into_iter().map(config).collect()
});

/// Keeps the first traffic secrets of a connection.
#[derive(Debug, Default)]
struct Secrets(Mutex<Vec<(String, Vec<u8>)>>);

impl KeyLog for Secrets {
    fn log(&self, label: &str, _: &[u8], secret: &[u8]) {
        let mut all = self.0.lock().expect("nobody panics with it");
        all.push((label.to_owned(), secret.to_vec()));
    }
}

impl Secrets {
    fn of(&self, label: &str) -> Vec<u8> {
        let all = self.0.lock().expect("nobody panics with it");
        let found = all.iter().find(|(name, _)| name == label);
        found.map(|(_, secret)| secret.clone()).unwrap_or_default()
    }
}

/// A connection after its handshake.
pub(crate) struct Connected {
    pub(crate) session: Session,
    pub(crate) sends: Half,
    pub(crate) receives: Half,
}

/// An honest client that knows the suite that `choice` picks.
pub(crate) fn client(choice: u8, log: Arc<dyn KeyLog>) -> ClientConnection {
    let mut config = CLIENTS[usize::from(choice) % SUITES.len()].clone();
    config.key_log = log;
    let name = "localhost".try_into().expect("a name");
    ClientConnection::new(Arc::new(config), name).expect("a client")
}

/// What the client has to send.
pub(crate) fn said_by(client: &mut ClientConnection) -> Vec<u8> {
    let mut said = Vec::new();
    while client.wants_write() {
        client.write_tls(&mut said).expect("memory takes all");
    }
    said
}

/// A connection with the suite and the listener that `choice` picks.
pub(crate) fn connected(choice: u8) -> Connected {
    let suite = usize::from(choice) % SUITES.len();
    let acceptor = &ACCEPTORS[usize::from(choice) / SUITES.len() % 2];
    let log = Arc::new(Secrets::default());
    let mut client = client(choice, log.clone());
    let session = shake(acceptor, &mut client);
    let secrets = client
        .dangerous_extract_secrets()
        .expect("extraction is allowed");
    let hash = match suite {
        0 | 2 => Some(hkdf::HKDF_SHA256),
        1 => Some(hkdf::HKDF_SHA384),
        _ => None,
    };
    let half = |(sequence, secrets): &(u64, ConnectionTrafficSecrets), label| {
        Half::new(*sequence, secrets, hash.map(|hash| (hash, log.of(label))))
    };
    Connected {
        session,
        sends: half(&secrets.tx, "CLIENT_TRAFFIC_SECRET_0"),
        receives: half(&secrets.rx, "SERVER_TRAFFIC_SECRET_0"),
    }
}

fn shake(acceptor: &Acceptor, client: &mut ClientConnection) -> Session {
    let mut handshake = Handshake::new(acceptor).expect("the acceptor is in order");
    loop {
        let mut out = Vec::new();
        let progress = handshake
            .receive(&said_by(client), &mut out)
            .expect("an honest client");
        let mut answer = &out[..];
        while !answer.is_empty() {
            client.read_tls(&mut answer).expect("memory gives all");
            client.process_new_packets().expect("an honest server");
        }
        if progress == Progress::Done {
            let (session, early) = handshake.finish().expect("it is done");
            assert!(early.is_empty());
            return session;
        }
    }
}
