//! Session tickets under keys that all loops and zones share, so that a viewer who comes back
//! to any of them resumes.
//!
//! A ticket is `name (16) || nonce (12) || AES-256-GCM(state) || tag (16)`. Two keys are held: the
//! current one seals, both open. Rotating drops the older one, and with it every ticket that it
//! sealed: that is what bounds how long a stolen key could open recorded connections. Nonces are
//! random, which 96 bits allow for 2^32 tickets a key; the control plane rotates by time, long
//! before.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::rand;
use rustls::server::ProducesTickets;
use zeroize::Zeroizing;

use super::TlsError;

const NAME: usize = 16;

/// The ticket keys of a daemon. Somebody has to call [`TicketKeys::rotate`] once a lifetime.
#[derive(Debug)]
pub struct TicketKeys {
    pair: ArcSwap<Pair>,
    lifetime: Duration,
}

#[derive(Debug)]
struct Pair {
    current: Arc<TicketKey>,
    previous: Option<Arc<TicketKey>>,
}

#[derive(Debug)]
struct TicketKey {
    /// Says which key sealed a ticket; random, not secret.
    name: [u8; NAME],
    aead: LessSafeKey,
}

impl TicketKeys {
    /// Fresh random keys. `lifetime` is how often they will be rotated, and what clients are told:
    /// a ticket is good for one to two of it.
    ///
    /// # Errors
    /// [`TlsError::Crypto`] without randomness.
    pub fn new(lifetime: Duration) -> Result<Arc<Self>, TlsError> {
        let pair = Pair {
            current: Arc::new(TicketKey::random()?),
            previous: None,
        };
        Ok(Arc::new(Self {
            pair: ArcSwap::from_pointee(pair),
            lifetime,
        }))
    }

    /// How often [`Self::rotate`] is due.
    pub fn lifetime(&self) -> Duration {
        self.lifetime
    }

    /// A new key seals from now on; tickets of the one before still open, older ones no more.
    /// For one thread of the control plane: of two at once, one key would seal nothing.
    ///
    /// # Errors
    /// [`TlsError::Crypto`] without randomness; the keys stay as they are.
    pub fn rotate(&self) -> Result<(), TlsError> {
        let current = Arc::new(TicketKey::random()?);
        let previous = Some(Arc::clone(&self.pair.load().current));
        self.pair.store(Arc::new(Pair { current, previous }));
        Ok(())
    }
}

impl ProducesTickets for TicketKeys {
    fn enabled(&self) -> bool {
        true
    }

    fn lifetime(&self) -> u32 {
        u32::try_from(self.lifetime.as_secs()).unwrap_or(u32::MAX)
    }

    fn encrypt(&self, plain: &[u8]) -> Option<Vec<u8>> {
        self.pair.load().current.seal(plain)
    }

    fn decrypt(&self, ticket: &[u8]) -> Option<Vec<u8>> {
        let (name, sealed) = ticket.split_first_chunk::<NAME>()?;
        let pair = self.pair.load();
        let key = [Some(&pair.current), pair.previous.as_ref()]
            .into_iter()
            .flatten()
            .find(|key| key.name == *name)?;
        key.open(sealed)
    }
}

impl TicketKey {
    fn random() -> Result<Self, TlsError> {
        let no_randomness = |_| TlsError::Crypto("no randomness for a ticket key");
        let mut name = [0; NAME];
        let mut key = Zeroizing::new([0; 32]);
        rand::fill(&mut name).map_err(no_randomness)?;
        rand::fill(key.as_mut_slice()).map_err(no_randomness)?;
        let unbound = UnboundKey::new(&AES_256_GCM, key.as_slice()).map_err(no_randomness)?;
        Ok(Self {
            name,
            aead: LessSafeKey::new(unbound),
        })
    }

    fn seal(&self, plain: &[u8]) -> Option<Vec<u8>> {
        let mut nonce = [0; NONCE_LEN];
        rand::fill(&mut nonce).ok()?;
        let tag_len = AES_256_GCM.tag_len();
        let mut ticket = Vec::with_capacity(NAME + NONCE_LEN + plain.len() + tag_len);
        ticket.extend_from_slice(&self.name);
        ticket.extend_from_slice(&nonce);
        ticket.extend_from_slice(plain);
        let tag = self
            .aead
            .seal_in_place_separate_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(self.name),
                &mut ticket[NAME + NONCE_LEN..],
            )
            .ok()?;
        ticket.extend_from_slice(tag.as_ref());
        Some(ticket)
    }

    /// `sealed` is a ticket after its name.
    fn open(&self, sealed: &[u8]) -> Option<Vec<u8>> {
        let (nonce, sealed) = sealed.split_first_chunk::<NONCE_LEN>()?;
        let mut plain = sealed.to_vec();
        let length = self
            .aead
            .open_in_place(
                Nonce::assume_unique_for_key(*nonce),
                Aad::from(self.name),
                &mut plain,
            )
            .ok()?
            .len();
        plain.truncate(length);
        Some(plain)
    }
}
