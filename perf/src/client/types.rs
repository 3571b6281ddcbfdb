//! What the client is asked, and what it answers.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use rustls::ClientConfig;
use rustls_pki_types::ServerName;
use thiserror::Error;

use crate::ledger::Digest;
use crate::wire::{ResponseHead, WireError};

/// Why there is no whole response.
#[derive(Debug, Error)]
pub enum ClientError {
    /// No connection, or no TLS on it.
    #[error("cannot connect to {address}: {error}")]
    Connect {
        /// Where to.
        address: SocketAddr,
        /// What the system or rustls said.
        error: io::Error,
    },
    /// The connection broke before the response's head was there.
    #[error("no response: {0}")]
    NoResponse(io::Error),
    /// The body ended early: the response must not be used.
    #[error("status {status}, body cut off after {got} bytes: {error}")]
    Truncated {
        /// Of the response that was cut.
        status: u16,
        /// Body bytes received.
        got: u64,
        /// How the connection ended.
        error: io::Error,
    },
    /// The response is not HTTP/1.1.
    #[error("unreadable response: {0}")]
    Unreadable(#[from] WireError),
    /// The body is longer than the caller allows.
    #[error("body is longer than {0} bytes")]
    TooLong(u64),
}

/// Where to connect, and how.
#[derive(Clone)]
pub struct Target {
    /// The peer.
    pub address: SocketAddr,
    /// For the Host field: `localhost:8443`.
    pub host: String,
    /// TLS with this configuration and name; `None` for plain TCP.
    pub tls: Option<(Arc<ClientConfig>, ServerName<'static>)>,
}

impl Target {
    /// Plain HTTP to an address.
    #[must_use]
    pub fn plain(address: SocketAddr) -> Target {
        Target {
            address,
            host: address.to_string(),
            tls: None,
        }
    }

    /// HTTPS to an address, by the name `localhost`.
    #[must_use]
    pub fn tls(address: SocketAddr, config: Arc<ClientConfig>) -> Target {
        let name = ServerName::try_from("localhost").expect("a valid DNS name");
        Target {
            address,
            host: format!("localhost:{}", address.port()),
            tls: Some((config, name)),
        }
    }
}

/// What a caller wants of a response's body.
#[derive(Debug, Clone, Copy)]
pub struct Want {
    /// Keep the body (else it is only hashed).
    pub keep: bool,
    /// More is an error.
    pub bytes_max: u64,
}

impl Want {
    /// Hash only, up to 256 MiB.
    pub const HASH: Want = Want {
        keep: false,
        bytes_max: 256 << 20,
    };
    /// Keep, up to 4 MiB.
    pub const BODY: Want = Want {
        keep: true,
        bytes_max: 4 << 20,
    };
}

/// A whole response.
#[derive(Debug, Clone)]
pub struct Response {
    /// Status and fields.
    pub head: ResponseHead,
    /// Just before the request was written.
    pub asked: Instant,
    /// The first body byte (the end of the head where there is no body).
    pub first_byte: Instant,
    /// The last body byte and the end of its framing.
    pub last_byte: Instant,
    /// Body bytes.
    pub length: u64,
    /// Of the body.
    pub sha256: Digest,
    /// The body, where it was wanted.
    pub body: Vec<u8>,
}

impl Response {
    /// 100 to 999.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.head.status
    }

    /// The first field of this name (given in lower case).
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&str> {
        let found = self.head.fields.iter().find(|(known, _)| known == name)?;
        Some(&found.1)
    }
}
