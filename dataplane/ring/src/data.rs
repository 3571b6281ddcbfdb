//! The data block of a ring: addresses of its bytes, checked, and spans of them.
//!
//! It makes no reference itself; who follows an address says why nobody else writes those
//! bytes meanwhile. Every address is asked for as readable or as writable, and under the
//! model checker each such request is recorded, so that an unordered pair of them on the
//! same 64 bytes is found as a data race.

use std::ptr::NonNull;

use zonecast_numa::{Block, Span};

use crate::error::RingError;
use crate::layout::{CHUNK_ALIGN, DATA_BYTES_MAX, DATA_BYTES_MIN};

pub(crate) struct Data {
    base: NonNull<u8>,
    block: Block,
    #[cfg(loom)]
    cells: Vec<loom::cell::UnsafeCell<()>>,
}

// SAFETY: this type gives out addresses only, and the block that keeps the bytes alive
// belongs to no thread.
unsafe impl Send for Data {}
// SAFETY: as for Send.
unsafe impl Sync for Data {}

impl Data {
    pub(crate) fn new(block: Block) -> Result<Data, RingError> {
        let bytes = block.len();
        if !(DATA_BYTES_MIN..=DATA_BYTES_MAX).contains(&bytes) {
            return Err(RingError::DataBytes {
                bytes,
                min: DATA_BYTES_MIN,
                max: DATA_BYTES_MAX,
            });
        }
        let base = NonNull::new(block.as_ptr()).expect("a block has an address");
        assert!(
            base.addr().get().is_multiple_of(CHUNK_ALIGN as usize),
            "blocks are page-aligned"
        );
        Ok(Data {
            base,
            #[cfg(loom)]
            cells: (0..bytes.div_ceil(CHUNK_ALIGN))
                .map(|_| loom::cell::UnsafeCell::new(()))
                .collect(),
            block,
        })
    }

    /// Bytes that chunks may take: what is left over at the end is in no chunk.
    pub(crate) fn bytes(&self) -> u32 {
        self.block.len() - self.block.len() % CHUNK_ALIGN
    }

    /// The address of bytes that the caller means to read.
    pub(crate) fn readable(&self, offset: u32, len: u32) -> NonNull<[u8]> {
        #[cfg(loom)]
        for cell in self.touched(offset, len) {
            cell.with(|_| ());
        }
        self.pointer(offset, len)
    }

    /// The address of bytes that the caller means to write.
    pub(crate) fn writable(&self, offset: u32, len: u32) -> NonNull<[u8]> {
        #[cfg(loom)]
        for cell in self.touched(offset, len) {
            cell.with_mut(|_| ());
        }
        self.pointer(offset, len)
    }

    /// Where bytes are in the process's table of regions; `None` outside of the block.
    pub(crate) fn span(&self, offset: u32, len: u32) -> Option<Span> {
        self.block.span().slice(offset, len)
    }

    fn pointer(&self, offset: u32, len: u32) -> NonNull<[u8]> {
        let end = u64::from(offset) + u64::from(len);
        assert!(
            end <= u64::from(self.block.len()),
            "{offset}+{len} is outside"
        );
        // SAFETY: inside the block, by the check above.
        let start = unsafe { self.base.add(offset as usize) };
        NonNull::slice_from_raw_parts(start, len as usize)
    }

    #[cfg(loom)]
    fn touched(&self, offset: u32, len: u32) -> &[loom::cell::UnsafeCell<()>] {
        let first = offset / CHUNK_ALIGN;
        let end = (offset + len).div_ceil(CHUNK_ALIGN);
        &self.cells[first as usize..end.max(first) as usize]
    }
}
