//! An upload on its way through the tee: hashed as it passes, entered in the ledger when
//! it ends. Dropped without an end, it is entered as aborted.

use std::sync::Arc;
use std::time::Instant;

use sha2::{Digest as _, Sha256};

use super::{Ledger, State};
use crate::playlist::{self, Playlist};

/// Bytes of a playlist or manifest that are kept at most; longer ones are hashed only.
const BODY_BYTES_MAX: usize = 256 * 1024;

/// One object between its first and its last byte.
#[derive(Debug)]
pub struct Upload {
    ledger: Arc<Ledger>,
    key: Arc<str>,
    generation: u64,
    hash: Sha256,
    length: u64,
    body: Option<Vec<u8>>,
    finished: bool,
}

impl Upload {
    pub(super) fn new(ledger: Arc<Ledger>, key: Arc<str>, generation: u64) -> Upload {
        let kept = key.ends_with(".m3u8") || key.ends_with(".mpd");
        Upload {
            ledger,
            key,
            generation,
            hash: Sha256::new(),
            length: 0,
            body: kept.then(Vec::new),
            finished: false,
        }
    }

    /// The object's key.
    #[must_use]
    pub fn key(&self) -> &Arc<str> {
        &self.key
    }

    /// The upload's generation.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// More of the body.
    pub fn data(&mut self, bytes: &[u8]) {
        self.hash.update(bytes);
        self.length += bytes.len() as u64;
        if let Some(body) = &mut self.body {
            if body.len() + bytes.len() <= BODY_BYTES_MAX {
                body.extend_from_slice(bytes);
            } else {
                self.body = None;
            }
        }
    }

    /// The last byte has come.
    pub fn finish(mut self, at: Instant) {
        self.finished = true;
        let body: Option<Arc<[u8]>> = self.body.take().map(Arc::from);
        let listed = body.as_deref().map(playlist::parse);
        let state = State::Complete {
            at,
            sha256: std::mem::take(&mut self.hash).finalize().into(),
            length: self.length,
            body,
        };
        let mut inner = self.ledger.lock();
        inner.totals.complete += 1;
        inner.totals.bytes += self.length;
        if let Some(Ok(Playlist::Media(media))) = listed {
            let listing = inner.listings.entry(self.key.clone()).or_default();
            listing.update(self.generation, &media, at);
        }
        if let Some(object) = inner.objects.get_mut(&self.key) {
            object.set(self.generation, state);
        }
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        if self.finished {
            return;
        }
        let mut inner = self.ledger.lock();
        inner.totals.aborted += 1;
        inner.totals.bytes += self.length;
        if let Some(object) = inner.objects.get_mut(&self.key) {
            object.set(self.generation, State::Aborted { at: Instant::now() });
        }
    }
}
