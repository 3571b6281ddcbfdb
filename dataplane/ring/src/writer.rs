//! The sole right to write one chunk.
//!
//! It may go to whichever loop has the encoder's connection. What it has committed can be
//! read at once, by readers that follow, and never changes again; what it has not is its
//! own. The owner gets it back by [`crate::Ring::complete`]; a writer that is dropped
//! instead has given its chunk up, and says so in the control words.

use std::fmt;
use std::ptr;
use std::sync::Arc;

use crate::layout::{CHUNK_HEADER_BYTES, CHUNK_TRAILER_BYTES, trailer_offset};
use crate::marker::{Header, Trailer};
use crate::shared::{ChunkRef, Shared};
use crate::state::{Phase, State, Written};
use crate::sync::Ordering;

/// Writes one chunk, once, from its start to its end.
pub struct ChunkWriter {
    shared: Arc<Shared>,
    chunk: ChunkRef,
    /// Where the chunk begins in the data block.
    offset: u32,
    capacity: u32,
    written: u32,
    committed: u32,
    /// CRC-32C of what is written.
    checksum: u32,
    finished: bool,
}

impl ChunkWriter {
    /// The owner has made the chunk's words and header, and makes one writer a chunk.
    pub(crate) fn new(shared: Arc<Shared>, chunk: ChunkRef, offset: u32, capacity: u32) -> Self {
        ChunkWriter {
            shared,
            chunk,
            offset,
            capacity,
            written: 0,
            committed: 0,
            checksum: 0,
            finished: false,
        }
    }

    /// The chunk's name, for readers to follow.
    #[must_use]
    pub fn chunk(&self) -> ChunkRef {
        self.chunk
    }

    /// Most bytes of the payload.
    #[must_use]
    pub fn capacity(&self) -> u32 {
        self.capacity
    }

    /// Bytes that readers may read.
    #[must_use]
    pub fn committed(&self) -> u32 {
        self.committed
    }

    /// Bytes that are written, committed or not.
    #[must_use]
    pub fn written(&self) -> u32 {
        self.written
    }

    /// Bytes that may still be written.
    #[must_use]
    pub fn room(&self) -> u32 {
        self.capacity - self.written
    }

    /// CRC-32C of what is written so far.
    #[must_use]
    pub fn checksum(&self) -> u32 {
        self.checksum
    }

    /// Whether the owner has given the chunk up (aborted it, or is gone itself). Writing on
    /// does no harm and no good: nobody will read it.
    #[must_use]
    pub fn revoked(&self) -> bool {
        let slot = self.shared.control.slot(self.chunk.slot);
        let state = State::unpack(slot.state.load(Ordering::Acquire));
        state.sequence != self.chunk.sequence || state.phase != Phase::Open
    }

    /// Copies as many of the bytes as fit, and says how many. Readers see them after
    /// [`ChunkWriter::commit`].
    pub fn append(&mut self, bytes: &[u8]) -> usize {
        let fits = bytes.len().min(self.room() as usize);
        self.spare_of(fits as u32).copy_from_slice(&bytes[..fits]);
        self.advance(fits as u32);
        fits
    }

    /// The rest of the payload, to write into in place; [`ChunkWriter::advance`] says how
    /// much of it was written. It holds whatever was there before.
    pub fn spare(&mut self) -> &mut [u8] {
        self.spare_of(self.room())
    }

    fn spare_of(&mut self, len: u32) -> &mut [u8] {
        debug_assert!(len <= self.room());
        let start = self.offset + CHUNK_HEADER_BYTES + self.written;
        let mut range = self.shared.data.writable(start, len);
        // SAFETY: what lies behind the committed length is read by nobody (readers stop
        // there), and written by this writer only: the owner made one for this chunk, and
        // reuses the bytes only after it is finished or dropped. `written` is at least
        // `committed`, and the borrow of `self` keeps the reference the only one.
        unsafe { range.as_mut() }
    }

    /// Takes the first `n` bytes of [`ChunkWriter::spare`] as written.
    ///
    /// # Panics
    /// When there is no room for so many: they cannot have been written.
    pub fn advance(&mut self, n: u32) {
        assert!(n <= self.room(), "{n} bytes in a room of {}", self.room());
        let start = self.offset + CHUNK_HEADER_BYTES + self.written;
        let range = self.shared.data.readable(start, n);
        // SAFETY: as in `spare_of`; nobody writes while `self` is borrowed here.
        let bytes = unsafe { range.as_ref() };
        self.checksum = crc32c::crc32c_append(self.checksum, bytes);
        self.written += n;
    }

    /// Lets readers follow to the end of what is written.
    pub fn commit(&mut self) {
        if self.committed != self.written {
            self.committed = self.written;
            self.publish(false);
        }
    }

    fn publish(&self, gone: bool) {
        let committed = self.committed;
        let word = Written { committed, gone }.pack();
        let slot = self.shared.control.slot(self.chunk.slot);
        // Release: who sees the length sees the bytes, and the owner that sees the writer
        // gone may write them anew.
        slot.progress.store(word, Ordering::Release);
    }

    pub(crate) fn belongs_to(&self, shared: &Arc<Shared>) -> bool {
        Arc::ptr_eq(&self.shared, shared)
    }

    /// Commits everything and writes the markers that say how long the chunk is. For the
    /// owner, which then sets the chunk complete. Returns the length.
    pub(crate) fn finish(mut self) -> u32 {
        self.commit();
        let identity = self.shared.identity(self.chunk);
        let length = self.written;
        let trailer = Trailer {
            identity,
            length,
            checksum: self.checksum,
        };
        let at = trailer_offset(length).expect("a length within the capacity");
        self.write_marker(at, &trailer.encode());
        let header = Header {
            identity,
            slot: self.chunk.slot,
            capacity: self.capacity,
            length: Some(length),
        };
        self.write_marker(0, &header.encode());
        self.finished = true;
        length
    }

    /// Writes the header of a chunk that begins.
    pub(crate) fn begin(&mut self) {
        let header = Header {
            identity: self.shared.identity(self.chunk),
            slot: self.chunk.slot,
            capacity: self.capacity,
            length: None,
        };
        self.write_marker(0, &header.encode());
    }

    fn write_marker(&mut self, at: u32, marker: &[u8]) {
        debug_assert!(at == 0 || at >= CHUNK_HEADER_BYTES + self.written);
        debug_assert!(marker.len() <= CHUNK_HEADER_BYTES.max(CHUNK_TRAILER_BYTES) as usize);
        let len = marker.len() as u32;
        let range = self.shared.data.writable(self.offset + at, len);
        // SAFETY: header and trailer lie outside of what readers read before the chunk is
        // complete (the committed payload), inside of what the chunk takes, and are this
        // writer's as long as it is not finished; `marker` is on the stack.
        unsafe { ptr::copy_nonoverlapping(marker.as_ptr(), range.cast().as_ptr(), marker.len()) }
    }
}

impl Drop for ChunkWriter {
    fn drop(&mut self) {
        if !self.finished {
            self.publish(true);
        }
    }
}

impl fmt::Debug for ChunkWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChunkWriter")
            .field("chunk", &self.chunk)
            .field("capacity", &self.capacity)
            .field("written", &self.written)
            .field("committed", &self.committed)
            .finish_non_exhaustive()
    }
}
