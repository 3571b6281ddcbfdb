//! The readers' side: one lease row a loop, one reader a row.

use std::fmt;
use std::marker::PhantomData;
use std::rc::Rc;
use std::sync::Arc;

use zonecast_numa::LoopId;

use crate::error::{Lapped, RingError};
use crate::gate;
use crate::lease::Lease;
use crate::shared::{ChunkRef, Progress, Shared};
use crate::state::{Extent, Written};
use crate::sync::{AtomicU32, Ordering};

/// A ring as others see it. Goes to every loop, which makes its own reader of it.
///
/// It keeps the ring's memory, not the ring: when the owner is gone, every lease is
/// refused.
#[derive(Clone)]
pub struct RingReader {
    shared: Arc<Shared>,
}

impl RingReader {
    pub(crate) fn new(shared: Arc<Shared>) -> RingReader {
        RingReader { shared }
    }

    /// The reader of one loop, for the thread that calls. A loop has one at a time: its
    /// lease row has a single writer. The row is free again when the reader and all its
    /// leases are dropped.
    ///
    /// # Errors
    /// [`RingError::LoopTaken`] while the loop's last reader lives, and
    /// [`RingError::NoSuchLoop`].
    pub fn for_loop(&self, id: LoopId) -> Result<Rc<LoopReader>, RingError> {
        let loops = self.shared.control.layout().loops;
        if id.0 >= loops {
            return Err(RingError::NoSuchLoop { id, loops });
        }
        // Acquire: the counts are as the last reader left them, all zero.
        if self.shared.control.claim(id.0).swap(1, Ordering::AcqRel) != 0 {
            return Err(RingError::LoopTaken { id });
        }
        Ok(Rc::new(LoopReader {
            shared: Arc::clone(&self.shared),
            id,
            this_thread: PhantomData,
        }))
    }

    /// Whether the owner is gone.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.shared.is_closed()
    }
}

impl fmt::Debug for RingReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RingReader").finish_non_exhaustive()
    }
}

/// One loop's reader of one ring. It stays on its thread:
///
/// ```compile_fail,E0277
/// fn send<T: Send>() {}
/// send::<zonecast_ring::LoopReader>();
/// ```
///
/// ```compile_fail,E0277
/// fn sync<T: Sync>() {}
/// sync::<zonecast_ring::LoopReader>();
/// ```
pub struct LoopReader {
    shared: Arc<Shared>,
    id: LoopId,
    /// The row has a single writer: neither the reader nor a reference to it may go to
    /// another thread.
    this_thread: PhantomData<Rc<()>>,
}

impl LoopReader {
    /// The loop whose reader it is.
    #[must_use]
    pub fn loop_id(&self) -> LoopId {
        self.id
    }

    /// The right to read a chunk, open or complete, until the lease is dropped.
    ///
    /// # Errors
    /// When the chunk cannot be read any more; it never can again.
    pub fn lease(self: &Rc<Self>, chunk: ChunkRef) -> Result<Lease, Lapped> {
        let slot = self.shared.slot(chunk).ok_or(Lapped::Overwritten)?;
        gate::lease(&slot.state, self.count(chunk), chunk.sequence)?;
        // From here on the slot is not reused, and its extent is this chunk's.
        let extent = Extent::unpack(slot.extent.load(Ordering::Relaxed));
        let lease = Lease::new(Rc::clone(self), chunk, extent);
        if Written::unpack(slot.progress.load(Ordering::Acquire)).gone {
            // The writer has given up and the owner does not know yet.
            return Err(Lapped::Aborted);
        }
        Ok(lease)
    }

    /// How far a chunk is. Needs no lease, and keeps nothing: the chunk may be gone by the
    /// time of the answer.
    ///
    /// # Errors
    /// As for [`LoopReader::lease`].
    pub fn progress(&self, chunk: ChunkRef) -> Result<Progress, Lapped> {
        self.shared.progress(chunk)
    }

    /// Whether the owner is gone: every lease will be refused.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.shared.is_closed()
    }

    pub(crate) fn shared(&self) -> &Shared {
        &self.shared
    }

    /// Ends a lease of this reader's.
    pub(crate) fn give_back(&self, chunk: ChunkRef) {
        gate::give_back(self.count(chunk));
    }

    fn count(&self, chunk: ChunkRef) -> &AtomicU32 {
        self.shared.control.count(self.id.0, chunk.slot)
    }
}

impl Drop for LoopReader {
    fn drop(&mut self) {
        // Every lease holds the reader, so that the counts are zero by now.
        let claim = self.shared.control.claim(self.id.0);
        claim.store(0, Ordering::Release);
    }
}

impl fmt::Debug for LoopReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LoopReader")
            .field("loop_id", &self.id)
            .finish_non_exhaustive()
    }
}
