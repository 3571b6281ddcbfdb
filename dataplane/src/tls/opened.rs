//! What a record was, and what the messages in it that are no data mean on an established
//! connection.

use std::ops::Range;

use rustls::AlertDescription;

use super::TlsError;
use super::keys::Format;
use super::record::{CLIENT_HELLO, KEY_UPDATE};

/// What the first record of an input was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Opened {
    /// The first record is not all there yet.
    Incomplete,
    /// Only when opening into other memory, which is too small: nothing happened. Give `needed`
    /// bytes, or open in place.
    NoRoom {
        /// Bytes that the output must have (a little more than the data).
        needed: usize,
    },
    /// Data. Never empty.
    Data {
        /// Bytes of the input that the record took.
        consumed: usize,
        /// Where the data is: in the input, or in the memory that it was opened into.
        plain: Range<usize>,
    },
    /// The peer sends nothing more; whatever follows in the input is to be ignored.
    CloseNotify {
        /// Bytes of the input that the record took.
        consumed: usize,
    },
    /// The peer changed its key (TLS 1.3); ours for it is changed already.
    KeyUpdate {
        /// Bytes of the input that the record took.
        consumed: usize,
        /// It asked for ours to change: the next sealing does so by itself.
        answer: bool,
    },
    /// A record that means nothing to us (empty, or a warning).
    Skipped {
        /// Bytes of the input that the record took.
        consumed: usize,
    },
}

/// TLS 1.3 knows two alerts that are no errors, whatever level they say (RFC 8446 section 6);
/// TLS 1.2 has warnings, which say nothing that we act on.
pub(super) fn alert(format: Format, message: &[u8], consumed: usize) -> Result<Opened, TlsError> {
    let &[level, code] = message else {
        return Err(TlsError::Malformed("an alert is two bytes"));
    };
    let warning = level == 1 && format != Format::Tls13;
    match AlertDescription::from(code) {
        AlertDescription::CloseNotify => Ok(Opened::CloseNotify { consumed }),
        AlertDescription::UserCanceled => Ok(Opened::Skipped { consumed }),
        _ if warning => Ok(Opened::Skipped { consumed }),
        alert => Err(TlsError::PeerAlert(alert)),
    }
}

/// A KeyUpdate, whole and alone in its record (it must end it, RFC 8446 section 5.1; nobody splits
/// its five bytes), is all that a client may say after the handshake.
pub(super) fn handshake(
    format: Format,
    message: &[u8],
    consumed: usize,
) -> Result<Opened, TlsError> {
    match (format, message) {
        (Format::Tls13, [KEY_UPDATE, 0, 0, 1, request @ (0 | 1)]) => Ok(Opened::KeyUpdate {
            consumed,
            answer: *request == 1,
        }),
        (Format::Tls13, [KEY_UPDATE, 0, 0, 1, _]) => {
            Err(TlsError::Malformed("a KeyUpdate asks for 0 or 1"))
        }
        (Format::Tls13, _) => Err(TlsError::Unexpected("a handshake message")),
        (_, [CLIENT_HELLO, ..]) => Err(TlsError::Renegotiation),
        _ => Err(TlsError::Unexpected("a handshake message")),
    }
}
