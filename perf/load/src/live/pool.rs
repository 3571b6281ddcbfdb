//! Session tickets of all viewers together: whoever is to resume takes one, and each is used once
//! (RFC 8446 appendix C.4).

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustls::client::{ClientSessionStore, Resumption, Tls12ClientSessionValue};
use rustls::client::{Tls12Resumption, Tls13ClientSessionValue};
use rustls::{ClientConfig, NamedGroup};
use rustls_pki_types::{CertificateDer, ServerName};

use crate::{LoadError, tls};

/// Tickets that are kept; older ones are dropped first.
const KEPT_MAX: usize = 100_000;

/// The tickets.
#[derive(Debug, Default)]
pub struct Pool {
    tickets: Mutex<VecDeque<Tls13ClientSessionValue>>,
}

impl Pool {
    /// How many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.tickets().len()
    }

    fn tickets(&self) -> MutexGuard<'_, VecDeque<Tls13ClientSessionValue>> {
        self.tickets.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A client's view of the pool.
#[derive(Debug)]
struct Store {
    pool: Arc<Pool>,
    /// Takes tickets; else it only gives them.
    takes: bool,
}

impl ClientSessionStore for Store {
    fn set_kx_hint(&self, _: ServerName<'static>, _: NamedGroup) {}

    fn kx_hint(&self, _: &ServerName<'_>) -> Option<NamedGroup> {
        None
    }

    fn set_tls12_session(&self, _: ServerName<'static>, _: Tls12ClientSessionValue) {}

    fn tls12_session(&self, _: &ServerName<'_>) -> Option<Tls12ClientSessionValue> {
        None
    }

    fn remove_tls12_session(&self, _: &ServerName<'static>) {}

    fn insert_tls13_ticket(&self, _: ServerName<'static>, value: Tls13ClientSessionValue) {
        let mut tickets = self.pool.tickets();
        if tickets.len() >= KEPT_MAX {
            tickets.pop_front();
        }
        tickets.push_back(value);
    }

    fn take_tls13_ticket(&self, _: &ServerName<'static>) -> Option<Tls13ClientSessionValue> {
        if self.takes {
            self.pool.tickets().pop_front()
        } else {
            None
        }
    }
}

/// Two clients as [`tls::client`] makes them, for viewers whose records are their own after the
/// handshake. The tickets of both go to the pool; the second one resumes with them. They are of
/// one make: rustls uses a ticket only with the verifier that it was got with.
///
/// # Errors
/// The root is no certificate.
pub fn clients(
    root: CertificateDer<'static>,
    pool: &Arc<Pool>,
) -> Result<[Arc<ClientConfig>; 2], LoadError> {
    let mut config = tls::client(root, false)?;
    config.enable_secret_extraction = true;
    Ok([false, true].map(|takes| {
        let pool = Arc::clone(pool);
        let mut config = config.clone();
        config.resumption = Resumption::store(Arc::new(Store { pool, takes }))
            .tls12_resumption(Tls12Resumption::Disabled);
        Arc::new(config)
    }))
}
