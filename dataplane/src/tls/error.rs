//! What can go wrong in TLS, whose fault it is, and which alert says so to the peer.

use rustls::AlertDescription;

/// Who has to act on an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The peer broke the protocol, gave up, or offered nothing that we accept.
    Peer,
    /// The configuration (certificates, keys) cannot be used.
    Operator,
    /// A limit or an invariant on our side.
    Us,
}

/// Errors of certificates, handshakes and records.
///
/// After an error from a [`super::Handshake`] or from opening a record the connection is of no
/// more use: send [`TlsError::alert`] if there is one, then close.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A certificate chain or private key that cannot be served.
    #[error("certificate {label}: {reason}")]
    Certificate {
        /// What the caller named it (a file).
        label: String,
        /// Why it cannot be used.
        reason: String,
    },
    /// A listener's configuration that rustls refuses.
    #[error("TLS configuration: {0}")]
    Configuration(rustls::Error),
    /// The handshake failed. Its alert is already in the handshake's output.
    #[error("TLS handshake: {0}")]
    Handshake(rustls::Error),
    /// The peer sent more than any handshake needs.
    #[error("TLS handshake: more than {0} are not read")]
    HandshakeTooLong(&'static str),
    /// The handshake is not over, or has failed, and cannot be finished.
    #[error("TLS handshake is not complete")]
    HandshakeNotComplete,
    /// The peer closed (close_notify) in mid-handshake.
    #[error("the peer closed during the TLS handshake")]
    ClosedInHandshake,
    /// A record whose protection does not verify.
    #[error("TLS record does not authenticate")]
    BadRecordMac,
    /// A record longer than the protocol allows.
    #[error("TLS record of {0} bytes is too long")]
    RecordOverflow(usize),
    /// A record or message that has no place on an established connection.
    #[error("unexpected TLS message: {0}")]
    Unexpected(&'static str),
    /// A message that does not parse.
    #[error("malformed TLS message: {0}")]
    Malformed(&'static str),
    /// A record of another protocol version.
    #[error("TLS record says version {0:#06x}")]
    WrongVersion(u16),
    /// TLS 1.2: the client wants to renegotiate, which is refused.
    #[error("TLS renegotiation is refused")]
    Renegotiation,
    /// Too many records that carry no data (empty ones, warnings, KeyUpdates).
    #[error("too many TLS records without data")]
    Flood,
    /// The peer ended the connection with this alert.
    #[error("the peer sent TLS alert {0:?}")]
    PeerAlert(AlertDescription),
    /// TLS 1.2: this key has sealed as many records as it safely may.
    #[error("the TLS key has sealed all the records it may")]
    KeyExhausted,
    /// The kernel seals what this connection sends.
    #[error("the kernel seals this connection")]
    SealedByKernel,
    /// The output has too little room; nothing was sealed.
    #[error("{needed} bytes are needed for a TLS record")]
    NoRoom {
        /// Bytes that the output must have.
        needed: usize,
    },
    /// More plaintext than one record carries; nothing was sealed.
    #[error("{0} bytes do not fit in one TLS record")]
    PlaintextTooLong(usize),
    /// This direction has ended: by close_notify, by a fatal alert, or by an earlier error.
    #[error("this direction of the TLS connection has ended")]
    Ended,
    /// The version does not have this (KeyUpdate in TLS 1.2).
    #[error("this TLS version has no {0}")]
    NotInThisVersion(&'static str),
    /// The cryptographic library refused what must work.
    #[error("cryptographic library: {0}")]
    Crypto(&'static str),
}

impl TlsError {
    /// The alert to seal and send before closing. `None`: there is nothing to say, or it has been
    /// said (a handshake writes its own alerts).
    pub fn alert(&self) -> Option<AlertDescription> {
        match self {
            Self::BadRecordMac => Some(AlertDescription::BadRecordMac),
            Self::RecordOverflow(_) => Some(AlertDescription::RecordOverflow),
            Self::Unexpected(_) | Self::Flood => Some(AlertDescription::UnexpectedMessage),
            Self::Malformed(_) => Some(AlertDescription::DecodeError),
            Self::WrongVersion(_) => Some(AlertDescription::ProtocolVersion),
            Self::Renegotiation => Some(AlertDescription::NoRenegotiation),
            Self::Crypto(_) => Some(AlertDescription::InternalError),
            _ => None,
        }
    }

    /// Whose fault it is.
    pub fn fault(&self) -> Fault {
        match self {
            Self::Certificate { .. } | Self::Configuration(_) => Fault::Operator,
            Self::HandshakeNotComplete
            | Self::KeyExhausted
            | Self::NoRoom { .. }
            | Self::PlaintextTooLong(_)
            | Self::Ended
            | Self::NotInThisVersion(_)
            | Self::Crypto(_) => Fault::Us,
            Self::Handshake(
                rustls::Error::General(_)
                | rustls::Error::FailedToGetCurrentTime
                | rustls::Error::FailedToGetRandomBytes,
            ) => Fault::Us,
            _ => Fault::Peer,
        }
    }
}
