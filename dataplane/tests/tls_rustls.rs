//! Shows that our record layer is rustls's to the byte: under the same keys both make the same
//! records of the same plaintext, and ours opens what rustls's has sealed. TLS 1.2 with AES-GCM
//! is no exception: its explicit nonces go on where rustls's Finished left off.
#![allow(clippy::unwrap_used)]

mod tls_support;

use rustls::crypto::cipher::{MessageEncrypter, OutboundChunks, OutboundPlainMessage};
use rustls::{
    ConnectionTrafficSecrets, ContentType, ExtractedSecrets, ProtocolVersion, SupportedCipherSuite,
};
use tls_support::{SUITES, TLS12, joined, pattern};
use zonecast_dataplane::tls::{Opened, Session};

/// Lengths around what matters to a cipher or to a record.
const LENGTHS: [usize; 14] = [
    1, 2, 15, 16, 17, 63, 64, 65, 255, 1_000, 4_096, 16_000, 16_383, 16_384,
];

/// One direction of a connection, sealed by rustls's own record layer.
struct Theirs {
    layer: Box<dyn MessageEncrypter>,
    sequence: u64,
}

impl Theirs {
    fn new(suite: SupportedCipherSuite, keys: (u64, ConnectionTrafficSecrets)) -> Self {
        let (sequence, secrets) = keys;
        let (key, iv) = match secrets {
            ConnectionTrafficSecrets::Aes128Gcm { key, iv }
            | ConnectionTrafficSecrets::Aes256Gcm { key, iv }
            | ConnectionTrafficSecrets::Chacha20Poly1305 { key, iv } => (key, iv),
            _ => panic!("another suite"),
        };
        let layer = match suite {
            SupportedCipherSuite::Tls13(suite) => suite.aead_alg.encrypter(key, iv),
            SupportedCipherSuite::Tls12(suite) => {
                let (fixed, explicit) = iv.as_ref().split_at(fixed_iv_len(suite));
                suite.aead_alg.encrypter(key, fixed, explicit)
            }
        };
        Self::behind(layer, sequence)
    }

    /// aws-lc wants to see the sequence from its beginning: what rustls itself has sealed is
    /// sealed once more, with other content, and dropped.
    fn behind(layer: Box<dyn MessageEncrypter>, sequence: u64) -> Self {
        let mut theirs = Self { layer, sequence: 0 };
        while theirs.sequence < sequence {
            theirs.seal(ContentType::Handshake, &[b"before"]);
        }
        theirs
    }

    fn seal(&mut self, content_type: ContentType, pieces: &[&[u8]]) -> Vec<u8> {
        let message = OutboundPlainMessage {
            typ: content_type,
            version: ProtocolVersion::TLSv1_2,
            payload: OutboundChunks::new(pieces),
        };
        let record = self.layer.encrypt(message, self.sequence).unwrap();
        self.sequence += 1;
        record.encode()
    }
}

fn fixed_iv_len(suite: &rustls::Tls12CipherSuite) -> usize {
    suite.aead_alg.key_block_shape().fixed_iv_len
}

/// A session of ours, and the secrets of its client.
fn pair(suite: SupportedCipherSuite) -> (Session, ExtractedSecrets) {
    let joined = joined(suite);
    let secrets = joined.client.dangerous_extract_secrets().unwrap();
    (joined.session, secrets)
}

#[test]
fn what_we_seal_is_what_rustls_would() {
    for suite in SUITES {
        let (mut session, secrets) = pair(suite);
        let mut theirs = Theirs::new(suite, secrets.rx);
        let mut out = vec![0; Session::PLAINTEXT_MAX + Session::OVERHEAD_MAX];
        for length in LENGTHS {
            let data = pattern(length);
            // From one piece, and gathered from several.
            let third = data.len() / 3;
            let cut = [
                &data[..third],
                b"",
                &data[third..2 * third],
                &data[2 * third..],
            ];
            for pieces in [&[&data[..]][..], &cut] {
                let written = session.seal(pieces, &mut out).unwrap();
                let expected = theirs.seal(ContentType::ApplicationData, pieces);
                assert!(out[..written] == expected, "{suite:?}, {length} bytes");
            }
        }
        let written = session.seal_close_notify(&mut out).unwrap();
        let expected = theirs.seal(ContentType::Alert, &[&[1, 0]]);
        assert_eq!(out[..written], expected, "{suite:?}");
    }
}

#[test]
fn our_key_updates_are_rustls_own() {
    for suite in &SUITES[..3] {
        let (mut session, secrets) = pair(*suite);
        let mut theirs = Theirs::new(*suite, secrets.rx);
        let mut out = [0; 64];
        let written = session.seal_key_update(&mut out).unwrap();
        let expected = theirs.seal(ContentType::Handshake, &[&[24, 0, 0, 1, 0]]);
        assert_eq!(out[..written], expected, "{suite:?}");
    }
}

#[test]
fn what_rustls_seals_opens() {
    for suite in SUITES {
        let (mut session, secrets) = pair(suite);
        let mut theirs = Theirs::new(suite, secrets.tx);
        for length in LENGTHS {
            let data = pattern(length);
            let mut wire = theirs.seal(ContentType::ApplicationData, &[&data]);
            let mut out = vec![0; length + 1];
            let opened = session.open_into(&wire, &mut out).unwrap();
            let expected = Opened::Data {
                consumed: wire.len(),
                plain: 0..length,
            };
            assert_eq!(opened, expected, "{suite:?}");
            assert!(out[..length] == data);
            wire = theirs.seal(ContentType::ApplicationData, &[&data]);
            let Opened::Data { plain, .. } = session.open(&mut wire).unwrap() else {
                panic!("{suite:?}: no data");
            };
            assert!(wire[plain] == data);
        }
        let mut wire = theirs.seal(ContentType::Alert, &[&[1, 0]]);
        let opened = session.open(&mut wire).unwrap();
        assert!(matches!(opened, Opened::CloseNotify { .. }), "{suite:?}");
    }
}

/// A client whose explicit nonces are no counter, as some make them, is understood all the same:
/// what stands in the record is believed.
#[test]
fn explicit_nonces_of_a_client_are_its_own() {
    for suite in [TLS12, SUITES[4]] {
        let (mut session, secrets) = pair(suite);
        let (sequence, keys) = secrets.tx;
        let (key, iv) = match keys {
            ConnectionTrafficSecrets::Aes128Gcm { key, iv }
            | ConnectionTrafficSecrets::Aes256Gcm { key, iv } => (key, iv),
            _ => panic!("another suite"),
        };
        let SupportedCipherSuite::Tls12(of_tls12) = suite else {
            panic!("TLS 1.2");
        };
        let other = b"\xa5\x5a\x01\x02\x03\x04\x05\x06";
        let layer = of_tls12.aead_alg.encrypter(key, &iv.as_ref()[..4], other);
        let mut theirs = Theirs::behind(layer, sequence);
        for round in 0..10_u8 {
            let mut wire = theirs.seal(ContentType::ApplicationData, &[&[round; 100]]);
            let Opened::Data { plain, .. } = session.open(&mut wire).unwrap() else {
                panic!("no data");
            };
            assert_eq!(wire[plain], [round; 100]);
        }
    }
}
