//! What a viewer asks for by name: an object in a ring, or a pinned object outside it.
//!
//! An [`Object`] is an ordered list of chunks. The owner appends to the list while the
//! upload goes on; readers follow it without a lock, since an entry is set once and the
//! state and the length are set last.

use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use zonecast_proto::kind::Kind;
use zonecast_ring::ChunkRef;

use super::Track;

/// Chunks of one object at most.
pub(crate) const PARTS_MAX: usize = 64;

/// Bytes of the first chunk of an object whose length is not known; each further one is
/// twice as large, up to `part_bytes`, so that a short object wastes little.
const FIRST_PART_BYTES: u32 = 64 << 10;

/// How many bytes to ask for as chunk number `part` of an object of unknown length.
pub(crate) fn part_bytes(part: usize, most: u32) -> u32 {
    let doublings = part.min(FIRST_PART_BYTES.leading_zeros() as usize);
    (FIRST_PART_BYTES << doublings).min(most)
}

/// How far an object is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum ObjectState {
    /// Its upload goes on.
    Open = 0,
    /// All its bytes are there.
    Complete = 1,
    /// Its upload was cut; what is there is never to look complete.
    Aborted = 2,
    /// The ring has passed it, or it was deleted.
    Gone = 3,
}

/// One generation of one name in a ring.
#[derive(Debug)]
pub(crate) struct Object {
    pub(crate) path: Arc<str>,
    pub(crate) kind: Kind,
    /// Number of this generation among all of the stream.
    pub(crate) generation: u64,
    /// Number of this object in its track, for what is left of the window.
    pub(crate) place: u64,
    pub(crate) track: Arc<Track>,
    state: AtomicU8,
    length: AtomicU64,
    parts: Box<[OnceLock<ChunkRef>]>,
}

impl Object {
    pub(crate) fn open(
        path: Arc<str>,
        kind: Kind,
        generation: u64,
        place: u64,
        track: Arc<Track>,
    ) -> Self {
        Self {
            path,
            kind,
            generation,
            place,
            track,
            state: AtomicU8::new(ObjectState::Open as u8),
            length: AtomicU64::new(0),
            parts: (0..PARTS_MAX).map(|_| OnceLock::new()).collect(),
        }
    }

    /// Appends a chunk; the owner's alone. False when the object has all it may have.
    pub(crate) fn push_part(&self, chunk: ChunkRef) -> bool {
        self.parts.iter().any(|part| part.set(chunk).is_ok())
    }

    /// Chunk number `part`, once it was granted.
    pub(crate) fn part(&self, part: usize) -> Option<ChunkRef> {
        self.parts.get(part).and_then(|p| p.get().copied())
    }

    /// Ends the upload with `length` bytes in all.
    pub(crate) fn complete(&self, length: u64) {
        self.length.store(length, Ordering::Relaxed);
        self.state
            .store(ObjectState::Complete as u8, Ordering::Release);
    }

    /// Marks the object as cut or passed.
    pub(crate) fn end(&self, state: ObjectState) {
        self.state.store(state as u8, Ordering::Release);
    }

    pub(crate) fn state(&self) -> ObjectState {
        match self.state.load(Ordering::Acquire) {
            0 => ObjectState::Open,
            1 => ObjectState::Complete,
            2 => ObjectState::Aborted,
            _ => ObjectState::Gone,
        }
    }

    /// Bytes in all, once complete (kept when the ring passes it).
    pub(crate) fn length(&self) -> u64 {
        self.length.load(Ordering::Relaxed)
    }
}

/// One generation of a pinned object: an init segment, a playlist or a manifest.
#[derive(Debug)]
pub(crate) struct Pinned {
    pub(crate) kind: Kind,
    /// Number of this generation among all of the stream.
    pub(crate) generation: u64,
    pub(crate) body: Arc<[u8]>,
    /// Milliseconds that a cache may keep it.
    pub(crate) max_age_ms: u64,
}

impl Pinned {
    /// Whether it is an init segment: pinned, and neither playlist nor manifest.
    pub(crate) fn is_init(&self) -> bool {
        !self.kind.is_pinned_by_name()
    }

    /// Whether encoders send it only once: an init segment or a master playlist.
    pub(crate) fn is_sent_once(&self) -> bool {
        const MASTER: &[u8] = b"#EXT-X-STREAM-INF";
        let is_master = || self.body.windows(MASTER.len()).any(|w| w == MASTER);
        self.is_init() || (self.kind == Kind::HlsPlaylist && is_master())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Chunk sizes double up to the limit, and never overflow.
    #[test]
    fn parts_double_up_to_the_limit() {
        let sizes: Vec<u32> = [0, 1, 2, 4, 5, 40, 63]
            .map(|p| part_bytes(p, 1 << 20))
            .into();
        assert_eq!(
            sizes,
            [
                64 << 10,
                128 << 10,
                256 << 10,
                1 << 20,
                1 << 20,
                1 << 20,
                1 << 20
            ]
        );
    }
}
