//! What a media playlist listed over its whole life: which segment, from when, until when.
//!
//! An encoder that restarts begins its numbering again. Each such run is an *epoch*,
//! counted from 0: a playlist that ends before what was already listed, or that gives a
//! listed number to another name, begins a new one.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::playlist::Media;

/// Listed segments that are kept at most; the oldest go first.
const ENTRIES_MAX: usize = 16 * 1024;
/// Generations whose epoch is kept.
const GENERATIONS_MAX: usize = 4096;

/// A segment as the playlist listed it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The encoder's run.
    pub epoch: u64,
    /// The media sequence number.
    pub sequence: u64,
    /// As listed.
    pub uri: String,
    /// `EXTINF`.
    pub duration: Duration,
    /// When the first playlist that lists it had passed the tee.
    pub listed_at: Instant,
    /// When the first playlist that no longer lists it had passed.
    pub dropped_at: Option<Instant>,
}

/// See the module's description.
#[derive(Debug, Clone, Default)]
pub struct Listing {
    entries: VecDeque<Entry>,
    generations: VecDeque<(u64, u64)>,
    epoch: u64,
    target: Duration,
    ended: bool,
}

impl Listing {
    /// All segments that are kept, in the order in which they were listed.
    pub fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter()
    }

    /// The segment with this number in this run.
    #[must_use]
    pub fn entry(&self, epoch: u64, sequence: u64) -> Option<&Entry> {
        // Sorted by run and number, since that is the order of listing.
        let at = self
            .entries
            .binary_search_by_key(&(epoch, sequence), |entry| (entry.epoch, entry.sequence))
            .ok()?;
        self.entries.get(at)
    }

    /// The run that a playlist's generation belongs to.
    #[must_use]
    pub fn epoch_of(&self, generation: u64) -> Option<u64> {
        let found = self
            .generations
            .iter()
            .rev()
            .find(|(known, _)| *known == generation)?;
        Some(found.1)
    }

    /// The target duration last seen.
    #[must_use]
    pub fn target(&self) -> Duration {
        self.target
    }

    /// The newest playlist says that nothing follows.
    #[must_use]
    pub fn ended(&self) -> bool {
        self.ended
    }

    pub(super) fn update(&mut self, generation: u64, media: &Media, at: Instant) {
        self.target = media.target;
        self.ended = media.ended;
        if self.restarted(media) {
            self.epoch += 1;
        }
        if self.generations.len() == GENERATIONS_MAX {
            self.generations.pop_front();
        }
        self.generations.push_back((generation, self.epoch));
        let epoch = self.epoch;
        for entry in self.entries.iter_mut().rev() {
            if entry.epoch == epoch && media.segment(entry.sequence).is_some() {
                continue;
            }
            if entry.dropped_at.is_some() {
                // Segments go in the order in which they came: older ones went before.
                break;
            }
            entry.dropped_at = Some(at);
        }
        let newest = self.newest();
        for segment in &media.segments {
            if newest.is_some_and(|newest| segment.sequence <= newest) {
                continue;
            }
            if self.entries.len() == ENTRIES_MAX {
                self.entries.pop_front();
            }
            self.entries.push_back(Entry {
                epoch,
                sequence: segment.sequence,
                uri: segment.uri.clone(),
                duration: segment.duration,
                listed_at: at,
                dropped_at: None,
            });
        }
    }

    /// The highest number listed in the current run.
    fn newest(&self) -> Option<u64> {
        let last = self.entries.back()?;
        (last.epoch == self.epoch).then_some(last.sequence)
    }

    fn restarted(&self, media: &Media) -> bool {
        let Some(newest) = self.newest() else {
            return false;
        };
        let renamed = media.segments.iter().any(|segment| {
            self.entry(self.epoch, segment.sequence)
                .is_some_and(|entry| entry.uri != segment.uri)
        });
        renamed || media.next_sequence() <= newest
    }
}
