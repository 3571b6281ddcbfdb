//! A client that says what no honest client would: rustls makes the handshake, and the records
//! after it are made here, by a record layer that shares no code with ours.

use aws_lc_rs::aead::{self, Aad, LessSafeKey, Nonce, UnboundKey};
use rustls::{ConnectionTrafficSecrets, ProtocolVersion, SupportedCipherSuite};
use zonecast_dataplane::tls::Session;

use super::Joined;

pub const ALERT: u8 = 21;
pub const HANDSHAKE: u8 = 22;
pub const DATA: u8 = 23;

/// The sending half of a client.
pub struct RawClient {
    key: LessSafeKey,
    iv: [u8; 12],
    sequence: u64,
    tls13: bool,
    chacha: bool,
}

/// A client whose every word we choose, and the session that hears it.
pub fn pair(suite: SupportedCipherSuite) -> (RawClient, Session) {
    RawClient::of(super::joined(suite))
}

impl RawClient {
    /// Takes the keys out of the client's end of a connection.
    pub fn of(joined: Joined) -> (Self, Session) {
        let tls13 = joined.client.protocol_version() == Some(ProtocolVersion::TLSv1_3);
        let secrets = joined.client.dangerous_extract_secrets().unwrap();
        let (algorithm, key, iv) = match &secrets.tx.1 {
            ConnectionTrafficSecrets::Aes128Gcm { key, iv } => (&aead::AES_128_GCM, key, iv),
            ConnectionTrafficSecrets::Aes256Gcm { key, iv } => (&aead::AES_256_GCM, key, iv),
            ConnectionTrafficSecrets::Chacha20Poly1305 { key, iv } => {
                (&aead::CHACHA20_POLY1305, key, iv)
            }
            _ => panic!("another suite"),
        };
        let raw = Self {
            key: LessSafeKey::new(UnboundKey::new(algorithm, key.as_ref()).unwrap()),
            iv: iv.as_ref().try_into().unwrap(),
            sequence: secrets.tx.0,
            tls13,
            chacha: algorithm == &aead::CHACHA20_POLY1305,
        };
        (raw, joined.session)
    }

    /// One record of any type with any content.
    pub fn record(&mut self, content_type: u8, content: &[u8]) -> Vec<u8> {
        self.padded_record(content_type, content, 0)
    }

    /// TLS 1.3: with so many zeros behind the inner type.
    pub fn padded_record(&mut self, content_type: u8, content: &[u8], zeros: usize) -> Vec<u8> {
        let mut inner = content.to_vec();
        if self.tls13 {
            inner.push(content_type);
            inner.resize(inner.len() + zeros, 0);
        }
        self.inner_record(content_type, inner)
    }

    /// TLS 1.3: `inner` is all of the inner plaintext.
    pub fn inner_record(&mut self, content_type: u8, mut inner: Vec<u8>) -> Vec<u8> {
        let mut nonce = self.iv;
        let sequence = self.sequence.to_be_bytes();
        for at in 0..8 {
            nonce[4 + at] ^= sequence[at];
        }
        self.sequence += 1;
        let explicit: &[u8] = if self.tls13 || self.chacha {
            &[]
        } else {
            &nonce[4..]
        };
        let outer = if self.tls13 { DATA } else { content_type };
        let length = explicit.len() + inner.len() + 16;
        let mut record = vec![outer, 3, 3, (length >> 8) as u8, length as u8];
        let mut associated = record.clone();
        if !self.tls13 {
            associated = sequence.to_vec();
            associated.extend([outer, 3, 3, (inner.len() >> 8) as u8, inner.len() as u8]);
        }
        self.key
            .seal_in_place_append_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(associated),
                &mut inner,
            )
            .unwrap();
        record.extend_from_slice(explicit);
        record.extend_from_slice(&inner);
        record
    }
}
