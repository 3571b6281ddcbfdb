//! The record header and the numbers of the protocol that both directions share
//! (RFC 8446 section 5, RFC 5246 section 6.2).

/// Bytes of a record's header: type, version, length.
pub(super) const HEADER: usize = 5;
/// Plaintext bytes that one record carries at most.
pub(super) const PLAINTEXT_MAX: usize = 16_384;
/// Bytes of the authentication tag of every suite that we speak.
pub(super) const TAG: usize = 16;
/// Bytes of the nonce that a TLS 1.2 AES-GCM record carries.
pub(super) const EXPLICIT_NONCE: usize = 8;
/// What every record says as its version, in TLS 1.2 by right and in 1.3 by custom.
pub(super) const LEGACY_VERSION: u16 = 0x0303;

pub(super) const CHANGE_CIPHER_SPEC: u8 = 20;
pub(crate) const ALERT: u8 = 21;
pub(crate) const HANDSHAKE: u8 = 22;
pub(super) const APPLICATION_DATA: u8 = 23;

/// Handshake message types that mean something after a handshake.
pub(super) const CLIENT_HELLO: u8 = 1;
pub(super) const KEY_UPDATE: u8 = 24;

/// A record's header as it stood on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) content_type: u8,
    pub(super) version: u16,
    /// Bytes after the header.
    pub(super) length: usize,
}

impl Header {
    /// The header that `input` begins with, once it is all there.
    pub(super) fn parse(input: &[u8]) -> Option<Self> {
        let bytes: &[u8; HEADER] = input.first_chunk()?;
        Some(Self {
            content_type: bytes[0],
            version: u16::from_be_bytes([bytes[1], bytes[2]]),
            length: usize::from(u16::from_be_bytes([bytes[3], bytes[4]])),
        })
    }

    /// The header of a record of ours. `length` is below 2^16: plaintext is limited.
    pub(super) fn bytes(content_type: u8, length: usize) -> [u8; HEADER] {
        let [major, minor] = LEGACY_VERSION.to_be_bytes();
        let [high, low] = (length as u16).to_be_bytes();
        [content_type, major, minor, high, low]
    }
}
