//! What the TLS tests share: certificates, listeners, rustls clients, and both ends of a
//! connection joined in memory.
#![allow(dead_code, clippy::unwrap_used, unreachable_pub)]

pub mod raw;
pub mod served;
pub mod verifier;

use std::io::{Read, Write};
use std::sync::Arc;
use std::time::Duration;

use rustls::crypto::aws_lc_rs::{cipher_suite, default_provider};
use rustls::{ClientConfig, ClientConnection, RootCertStore, SupportedCipherSuite};
use rustls_pki_types::CertificateDer;
use zonecast_dataplane::tls::{
    Acceptor, AcceptorConfig, CertificatePem, CertificateStore, Certificates, Handshake, Opened,
    Progress, RECORDS_PER_KEY, Session, TicketKeys, TlsError, Versions,
};

/// Every suite that we speak: three of TLS 1.3, six of TLS 1.2 (of which an ECDSA certificate
/// leaves three).
pub const SUITES: [SupportedCipherSuite; 6] = [
    cipher_suite::TLS13_AES_128_GCM_SHA256,
    cipher_suite::TLS13_AES_256_GCM_SHA384,
    cipher_suite::TLS13_CHACHA20_POLY1305_SHA256,
    cipher_suite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
    cipher_suite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
    cipher_suite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
];

/// The first of [`SUITES`] of each version.
pub const TLS13: SupportedCipherSuite = SUITES[0];
pub const TLS12: SupportedCipherSuite = SUITES[3];

/// A self-signed certificate.
pub struct Identity {
    pub chain: String,
    pub key: String,
    pub der: CertificateDer<'static>,
}

pub fn identity(names: &[&str]) -> Identity {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let made = rcgen::generate_simple_self_signed(names).unwrap();
    Identity {
        chain: made.cert.pem(),
        key: made.signing_key.serialize_pem(),
        der: made.cert.der().clone(),
    }
}

pub fn store(identities: &[&Identity]) -> CertificateStore {
    let pems: Vec<CertificatePem<'_>> = identities
        .iter()
        .map(|identity| CertificatePem {
            label: "test",
            chain: identity.chain.as_bytes(),
            key: identity.key.as_bytes(),
        })
        .collect();
    CertificateStore::from_pem(&pems).unwrap()
}

/// A listener without tickets.
pub fn acceptor(certificates: &Arc<Certificates>, versions: Versions) -> Acceptor {
    Acceptor::new(AcceptorConfig {
        certificates: certificates.clone(),
        tickets: None,
        versions,
        records_per_key: RECORDS_PER_KEY,
    })
    .unwrap()
}

/// A listener and the certificate of its `localhost`.
pub struct Listener {
    pub identity: Identity,
    pub acceptor: Acceptor,
}

pub fn listener_with(tickets: Option<Arc<TicketKeys>>, records_per_key: u64) -> Listener {
    let identity = identity(&["localhost"]);
    let acceptor = Acceptor::new(AcceptorConfig {
        certificates: Certificates::new(store(&[&identity])),
        tickets,
        versions: Versions::Tls13And12,
        records_per_key,
    })
    .unwrap();
    Listener { identity, acceptor }
}

/// Tickets and the real limits.
pub fn listener() -> Listener {
    let keys = TicketKeys::new(Duration::from_secs(3600)).unwrap();
    listener_with(Some(keys), RECORDS_PER_KEY)
}

/// A client that knows one suite, and so one version.
pub fn client_config(identity: &Identity, suite: SupportedCipherSuite) -> ClientConfig {
    let mut provider = default_provider();
    provider.cipher_suites = vec![suite];
    let mut roots = RootCertStore::empty();
    roots.add(identity.der.clone()).unwrap();
    let mut config = ClientConfig::builder_with_provider(Arc::new(provider))
        .with_protocol_versions(&[suite.version()])
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.enable_secret_extraction = true;
    config
}

pub fn client(config: &Arc<ClientConfig>) -> ClientConnection {
    ClientConnection::new(config.clone(), "localhost".try_into().unwrap()).unwrap()
}

/// What the client has to send.
pub fn sent_by(client: &mut ClientConnection) -> Vec<u8> {
    let mut bytes = Vec::new();
    while client.wants_write() {
        client.write_tls(&mut bytes).unwrap();
    }
    bytes
}

