//! What every loop knows of a track: its ring's reader, and figures for caches and status.

use std::sync::atomic::{AtomicU64, Ordering};

use zonecast_numa::ZoneId;
use zonecast_ring::RingReader;

use crate::status::TrackStatus;

/// One rendition of a stream; its ring lies in the stream's home zone.
#[derive(Debug)]
pub(crate) struct Track {
    pub(crate) name: String,
    /// Unique in the process, also over streams that end and come back.
    pub(crate) ring_number: u64,
    pub(crate) zone: ZoneId,
    pub(crate) ring: RingReader,
    /// Place of the oldest object that can be asked for.
    pub(crate) oldest: AtomicU64,
    /// Milliseconds from one segment to the next as measured; 0 before the second.
    pub(crate) interval_ms: AtomicU64,
    /// Chunks ever completed.
    pub(crate) chunks_total: AtomicU64,
    /// Objects that can be asked for.
    pub(crate) objects: AtomicU64,
    /// The ring's own figures, stored by the owner: bytes, live bytes, chunks, stepped
    /// over, refused.
    pub(crate) figures: [AtomicU64; 5],
}

impl Track {
    pub(crate) fn new(name: &str, zone: ZoneId, ring: RingReader) -> Self {
        static RINGS: AtomicU64 = AtomicU64::new(0);
        Self {
            name: name.to_owned(),
            ring_number: RINGS.fetch_add(1, Ordering::Relaxed),
            zone,
            ring,
            oldest: AtomicU64::new(0),
            interval_ms: AtomicU64::new(0),
            chunks_total: AtomicU64::new(0),
            objects: AtomicU64::new(0),
            figures: Default::default(),
        }
    }

    /// The track as it stands.
    pub(crate) fn status(&self) -> TrackStatus {
        let [ring_bytes, bytes_live, chunks, stepped_over, refused] =
            [0, 1, 2, 3, 4].map(|n: usize| self.figures[n].load(Ordering::Relaxed));
        TrackStatus {
            name: self.name.clone(),
            ring_bytes,
            bytes_live,
            chunks,
            chunks_total: self.chunks_total.load(Ordering::Relaxed),
            objects: self.objects.load(Ordering::Relaxed),
            stepped_over,
            refused,
            interval_ms: self.interval_ms.load(Ordering::Relaxed),
        }
    }

    /// The measured segment interval, or two seconds before it is known.
    pub(crate) fn interval_or_default_ms(&self) -> u64 {
        match self.interval_ms.load(Ordering::Relaxed) {
            0 => 2_000,
            ms => ms,
        }
    }

    /// Takes in that a segment came `ms` after the one before: a slow average, within
    /// what segments last in practice.
    pub(crate) fn measure_interval(&self, ms: u64) {
        let ms = ms.clamp(100, 30_000);
        let next = match self.interval_ms.load(Ordering::Relaxed) {
            0 => ms,
            old => (old * 3 + ms) / 4,
        };
        self.interval_ms.store(next, Ordering::Relaxed);
    }

    /// Whole seconds for which the object at `place` will most likely still be there.
    pub(crate) fn window_left_s(&self, place: u64) -> u64 {
        let ahead = place.saturating_sub(self.oldest.load(Ordering::Relaxed));
        ahead * self.interval_or_default_ms() / 1000
    }
}
