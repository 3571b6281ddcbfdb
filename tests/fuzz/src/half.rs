//! One direction of a connection, by a record layer that shares no code with the one that is
//! fuzzed, and that seals what no honest one would.

use aws_lc_rs::aead::{self, Aad, Algorithm, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::hkdf::{self, Prk};
use rustls::ConnectionTrafficSecrets;

pub(crate) const ALERT: u8 = 21;
pub(crate) const HANDSHAKE: u8 = 22;
pub(crate) const DATA: u8 = 23;

const HEADER: usize = 5;
const TAG: usize = 16;

/// One direction of a connection.
pub(crate) struct Half {
    algorithm: &'static Algorithm,
    key: LessSafeKey,
    iv: [u8; 12],
    sequence: u64,
    /// TLS 1.3: what the next keys come from.
    secret: Option<(hkdf::Algorithm, Vec<u8>)>,
}

impl Half {
    pub(crate) fn new(
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