/// Gives bytes to the client; returns the data in them.
pub fn give(client: &mut ClientConnection, mut bytes: &[u8]) -> Result<Vec<u8>, rustls::Error> {
    let mut data = Vec::new();
    while !bytes.is_empty() {
        client.read_tls(&mut bytes).unwrap();
        let state = client.process_new_packets()?;
        let before = data.len();
        data.resize(before + state.plaintext_bytes_to_read(), 0);
        client.reader().read_exact(&mut data[before..]).unwrap();
    }
    Ok(data)
}

/// Both ends of an established connection.
#[derive(Debug)]
pub struct Joined {
    pub client: ClientConnection,
    pub session: Session,
    /// What came after the handshake, unopened.
    pub early: Vec<u8>,
    /// All that the server sent in the handshake.
    pub wire: Vec<u8>,
}

/// A handshake that the server ended.
#[derive(Debug)]
pub struct Refused {
    pub error: TlsError,
    /// What the client made of what the server sent last.
    pub client: Option<rustls::Error>,
}

/// A handshake in memory; `early` is sent along with the client's Finished where it can be.
pub fn try_join(
    acceptor: &Acceptor,
    mut client: ClientConnection,
    early: &[u8],
) -> Result<Joined, Box<Refused>> {
    let mut handshake = Handshake::new(acceptor).unwrap();
    let mut wire = Vec::new();
    loop {
        // Once it has keys the client sends data with its Finished (in TLS 1.2 resumption too).
        if !early.is_empty() && wire.len() > 5 && !client.is_handshaking() {
            client.writer().write_all(early).unwrap();
        }
        let mut out = Vec::new();
        let progress = handshake.receive(&sent_by(&mut client), &mut out);
        match progress {
            Err(error) => {
                let client = give(&mut client, &out).err();
                return Err(Box::new(Refused { error, client }));
            }
            Ok(progress) => {
                wire.extend_from_slice(&out);
                give(&mut client, &out).unwrap();
                if progress == Progress::Done {
                    break;
                }
                assert!(!out.is_empty(), "the handshake is stuck");
            }
        }
    }
    assert!(!client.is_handshaking());
    let (session, early) = handshake.finish().unwrap();
    Ok(Joined {
        client,
        session,
        early,
        wire,
    })
}

pub fn join(acceptor: &Acceptor, client: ClientConnection) -> Joined {
    try_join(acceptor, client, &[]).unwrap()
}

/// A connection with one suite to a listener with everything.
pub fn joined(suite: SupportedCipherSuite) -> Joined {
    let listener = listener();
    let config = Arc::new(client_config(&listener.identity, suite));
    join(&listener.acceptor, client(&config))
}

impl Joined {
    /// Seals data in records; returns the wire's bytes.
    pub fn seal(&mut self, data: &[u8]) -> Vec<u8> {
        let mut wire = Vec::new();
        for piece in data.chunks(Session::PLAINTEXT_MAX) {
            let mut out = vec![0; piece.len() + Session::OVERHEAD_MAX];
            let written = self.session.seal(&[piece], &mut out).unwrap();
            wire.extend_from_slice(&out[..written]);
        }
        wire
    }

    /// The server's data, as the client gets it.
    pub fn client_gets(&mut self, data: &[u8]) -> Vec<u8> {
        let wire = self.seal(data);
        give(&mut self.client, &wire).unwrap()
    }

    /// The client's data, as the server gets it.
    pub fn server_gets(&mut self, data: &[u8]) -> Vec<u8> {
        self.client.writer().write_all(data).unwrap();
        let wire = sent_by(&mut self.client);
        let (opened, rest) = open_all(&mut self.session, wire).unwrap();
        assert!(rest.is_empty());
        opened
    }
}

/// Opens records until one is incomplete: the data, and the bytes left over.
pub fn open_all(session: &mut Session, mut wire: Vec<u8>) -> Result<(Vec<u8>, Vec<u8>), TlsError> {
    let mut data = Vec::new();
    loop {
        let consumed = match session.open(&mut wire)? {
            Opened::Data { consumed, plain } => {
                assert!(!plain.is_empty());
                data.extend_from_slice(&wire[plain]);
                consumed
            }
            Opened::Skipped { consumed } | Opened::KeyUpdate { consumed, .. } => consumed,
            other => {
                assert_eq!(other, Opened::Incomplete);
                return Ok((data, wire));
            }
        };
        wire.drain(..consumed);
    }
}

/// Bytes that differ from place to place.
pub fn pattern(bytes: usize) -> Vec<u8> {
    (0..bytes).map(|at| (at * 31 + at / 251) as u8).collect()
}
