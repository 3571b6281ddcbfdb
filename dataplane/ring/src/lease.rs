//! A loop's right to read a chunk.

use std::fmt;
use std::rc::Rc;

use zonecast_numa::Span;

use crate::gate;
use crate::layout::CHUNK_HEADER_BYTES;
use crate::reader::LoopReader;
use crate::shared::{ChunkRef, Progress, Shared};
use crate::state::{Extent, Phase, State, Written};
use crate::sync::Ordering;

/// Keeps a chunk's bytes as they are, until it is dropped.
///
/// It lasts as long as somebody may still read the bytes (a kernel that sends them
/// included), and no longer: the owner steps over what is leased, and loses room by it.
/// It stays on its loop's thread, as its reader does:
///
/// ```compile_fail,E0277
/// fn send<T: Send>() {}
/// send::<zonecast_ring::Lease>();
/// ```
pub struct Lease {
    reader: Rc<LoopReader>,
    chunk: ChunkRef,
    extent: Extent,
}

impl Lease {
    /// The lease is counted already; this gives it back on drop.
    pub(crate) fn new(reader: Rc<LoopReader>, chunk: ChunkRef, extent: Extent) -> Lease {
        Lease {
            reader,
            chunk,
            extent,
        }
    }

    /// The chunk that it is a lease of.
    #[must_use]
    pub fn chunk(&self) -> ChunkRef {
        self.chunk
    }

    /// The reader that it was taken from.
    #[must_use]
    pub fn reader(&self) -> &Rc<LoopReader> {
        &self.reader
    }

    /// The payload as far as it is committed at the time of the call.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        let range = self
            .shared()
            .data
            .readable(self.payload(), self.committed());
        // SAFETY: committed bytes are written by nobody (the writer goes on behind them), and
        // the owner does not reuse them before this lease is given back, which the borrow
        // of `self` puts off. Loading the length acquired the bytes.
        unsafe { range.as_ref() }
    }

    /// Where committed bytes of the payload are, for the kernel to read; `None` when not all
    /// of them are committed. The lease must be kept until the kernel is done.
    #[must_use]
    pub fn span(&self, from: u32, len: u32) -> Option<Span> {
        let end = from.checked_add(len)?;
        if end > self.committed() {
            return None;
        }
        self.shared().data.span(self.payload() + from, len)
    }

    /// How far the chunk is. One that was complete stays so when it is revoked; one that was
    /// aborted will never be complete: [`Lease::revoked`] tells.
    #[must_use]
    pub fn progress(&self) -> Progress {
        // The state first: when it says complete, the length after it is the last. Under the
        // lease the slot stays this chunk's, and only a complete chunk becomes revoked.
        let complete = matches!(self.state().phase, Phase::Complete | Phase::Revoked);
        let committed = self.committed();
        Progress {
            committed,
            complete,
        }
    }

    /// Whether the chunk is given up, by its owner or its writer: no new lease on it, and
    /// this one should be given back soon. The bytes stay until then.
    #[must_use]
    pub fn revoked(&self) -> bool {
        gate::readable(self.state(), self.chunk.sequence).is_err() || self.written().gone
    }

    /// Whether the chunk is complete and its markers and CRC-32C agree with its bytes. Reads
    /// all of them.
    #[must_use]
    pub fn verify(&self) -> bool {
        let progress = self.progress();
        // SAFETY: complete, and leased.
        progress.complete
            && unsafe {
                self.shared()
                    .verify(self.chunk, self.extent.offset, progress.committed)
            }
    }

    fn shared(&self) -> &Shared {
        self.reader.shared()
    }

    fn payload(&self) -> u32 {
        self.extent.offset + CHUNK_HEADER_BYTES
    }

    fn state(&self) -> State {
        let slot = self.shared().control.slot(self.chunk.slot);
        State::unpack(slot.state.load(Ordering::Acquire))
    }

    fn written(&self) -> Written {
        let slot = self.shared().control.slot(self.chunk.slot);
        Written::unpack(slot.progress.load(Ordering::Acquire))
    }

    fn committed(&self) -> u32 {
        self.written().committed
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.reader.give_back(self.chunk);
    }
}

impl fmt::Debug for Lease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lease")
            .field("chunk", &self.chunk)
            .field("progress", &self.progress())
            .finish_non_exhaustive()
    }
}
