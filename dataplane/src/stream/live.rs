//! One stream as every loop sees it: read without a lock, but for what only status needs.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use zonecast_numa::{LoopId, ZoneId};
use zonecast_proto::track::TrackPatterns;

use super::saved::SavedObject;
use super::{Entry, Index, Pinned, Track, Watch};
use crate::config::StreamConfig;
use crate::counters::IngestError;
use crate::status::{StreamStatus, TrackStatus};

/// A live channel, with one id on all nodes.
pub(crate) struct Stream {
    /// Names it in this run of the daemon; one that comes back has another.
    pub(crate) number: u64,
    pub(crate) id: Arc<str>,
    pub(crate) zone: ZoneId,
    /// The loop that owns its rings.
    pub(crate) owner: LoopId,
    /// Made by a PUT, not by the configuration.
    pub(crate) by_encoder: bool,
    pub(crate) epoch: u64,
    /// Of all streams: a stream that comes back does not use a tag again.
    generations: Arc<AtomicU64>,
    pub(crate) settings: ArcSwap<StreamConfig>,
    pub(crate) index: ArcSwap<Index>,
    pub(crate) tracks: ArcSwap<Vec<Arc<Track>>>,
    pub(crate) watch: Watch,
    pub(crate) uploads_open: AtomicU32,
    pub(crate) uploads_total: AtomicU64,
    /// Closed for good: its owner takes no orders any more.
    closed: AtomicBool,
    patterns: TrackPatterns,
    complaints: Mutex<Complaints>,
}

#[derive(Default)]
struct Complaints {
    by_reason: BTreeMap<&'static str, u64>,
    latest: Option<String>,
}

impl std::fmt::Debug for Stream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Stream({} in zone {})", self.id, self.zone.0)
    }
}

impl Stream {
    pub(crate) fn new(
        settings: StreamConfig,
        by_encoder: bool,
        zone: ZoneId,
        owner: LoopId,
        loops: usize,
        (epoch, generations): (u64, Arc<AtomicU64>),
    ) -> Self {
        Self {
            number: generations.fetch_add(1, Ordering::Relaxed),
            id: settings.id.as_str().into(),
            zone,
            owner,
            by_encoder,
            epoch,
            generations,
            settings: ArcSwap::from_pointee(settings),
            index: ArcSwap::default(),
            tracks: ArcSwap::default(),
            watch: Watch::new(loops),
            uploads_open: AtomicU32::new(0),
            uploads_total: AtomicU64::new(0),
            closed: AtomicBool::new(false),
            patterns: TrackPatterns::default(),
            complaints: Mutex::default(),
        }
    }

    /// Publishes what an earlier run saved, before anybody sees the stream.
    pub(crate) fn take_over(&self, pinned: Vec<SavedObject>) {
        let mut index = Index::default();
        for (path, kind, body) in pinned {
            let generation = self.next_generation();
            let entry = Pinned {
                kind,
                generation,
                body,
                max_age_ms: 1_000,
            };
            index.put(&path, Entry::Pinned(Arc::new(entry)));
        }
        self.index.store(Arc::new(index));
    }

    /// What encoders send only once, to be taken over.
    pub(crate) fn sent_once(&self) -> Vec<SavedObject> {
        let kept = self.index.load().kept();
        let saved = kept.pinned().map(|(path, pinned)| {
            let (path, body) = (path.clone(), pinned.body.clone());
            (path, pinned.kind, body)
        });
        let mut saved: Vec<SavedObject> = saved.collect();
        saved.sort_unstable_by(|a, b| a.0.cmp(&b.0));
        saved
    }

    /// Whether it stays where it is with this home zone.
    pub(crate) fn stays_in(&self, zone: Option<u16>) -> bool {
        zone.is_none_or(|zone| zone == self.zone.0)
    }

    /// The number of a new generation of one of its objects.
    pub(crate) fn next_generation(&self) -> u64 {
        self.generations.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Closes it for good.
    pub(crate) fn close(&self) {
        self.closed.store(true, Ordering::SeqCst);
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::SeqCst)
    }

    /// The track that `path` belongs to.
    pub(crate) fn track_of(&self, path: &str) -> String {
        self.patterns.track_of(path).to_string()
    }

    pub(crate) fn add_track(&self, track: &Arc<Track>) {
        let mut tracks = Vec::clone(&self.tracks.load());
        tracks.push(track.clone());
        self.tracks.store(Arc::new(tracks));
    }

    /// Counts an upload error, and logs the first of its reason: an encoder shows none.
    pub(crate) fn complain(&self, error: IngestError, what: &str) {
        let mut complaints = self
            .complaints
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let count = complaints.by_reason.entry(error.as_str()).or_default();
        *count += 1;
        if *count == 1 {
            let (stream, reason) = (&*self.id, error.as_str());
            tracing::warn!(
                stream,
                reason,
                what,
                "an upload had an error; more are only counted"
            );
        }
        complaints.latest = Some(format!("{}: {what}", error.as_str()));
    }

    /// The stream as it stands.
    pub(crate) fn status(&self) -> StreamStatus {
        let index = self.index.load();
        let complaints = self
            .complaints
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let mut pinned: Vec<String> = index.pinned().map(|(path, _)| path.to_string()).collect();
        pinned.sort_unstable();
        let tracks: Vec<TrackStatus> = self.tracks.load().iter().map(|t| t.status()).collect();
        StreamStatus {
            id: self.id.to_string(),
            zone: self.zone.0,
            live: !index.is_empty(),
            tracks,
            pinned,
            uploads_open: self.uploads_open.load(Ordering::Relaxed),
            uploads_total: self.uploads_total.load(Ordering::Relaxed),
            refusals: complaints
                .by_reason
                .iter()
                .map(|(r, n)| ((*r).to_owned(), *n))
                .collect(),
            last_error: complaints.latest.clone(),
            window_short: index.lapped_while_listed(),
        }
    }
}
