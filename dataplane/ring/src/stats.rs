//! What the owner can tell about its ring: for metrics and for the admin's eye.

use crate::ring::Ring;
use crate::state::Phase;

/// What a ring holds and what became of the rest. Counters count from the ring's creation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RingStats {
    /// Bytes for chunks and their markers.
    pub bytes_total: u64,
    /// Bytes of chunks that can be read, with their markers.
    pub bytes_live: u64,
    /// Bytes of chunks that are given up, but leased or held by their writer still.
    pub bytes_held: u64,
    /// Chunks that can be read, open ones included.
    pub chunks_live: u32,
    /// Those of them that are being written.
    pub chunks_open: u32,
    /// Chunks that an allocation went round, because they were leased or open.
    pub stepped_over: u64,
    /// Complete chunks that were given up: for room, or by [`Ring::revoke`].
    pub revoked: u64,
    /// Chunks that never became complete.
    pub aborted: u64,
    /// Allocations for which there was no room.
    pub refused: u64,
}

impl Ring {
    /// What the ring holds. Goes over all slots.
    #[must_use]
    pub fn stats(&self) -> RingStats {
        let mut stats = self.counted;
        stats.bytes_total = self.room.size().into();
        for entry in &self.entries {
            let bytes = || u64::from(self.room.bytes_of(entry.start));
            if matches!(entry.phase, Phase::Open | Phase::Complete) {
                stats.bytes_live += bytes();
                stats.chunks_live += 1;
            }
        }
        stats.chunks_open = self.open.len() as u32;
        for &slot in &self.unquiet {
            stats.bytes_held += u64::from(self.room.bytes_of(self.entry(slot).start));
        }
        stats
    }
}
