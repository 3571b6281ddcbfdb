//! What the tee saw: every version of every object on its way from the encoders to the
//! daemon. It is the measure that viewers compare with.
//!
//! The tee writes it (one [`Upload`] an object on its way), the viewers ask it. An object
//! is known by its key, `{stream}/{path}`; each upload of a key is a new *generation*,
//! counted from 1 over all keys. A generation's hash is known before the daemon can have
//! its last byte, since the tee records first and relays then.
//!
//! **In flight.** The tee sees an upload's end before the daemon has it, so a generation
//! counts as in flight from its first byte until the daemon has answered it, and at most
//! [`SETTLE_MAX`] past its end: an answer can only make the ledger stricter, and a daemon
//! that does not answer gains no time. A generation that was cut off, refused, or lost on
//! a broken connection is never demanded of the daemon.
//!
//! Everything is bounded: objects, generations kept of each, listed segments, bodies kept.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

mod listing;
mod names;
mod upload;
mod version;

pub use listing::{Entry, Listing};
pub use names::{Judgement, Totals, key_of};
pub use upload::Upload;
pub use version::{Answer, Digest, State, Version, hex};

use names::is_pinned;
use version::Object;

/// How long after its end an upload without an answer still counts as in flight.
pub const SETTLE_MAX: Duration = Duration::from_millis(500);

/// Objects that are remembered at most; the ones untouched for longest go first, segments
/// before playlists, manifests and init segments.
pub const OBJECTS_MAX: usize = 16 * 1024;

/// See the module's description. Shared by `Arc`.
#[derive(Debug, Default)]
pub struct Ledger {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    objects: HashMap<Arc<str>, Object>,
    listings: HashMap<Arc<str>, Listing>,
    generations: u64,
    totals: Totals,
}

impl Ledger {
    /// An empty ledger.
    #[must_use]
    pub fn new() -> Arc<Ledger> {
        Arc::new(Ledger::default())
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Judges a body of `key` with this hash and length, requested at `asked`, whose last
    /// byte came at `finished`.
    #[must_use]
    pub fn judge(
        &self,
        key: &str,
        sha256: &Digest,
        length: u64,
        asked: Instant,
        finished: Instant,
    ) -> Judgement {
        match self.lock().objects.get(key) {
            Some(object) => object.judge(sha256, length, asked, finished),
            None => Judgement::Wrong { wanted: None },
        }
    }

    /// Judges a playlist (or any object that is replaced under its name) by its own rule:
    /// some generation that was there by `finished`, and not older than `had`, which this
    /// viewer already had.
    #[must_use]
    pub fn judge_playlist(
        &self,
        key: &str,
        sha256: &Digest,
        length: u64,
        had: Option<u64>,
        finished: Instant,
    ) -> Judgement {
        let inner = self.lock();
        let found = inner
            .objects
            .get(key)
            .and_then(|object| object.newest_with(sha256, length, finished));
        match (found, had) {
            (Some(generation), Some(had)) if generation < had => Judgement::Stale {
                generation,
                wanted: had,
            },
            (Some(generation), _) => Judgement::Right { generation },
            (None, _) => Judgement::Wrong { wanted: None },
        }
    }

    /// Which run of the encoder a playlist's generation belongs to (see [`Listing`]).
    #[must_use]
    pub fn epoch(&self, playlist: &str, generation: u64) -> Option<u64> {
        self.lock().listings.get(playlist)?.epoch_of(generation)
    }

    /// When the playlist stopped listing a segment; `None` while it does (or never did).
    #[must_use]
    pub fn dropped_at(&self, playlist: &str, epoch: u64, sequence: u64) -> Option<Instant> {
        let inner = self.lock();
        inner
            .listings
            .get(playlist)?
            .entry(epoch, sequence)?
            .dropped_at
    }

    /// What a playlist ever listed.
    #[must_use]
    pub fn listing(&self, playlist: &str) -> Option<Listing> {
        self.lock().listings.get(playlist).cloned()
    }

    /// All generations that are kept of a key, oldest first.
    #[must_use]
    pub fn versions(&self, key: &str) -> Vec<Version> {
        self.lock()
            .objects
            .get(key)
            .map(|object| object.versions().cloned().collect())
            .unwrap_or_default()
    }

    /// When DELETE was last asked for a key.
    #[must_use]
    pub fn deleted_at(&self, key: &str) -> Option<Instant> {
        self.lock().objects.get(key)?.deleted_at
    }

    /// All keys that are known, in no order.
    #[must_use]
    pub fn keys(&self) -> Vec<Arc<str>> {
        self.lock().objects.keys().cloned().collect()
    }

    /// All that is kept, a line an upload in the order in which they began, with times
    /// since the first: for logs.
    #[must_use]
    pub fn describe(&self) -> String {
        let inner = self.lock();
        let mut uploads: Vec<(&Arc<str>, &Version)> = inner
            .objects
            .iter()
            .flat_map(|(key, object)| object.versions().map(move |version| (key, version)))
            .collect();
        uploads.sort_by_key(|(_, version)| version.generation);
        let Some(origin) = uploads.first().map(|(_, version)| version.started) else {
            return String::new();
        };
        let line = |(key, version): (&Arc<str>, &Version)| version.describe(key, origin);
        uploads.into_iter().map(line).collect()
    }

    /// The counts.
    #[must_use]
    pub fn totals(&self) -> Totals {
        self.lock().totals
    }

    /// An upload of `key` begins.
    #[must_use]
    pub fn begin(self: &Arc<Self>, key: &str, at: Instant) -> Upload {
        let mut inner = self.lock();
        inner.generations += 1;
        inner.totals.begun += 1;
        let generation = inner.generations;
        inner.make_room();
        let key: Arc<str> = match inner.objects.get_key_value(key) {
            Some((key, _)) => key.clone(),
            None => Arc::from(key),
        };
        inner
            .objects
            .entry(key.clone())
            .or_default()
            .begin(generation, at);
        Upload::new(self.clone(), key, generation)
    }

    /// A DELETE of `key` passed.
    pub fn deleted(&self, key: &str, at: Instant) {
        let mut inner = self.lock();
        inner.totals.deletes += 1;
        if let Some(object) = inner.objects.get_mut(key) {
            object.deleted_at = Some(at);
        }
    }

    /// A connection could not be read as HTTP any further.
    pub fn unreadable(&self) {
        self.lock().totals.unreadable += 1;
    }

    /// What the daemon said to an upload: called by the tee with the status, or with
    /// [`Answer::Lost`] when the connection broke without one.
    pub fn answered(&self, key: &str, generation: u64, answer: Answer) {
        let mut inner = self.lock();
        let whole = match inner.objects.get_mut(key) {
            Some(object) => object.answered(generation, answer),
            None => false,
        };
        match answer {
            Answer::Status(200..300, _) | Answer::Pending => {}
            Answer::Status(..) => inner.totals.refused += 1,
            Answer::Lost(_) => inner.totals.lost += u64::from(whole),
        }
    }
}

impl Inner {
    /// Forgets the objects untouched for longest, an eighth at a time, segments first.
    fn make_room(&mut self) {
        if self.objects.len() < OBJECTS_MAX {
            return;
        }
        let mut order: Vec<(bool, u64, Arc<str>)> = self
            .objects
            .iter()
            .map(|(key, object)| (is_pinned(key), object.touched(), key.clone()))
            .collect();
        order.sort();
        for (_, _, key) in order.into_iter().take(OBJECTS_MAX / 8) {
            self.objects.remove(&key);
            self.listings.remove(&key);
        }
    }
}

#[cfg(test)]
mod tests;
