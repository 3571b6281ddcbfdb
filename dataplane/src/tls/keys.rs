//! One direction's key: AEAD, IV, sequence number, and how a record is laid out under it.
//!
//! A nonce is always `iv XOR sequence`, and the sequence only ever grows, so no nonce comes
//! twice under a key. That holds across the hand-over from rustls too: rustls sealed its own
//! records (TLS 1.2's Finished, TLS 1.3's tickets) by the same rule, and tells the next sequence.

use aws_lc_rs::aead::{
    AES_128_GCM, AES_256_GCM, Aad, Algorithm, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey,
};
use rustls::{ConnectionTrafficSecrets, ProtocolVersion};
use zeroize::Zeroize;

use super::TlsError;
use super::record::{EXPLICIT_NONCE, HEADER, Header, TAG};

const IV: usize = 12;
/// Sequence, type, version, length: what a TLS 1.2 record authenticates besides its data.
const AAD_12: usize = 13;

/// How a record is laid out; follows from version and suite.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    /// The type hides behind the plaintext; the header is authenticated.
    Tls13,
    /// The last eight bytes of the nonce stand before the ciphertext (RFC 5288).
    Tls12Gcm,
    /// No explicit nonce (RFC 7905).
    Tls12ChaCha,
}

impl Format {
    /// Bytes between the start of a record and its ciphertext.
    pub(super) fn prefix(self) -> usize {
        match self {
            Self::Tls12Gcm => HEADER + EXPLICIT_NONCE,
            Self::Tls13 | Self::Tls12ChaCha => HEADER,
        }
    }

    /// Bytes after the ciphertext of the plaintext.
    pub(super) fn suffix(self) -> usize {
        match self {
            Self::Tls13 => 1 + TAG,
            Self::Tls12Gcm | Self::Tls12ChaCha => TAG,
        }
    }
}

/// A key in use. Wiped when dropped: the IV here, the AEAD's memory by aws-lc.
pub(super) struct RecordKey {
    aead: LessSafeKey,
    iv: [u8; IV],
    sequence: u64,
    format: Format,
}

impl RecordKey {
    /// Takes over what rustls negotiated; `sequence` is that of the next record.
    pub(super) fn new(
        version: ProtocolVersion,
        sequence: u64,
        secrets: &ConnectionTrafficSecrets,
    ) -> Result<Self, TlsError> {
        let (algorithm, key, iv): (&'static Algorithm, _, _) = match secrets {
            ConnectionTrafficSecrets::Aes128Gcm { key, iv } => (&AES_128_GCM, key, iv),
            ConnectionTrafficSecrets::Aes256Gcm { key, iv } => (&AES_256_GCM, key, iv),
            ConnectionTrafficSecrets::Chacha20Poly1305 { key, iv } => (&CHACHA20_POLY1305, key, iv),
            _ => return Err(TlsError::Crypto("the suite has no record layer here")),
        };
        let format = match (version, secrets) {
            (ProtocolVersion::TLSv1_3, _) => Format::Tls13,
            (ProtocolVersion::TLSv1_2, ConnectionTrafficSecrets::Chacha20Poly1305 { .. }) => {
                Format::Tls12ChaCha
            }
            (ProtocolVersion::TLSv1_2, _) => Format::Tls12Gcm,
            _ => return Err(TlsError::Crypto("the version has no record layer here")),
        };
        let unbound = UnboundKey::new(algorithm, key.as_ref())
            .map_err(|_| TlsError::Crypto("a traffic key is refused"))?;
        let iv = iv
            .as_ref()
            .try_into()
            .map_err(|_| TlsError::Crypto("a traffic IV has the wrong length"))?;
        Ok(Self {
            aead: LessSafeKey::new(unbound),
            iv,
            sequence,
            format,
        })
    }

    pub(super) fn format(&self) -> Format {
        self.format
    }

    /// Records that this key has protected so far.
    pub(super) fn records(&self) -> u64 {
        self.sequence
    }

    pub(super) fn aead(&self) -> &LessSafeKey {
        &self.aead
    }

    /// The nonce of the next record in this direction.
    pub(super) fn nonce(&self) -> [u8; IV] {
        let mut nonce = self.iv;
        for (byte, sequence) in nonce[IV - 8..].iter_mut().zip(self.sequence.to_be_bytes()) {
            *byte ^= sequence;
        }
        nonce
    }

    /// The nonce of the peer's next record: in TLS 1.2 GCM it comes with the record.
    pub(super) fn nonce_received(&self, body: &[u8]) -> Nonce {
        let mut nonce = self.nonce();
        if self.format == Format::Tls12Gcm {
            nonce[..IV - EXPLICIT_NONCE].copy_from_slice(&self.iv[..IV - EXPLICIT_NONCE]);
            nonce[IV - EXPLICIT_NONCE..].copy_from_slice(&body[..EXPLICIT_NONCE]);
        }
        Nonce::assume_unique_for_key(nonce)
    }

    /// What the next record authenticates besides its data. `length` is the header's in TLS 1.3
    /// and the plaintext's in TLS 1.2.
    pub(super) fn associated(&self, content_type: u8, length: usize) -> Aad<Associated> {
        let mut bytes = [0; AAD_12];
        let used = if self.format == Format::Tls13 {
            bytes[..HEADER].copy_from_slice(&Header::bytes(content_type, length));
            HEADER
        } else {
            bytes[..8].copy_from_slice(&self.sequence.to_be_bytes());
            bytes[8..].copy_from_slice(&Header::bytes(content_type, length));
            AAD_12
        };
        Aad::from(Associated { bytes, used })
    }

    /// One record is done. The limits on records end a key long before 2^64.
    pub(super) fn advance(&mut self) {
        self.sequence += 1;
    }
}

impl Drop for RecordKey {
    fn drop(&mut self) {
        self.iv.zeroize();
    }
}

/// Associated data of one record.
pub(super) struct Associated {
    bytes: [u8; AAD_12],
    used: usize,
}

impl AsRef<[u8]> for Associated {
    fn as_ref(&self) -> &[u8] {
        &self.bytes[..self.used]
    }
}
