//! What a ring's owner, writers and readers have in common. It, and with it the memory,
//! goes when the last of them does.

use std::sync::atomic::AtomicU64;
use std::time::SystemTime;

use crate::control::{Control, Slot};
use crate::data::Data;
use crate::error::Lapped;
use crate::gate;
use crate::layout::{CHUNK_HEADER_BYTES, CHUNK_TRAILER_BYTES, trailer_offset};
use crate::marker::{Header, Identity, Trailer};
use crate::state::{State, Written};
use crate::sync::Ordering;

/// Names one chunk of a ring, for ever: a slot is reused, a sequence never.
///
/// It is a name, not a right: it may be kept, copied and sent anywhere, and be stale.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ChunkRef {
    /// The slot that the chunk is in, as long as it is there.
    pub slot: u32,
    /// The chunk's number, rising with every chunk of the ring, from 1.
    pub sequence: u64,
}

/// How far a chunk is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Bytes of the payload that may be read. They never change again.
    pub committed: u32,
    /// No more will come: `committed` is the chunk's length.
    pub complete: bool,
}

pub(crate) struct Shared {
    pub(crate) control: Control,
    pub(crate) data: Data,
    pub(crate) generation: u64,
}

impl Shared {
    pub(crate) fn identity(&self, chunk: ChunkRef) -> Identity {
        Identity {
            sequence: chunk.sequence,
            generation: self.generation,
        }
    }

    /// Whether the owner is gone.
    pub(crate) fn is_closed(&self) -> bool {
        self.control.header().closed.load(Ordering::Acquire) != 0
    }

    /// The words of the slot that a name points at; `None` when it points nowhere.
    pub(crate) fn slot(&self, chunk: ChunkRef) -> Option<&Slot> {
        let slots = self.control.layout().slots;
        (chunk.slot < slots).then(|| self.control.slot(chunk.slot))
    }

    /// How far the chunk is, read without a lease: the state is read before and after, and
    /// what was read in between counts only when the chunk is still there.
    pub(crate) fn progress(&self, chunk: ChunkRef) -> Result<Progress, Lapped> {
        let slot = self.slot(chunk).ok_or(Lapped::Overwritten)?;
        let before = State::unpack(slot.state.load(Ordering::Acquire));
        let complete = gate::readable(before, chunk.sequence)?;
        // Acquire: were this a later chunk's progress, the state below would be a later one
        // too; and the bytes up to here are visible.
        let written = Written::unpack(slot.progress.load(Ordering::Acquire));
        let after = State::unpack(slot.state.load(Ordering::Acquire));
        gate::readable(after, chunk.sequence)?;
        if written.gone {
            return Err(Lapped::Aborted);
        }
        // `complete` is from before: only then is what was read in between the end.
        let committed = written.committed;
        Ok(Progress {
            committed,
            complete,
        })
    }

    /// Whether markers, payload and control words of a complete chunk agree.
    ///
    /// # Safety
    /// The chunk at `offset` is complete, and its bytes stay until this returns.
    pub(crate) unsafe fn verify(&self, chunk: ChunkRef, offset: u32, length: u32) -> bool {
        let bytes = |at: u32, len: u32| {
            let range = self.data.readable(offset + at, len);
            // SAFETY: a complete chunk's markers and payload are written by nobody, and the
            // caller vouches that they stay.
            unsafe { range.as_ref() }
        };
        let Some(header) = Header::decode(bytes(0, CHUNK_HEADER_BYTES)) else {
            return false;
        };
        let Some(at) = trailer_offset(length) else {
            return false;
        };
        let Some(trailer) = Trailer::decode(bytes(at, CHUNK_TRAILER_BYTES)) else {
            return false;
        };
        let identity = self.identity(chunk);
        header.identity == identity
            && trailer.identity == identity
            && header.slot == chunk.slot
            && header.length == Some(length)
            && trailer.length == length
            && crc32c::crc32c(bytes(CHUNK_HEADER_BYTES, length)) == trailer.checksum
    }
}

/// A number that no other ring of this process has, nor, by the clock, one before it.
pub(crate) fn next_generation() -> u64 {
    static LAST: AtomicU64 = AtomicU64::new(0);
    let now = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .map_or(0, |since| since.as_nanos() as u64);
    let after = |last: u64| Some(now.max(last + 1));
    let last = LAST.fetch_update(Ordering::Relaxed, Ordering::Relaxed, after);
    now.max(last.expect("always a next one") + 1)
}
