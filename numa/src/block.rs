//! Bytes of an arena that somebody owns.

use std::fmt;
use std::sync::Arc;

use crate::pool::Pool;
use crate::region::Region;
use crate::span::Span;

/// Part of a region that belongs to its holder until drop: no other living block
/// overlaps it.
///
/// It keeps its region and the free lists alive, so that it may outlive the arena. Whoever
/// drops it vouches that nobody uses the bytes any more: the next block may be made of
/// them at once.
pub struct Block {
    pool: Arc<Pool>,
    index: usize,
    span: Span,
}

impl Block {
    pub(crate) fn new(pool: Arc<Pool>, index: usize, offset: u32, len: u32) -> Block {
        let span = Span {
            region: pool.regions()[index].id(),
            offset,
            len,
        };
        Block { pool, index, span }
    }

    /// Where it lies in the process's table.
    #[must_use]
    pub fn span(&self) -> Span {
        self.span
    }

    /// The address of its first byte, valid for [`Block::len`] bytes as long as the block
    /// (or, for reading what may by then be somebody else's, its region) is held.
    #[must_use]
    pub fn as_ptr(&self) -> *mut u8 {
        let start = self.region().as_ptr();
        start.wrapping_add(self.span.offset as usize)
    }

    /// Its size in bytes: what was asked for, rounded up to 4 KiB.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "a block is never empty")]
    pub fn len(&self) -> u32 {
        self.span.len
    }

    /// The region that it is part of.
    #[must_use]
    pub fn region(&self) -> &Arc<Region> {
        &self.pool.regions()[self.index]
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        self.pool
            .give_back(self.index, self.span.offset, self.span.len);
    }
}

impl fmt::Debug for Block {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Block").field(&self.span).finish()
    }
}
