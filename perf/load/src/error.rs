//! What can go wrong with a load.

use std::io;
use std::time::Duration;

/// Why a load has ended early. None of these is worth a retry: the figures would mean nothing.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// A response was not what was asked for.
    #[error("connection {connection}: {what}")]
    Wrong {
        /// Which connection.
        connection: usize,
        /// What was wrong.
        what: String,
    },
    /// A connection broke, and the load does not allow for that.
    #[error("connection {connection} broke: {error}")]
    Broke {
        /// Which connection.
        connection: usize,
        /// How.
        error: io::Error,
    },
    /// Something took too long.
    #[error("{what} took longer than {limit:?}")]
    TooSlow {
        /// What.
        what: String,
        /// What it was given.
        limit: Duration,
    },
    /// The client's side of TLS cannot be set up.
    #[error("TLS: {0}")]
    Tls(#[from] rustls::Error),
    /// The system refuses something that is not one connection's.
    #[error("{what}: {error}")]
    System {
        /// What was tried.
        what: &'static str,
        /// What the system said.
        error: io::Error,
    },
}

impl LoadError {
    pub(crate) fn system(what: &'static str) -> impl Fn(rustix::io::Errno) -> LoadError {
        move |error| LoadError::System {
            what,
            error: error.into(),
        }
    }
}
