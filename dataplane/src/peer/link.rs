//! What lies between a socket's bytes and a request's: nothing, a handshake, or records.

use crate::counters::BytePath;
use crate::tls::{Handshake, Opened, Session, TlsError};

use super::Inbox;

/// See the module's description.
pub(crate) enum Link {
    /// No TLS.
    Plain,
    /// The handshake goes on; `None` only for the moment in which it is finished.
    Handshake(Option<Box<Handshake>>),
    /// Our own record layer.
    Tls(Box<Session>),
}

/// What there is to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Plaintext {
    /// Some bytes: [`Inbox::plain`].
    Some,
    /// Nothing before more is received.
    None,
    /// Nothing any more: the peer said close_notify.
    Finished,
}

impl Link {
    pub(crate) fn is_handshake(&self) -> bool {
        matches!(self, Self::Handshake(_))
    }

    /// Whether what is sent goes to the socket as it is: without TLS, or because the kernel seals it.
    pub(crate) fn takes_plaintext(&self) -> bool {
        match self {
            Self::Plain => true,
            Self::Tls(session) => session.is_sealed_by_kernel(),
            Self::Handshake(_) => false,
        }
    }

    /// The path that bytes sent on this link take.
    pub(crate) fn path(&self) -> BytePath {
        match self {
            Self::Plain => BytePath::Plain,
            Self::Tls(session) if session.is_sealed_by_kernel() => BytePath::Ktls,
            Self::Handshake(_) | Self::Tls(_) => BytePath::UserspaceTls,
        }
    }

    /// Makes plaintext out of what `inbox` has received, in place.
    pub(crate) fn open(&mut self, inbox: &mut Inbox) -> Result<Plaintext, TlsError> {
        if !inbox.plain().is_empty() {
            return Ok(Plaintext::Some);
        }
        match self {
            Self::Plain => {
                let n = inbox.sealed_mut().len();
                inbox.opened(n, 0..n);
                Ok(if n > 0 {
                    Plaintext::Some
                } else {
                    Plaintext::None
                })
            }
            Self::Handshake(_) => Ok(Plaintext::None),
            Self::Tls(session) => open_records(session, inbox),
        }
    }
}

fn open_records(session: &mut Session, inbox: &mut Inbox) -> Result<Plaintext, TlsError> {
    loop {
        match session.open(inbox.sealed_mut())? {
            Opened::Incomplete | Opened::NoRoom { .. } => return Ok(Plaintext::None),
            Opened::Data { consumed, plain } => {
                inbox.opened(consumed, plain);
                return Ok(Plaintext::Some);
            }
            Opened::CloseNotify { .. } => {
                inbox.clear();
                return Ok(Plaintext::Finished);
            }
            Opened::KeyUpdate { consumed, .. } | Opened::Skipped { consumed } => {
                inbox.opened(consumed, 0..0);
            }
        }
    }
}
