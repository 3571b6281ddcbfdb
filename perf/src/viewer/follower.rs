//! What one viewer has to do next for one playlist: no I/O, no clock of its own.
//!
//! ```text
//!            playlist arrives: start at its newest segment
//!  waiting ─────────────────────────────────────────────▶ following ──▶ ended
//!                                         poll every half target duration;
//!                                         init when it changes; then each
//!                                         segment in order, retried until
//!                                         the playlist drops it
//! ```
//!
//! Invariant: from the first segment on, every sequence number is obtained, or reported
//! missing once, or still listed; numbers are never skipped in silence.

use std::time::{Duration, Instant};

use crate::playlist::{Media, Segment, resolve};

/// How soon something that did not work is tried again.
pub(super) const RETRY: Duration = Duration::from_millis(200);
/// Between playlist polls at least.
const POLL_MIN: Duration = Duration::from_millis(100);
/// Between polls before the target duration is known.
const POLL_UNKNOWN: Duration = Duration::from_millis(250);

/// The next request for a playlist.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Due {
    /// The playlist itself.
    Playlist,
    /// The init segment, by its path.
    Init(String),
    /// A media segment, by its path.
    Segment(String, Segment),
}

/// See the module's description.
#[derive(Debug)]
pub(super) struct Follower {
    path: String,
    /// The playlist's generation that was last accepted.
    had: Option<u64>,
    epoch: u64,
    media: Option<Media>,
    first: Option<(u64, u64)>,
    next: u64,
    init: Option<String>,
    obtained: u64,
    poll_at: Instant,
    fetch_at: Instant,
    /// When the object that is due was first asked for.
    asked: Option<Instant>,
    late: bool,
}

impl Follower {
    pub(super) fn new(path: String, now: Instant) -> Follower {
        Follower {
            path,
            had: None,
            epoch: 0,
            media: None,
            first: None,
            next: 0,
            init: None,
            obtained: 0,
            poll_at: now,
            fetch_at: now,
            asked: None,
            late: false,
        }
    }

    pub(super) fn path(&self) -> &str {
        &self.path
    }

    pub(super) fn had(&self) -> Option<u64> {
        self.had
    }

    pub(super) fn epoch(&self) -> u64 {
        self.epoch
    }

    /// The first segment's run and number, once there was one.
    pub(super) fn first(&self) -> Option<(u64, u64)> {
        self.first
    }

    /// The run and number of the next segment.
    pub(super) fn next(&self) -> (u64, u64) {
        (self.epoch, self.next)
    }

    pub(super) fn obtained(&self) -> u64 {
        self.obtained
    }

    /// The playlist's target duration; two seconds while unknown.
    pub(super) fn target(&self) -> Duration {
        let known = self.media.as_ref().map(|media| media.target);
        known
            .filter(|target| !target.is_zero())
            .unwrap_or(Duration::from_secs(2))
    }

    /// The playlist has ended and nothing of it is left to obtain.
    pub(super) fn ended(&self) -> bool {
        self.media
            .as_ref()
            .is_some_and(|media| media.ended && self.next >= media.next_sequence())
    }

    /// What is to be asked for now: segments first, since they can be late.
    pub(super) fn due(&self, now: Instant) -> Option<Due> {
        if now >= self.fetch_at
            && let Some(due) = self.fetch()
        {
            return Some(due);
        }
        (now >= self.poll_at && !self.ended()).then_some(Due::Playlist)
    }

    /// When [`Follower::due`] has something next; `None` when never.
    pub(super) fn due_at(&self) -> Option<Instant> {
        if self.ended() {
            return None;
        }
        match self.fetch() {
            Some(_) => Some(self.poll_at.min(self.fetch_at)),
            None => Some(self.poll_at),
        }
    }

    fn fetch(&self) -> Option<Due> {
        let segment = self.media.as_ref()?.segment(self.next)?;
        if segment.map != self.init
            && let Some(map) = &segment.map
        {
            return Some(Due::Init(resolve(&self.path, map)?));
        }
        Some(Due::Segment(
            resolve(&self.path, &segment.uri)?,
            segment.clone(),
        ))
    }

    /// A playlist arrived: the sequence numbers that were listed and can no longer be had,
    /// with their run.
    pub(super) fn playlist_done(
        &mut self,
        now: Instant,
        generation: u64,
        epoch: u64,
        media: Media,
    ) -> Vec<(u64, u64)> {
        self.had = Some(generation);
        let mut missed = Vec::new();
        if self.first.is_none() {
            if let Some(newest) = media.segments.last() {
                self.first = Some((epoch, newest.sequence));
                self.next = newest.sequence;
            }
            self.epoch = epoch;
        } else if epoch != self.epoch {
            let listed = self.media.as_ref().map_or(self.next, Media::next_sequence);
            missed.extend((self.next..listed).map(|sequence| (self.epoch, sequence)));
            self.epoch = epoch;
            self.next = media.sequence;
            self.init = None;
        } else if media.sequence > self.next {
            missed.extend((self.next..media.sequence).map(|sequence| (epoch, sequence)));
            self.next = media.sequence;
        }
        if !missed.is_empty() {
            self.settle();
        }
        self.media = Some(media);
        self.poll_at = now + (self.target() / 2).max(POLL_MIN);
        missed
    }

    /// No playlist could be had: later again.
    pub(super) fn playlist_failed(&mut self, now: Instant) {
        self.poll_at = now + POLL_UNKNOWN;
    }

    /// The due object is asked for: when that was first done.
    pub(super) fn asking(&mut self, now: Instant) -> Instant {
        *self.asked.get_or_insert(now)
    }

    /// The due object did not come, and is asked for again.
    pub(super) fn retry(&mut self, now: Instant) {
        self.fetch_at = now + RETRY;
    }

    /// The due object is late; says whether that is news.
    pub(super) fn late(&mut self) -> bool {
        !std::mem::replace(&mut self.late, true)
    }

    /// The due init segment is here.
    pub(super) fn init_done(&mut self, map: Option<String>) {
        self.init = map;
        self.settle();
    }

    /// The due segment is here, or gone for good.
    pub(super) fn segment_done(&mut self, obtained: bool) {
        self.next += 1;
        self.obtained += u64::from(obtained);
        self.settle();
    }

    /// The init segment that the due segment needs, as listed.
    pub(super) fn map(&self) -> Option<String> {
        self.media.as_ref()?.segment(self.next)?.map.clone()
    }

    fn settle(&mut self) {
        self.asked = None;
        self.late = false;
    }
}

#[cfg(test)]
mod tests;
