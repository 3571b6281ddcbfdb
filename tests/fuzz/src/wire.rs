//! The client's side of a connection: rustls makes the handshake, and the records after it are
//! sealed and opened here, by a record layer that shares no code with the one that is fuzzed.

use std::sync::{Arc, LazyLock, Mutex};

use aws_lc_rs::aead::{self, Aad, Algorithm, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::hkdf::{self, Prk};
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

pub(crate) const ALERT: u8 = 21;
pub(crate) const HANDSHAKE: u8 = 22;
pub(crate) const DATA: u8 = 23;

const HEADER: usize = 5;
const TAG: usize = 16;

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

/// One direction of a connection.
pub(crate) struct Half {
    algorithm: &'static Algorithm,
    key: LessSafeKey,
    iv: [u8; 12],
    sequence: u64,
    /// TLS 1.3: what the next keys come from.
    secret: Option<(hkdf::Algorithm, Vec<u8>)>,
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

impl Half {
    fn new(
        sequence: u64,
        secrets: &ConnectionTrafficSecrets,
        secret: Option<(hkdf::Algorithm, Vec<u8>)>,
    ) -> Self {
        let (algorithm, key, iv) = match secrets {
            ConnectionTrafficSecrets::Aes128Gcm { key, iv } => (&aead::AES_128_GCM, key, iv),
            ConnectionTrafficSecrets::Aes256Gcm { key, iv } => (&aead::AES_256_GCM, key, iv),
            ConnectionTrafficSecrets::Chacha20Poly1305 { key, iv } => {
                (&aead::CHACHA20_POLY1305, key, iv)
            }
            _ => panic!("a suite that is not in the list"),
        };
        Self {
            algorithm,
            key: aead_key(algorithm, key.as_ref()),
            iv: iv.as_ref().try_into().expect("an IV has 12 bytes"),
            sequence,
            secret,
        }
    }

    pub(crate) fn is_tls13(&self) -> bool {
        self.secret.is_some()
    }

    fn has_explicit_nonce(&self) -> bool {
        !self.is_tls13() && self.algorithm != &aead::CHACHA20_POLY1305
    }

    /// The next key (RFC 8446 section 7.2).
    pub(crate) fn update(&mut self) {
        let (hash, secret) = self.secret.as_mut().expect("TLS 1.3 only");
        *secret = expanded(*hash, secret, "traffic upd", secret.len());
        let key = expanded(*hash, secret, "key", self.algorithm.key_len());
        let iv = expanded(*hash, secret, "iv", 12);
        self.key = aead_key(self.algorithm, &key);
        self.iv = iv.try_into().expect("12 bytes were asked for");
        self.sequence = 0;
    }

    fn nonce(&mut self) -> [u8; 12] {
        let mut nonce = self.iv;
        for (byte, of) in nonce[4..].iter_mut().zip(self.sequence.to_be_bytes()) {
            *byte ^= of;
        }
        self.sequence += 1;
        nonce
    }

    fn associated(&self, header: [u8; HEADER], plain: usize) -> Vec<u8> {
        if self.is_tls13() {
            return header.to_vec();
        }
        let mut bytes = (self.sequence - 1).to_be_bytes().to_vec();
        bytes.extend_from_slice(&header[..3]);
        bytes.extend((plain as u16).to_be_bytes());
        bytes
    }

    /// One record of any type with any content; `zeros` of padding in TLS 1.3.
    pub(crate) fn seal(&mut self, content_type: u8, content: &[u8], zeros: usize) -> Vec<u8> {
        let mut inner = content.to_vec();
        let mut outer = content_type;
        if self.is_tls13() {
            outer = DATA;
            inner.push(content_type);
            inner.resize(inner.len() + zeros, 0);
        }
        let nonce = self.nonce();
        let explicit: &[u8] = match self.has_explicit_nonce() {
            true => &nonce[4..],
            false => &[],
        };
        let length = (explicit.len() + inner.len() + TAG) as u16;
        let [high, low] = length.to_be_bytes();
        let header = [outer, 3, 3, high, low];
        let associated = Aad::from(self.associated(header, inner.len()));
        let key = &self.key;
        key.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), associated, &mut inner)
            .expect("it can be sealed");
        [&header, explicit, &inner].concat()
    }

    /// The first record of `wire`: its bytes, its inner type and its content.
    pub(crate) fn open(&mut self, wire: &[u8]) -> (usize, u8, Vec<u8>) {
        let header: [u8; HEADER] = wire[..HEADER].try_into().expect("a header is there");
        let length = usize::from(u16::from_be_bytes([header[3], header[4]]));
        let mut body = wire[HEADER..HEADER + length].to_vec();
        let nonce = self.nonce();
        if self.has_explicit_nonce() {
            assert_eq!(body[..8], nonce[4..], "the next explicit nonce");
            body.drain(..8);
        }
        let associated = Aad::from(self.associated(header, body.len() - TAG));
        let key = &self.key;
        let plain = key
            .open_in_place(Nonce::assume_unique_for_key(nonce), associated, &mut body)
            .expect("what was sealed opens");
        let (content_type, content) = match self.is_tls13() {
            true => {
                let (last, rest) = plain.split_last().expect("a type");
                (*last, rest.to_vec())
            }
            false => (header[0], plain.to_vec()),
        };
        (HEADER + length, content_type, content)
    }
}

fn aead_key(algorithm: &'static Algorithm, key: &[u8]) -> LessSafeKey {
    LessSafeKey::new(UnboundKey::new(algorithm, key).expect("the key is as long as it should be"))
}

struct Length(usize);

impl hkdf::KeyType for Length {
    fn len(&self) -> usize {
        self.0
    }
}

/// HKDF-Expand-Label with an empty context (RFC 8446 section 7.1).
fn expanded(hash: hkdf::Algorithm, secret: &[u8], label: &str, len: usize) -> Vec<u8> {
    let label = format!("tls13 {label}");
    let info = [
        &(len as u16).to_be_bytes()[..],
        &[label.len() as u8],
        label.as_bytes(),
        &[0],
    ];
    let mut out = vec![0; len];
    Prk::new_less_safe(hash, secret)
        .expand(&info, Length(len))
        .and_then(|okm| okm.fill(&mut out))
        .expect("it is short");
    out
}
