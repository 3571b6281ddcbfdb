//! The control words of a ring, where they lie in its control block.
//!
//! Every word is an atomic, and each has one writer at a time: the header and a slot's
//! `state` and `extent` the owner, a slot's `progress` the chunk's writer (the owner before
//! there is one), a lease row its loop. Only a row's claim is contended.

use std::ptr::NonNull;

use zonecast_numa::Block;

use crate::error::RingError;
use crate::layout::{CONTROL_HEADER_BYTES, ControlLayout, ROW_CLAIM_BYTES, SLOT_BYTES};
use crate::sync::{AtomicU32, AtomicU64, Ordering};

const MAGIC: u64 = u64::from_le_bytes(*b"ZCRING\0\0");
const VERSION: u32 = 1;

/// What another process checks before it believes the rest.
#[repr(C, align(128))]
pub(crate) struct ControlHeader {
    magic: AtomicU64,
    version: AtomicU32,
    slots: AtomicU32,
    loops: AtomicU32,
    row_bytes: AtomicU32,
    data_bytes: AtomicU32,
    /// 1 when the owner is gone: nothing of this ring may be read any more.
    pub(crate) closed: AtomicU32,
    generation: AtomicU64,
}

/// One chunk's words, on a cache line of their own.
#[repr(C, align(64))]
pub(crate) struct Slot {
    /// [`crate::state::State`]
    pub(crate) state: AtomicU64,
    /// [`crate::state::Written`]
    pub(crate) progress: AtomicU64,
    /// [`crate::state::Extent`]
    pub(crate) extent: AtomicU64,
}

const _: () = assert!(size_of::<ControlHeader>() == CONTROL_HEADER_BYTES as usize);
const _: () = assert!(size_of::<Slot>() == SLOT_BYTES as usize);

/// The control block and the ways into it.
pub(crate) struct Control {
    base: NonNull<u8>,
    layout: ControlLayout,
    /// Keeps the bytes at `base`.
    _block: Block,
}

// SAFETY: everything in the block is reached as atomics, after `new`, and the block that
// keeps them alive belongs to no thread.
unsafe impl Send for Control {}
// SAFETY: as for Send.
unsafe impl Sync for Control {}

impl Control {
    /// Zeroes the words and writes the header.
    pub(crate) fn new(
        block: Block,
        layout: ControlLayout,
        data_bytes: u32,
        generation: u64,
    ) -> Result<Control, RingError> {
        let needed = layout.bytes();
        if block.len() < needed {
            let bytes = block.len();
            return Err(RingError::ControlBytes { bytes, needed });
        }
        let base = NonNull::new(block.as_ptr()).expect("a block has an address");
        assert!(
            base.cast::<ControlHeader>().is_aligned(),
            "blocks are page-aligned"
        );
        // SAFETY: the block is ours alone as long as no ring uses it, and has at least
        // `needed` bytes.
        unsafe { base.write_bytes(0, needed as usize) };
        let control = Control {
            base,
            layout,
            _block: block,
        };
        control.write_header(data_bytes, generation);
        Ok(control)
    }

    fn write_header(&self, data_bytes: u32, generation: u64) {
        let header = self.header();
        let layout = self.layout;
        header.version.store(VERSION, Ordering::Relaxed);
        header.slots.store(layout.slots, Ordering::Relaxed);
        header.loops.store(layout.loops.into(), Ordering::Relaxed);
        header
            .row_bytes
            .store(layout.row_bytes(), Ordering::Relaxed);
        header.data_bytes.store(data_bytes, Ordering::Relaxed);
        header.generation.store(generation, Ordering::Relaxed);
        // Last, so that who sees the magic sees the rest.
        header.magic.store(MAGIC, Ordering::Release);
    }

    pub(crate) fn layout(&self) -> ControlLayout {
        self.layout
    }

    pub(crate) fn header(&self) -> &ControlHeader {
        // SAFETY: `new` checked that the block begins with an aligned header, which is made
        // of atomics only, so that any bits are valid and sharing is sound.
        unsafe { self.base.cast().as_ref() }
    }

    /// The words of one slot.
    ///
    /// # Panics
    /// When there is no such slot: names from outside are checked before.
    pub(crate) fn slot(&self, slot: u32) -> &Slot {
        assert!(
            slot < self.layout.slots,
            "slot {slot} of {}",
            self.layout.slots
        );
        let offset = CONTROL_HEADER_BYTES + slot * SLOT_BYTES;
        // SAFETY: inside the block, by the layout that `new` measured and the check above;
        // aligned, since the block and both sizes are; atomics only.
        unsafe { self.at(offset).cast().as_ref() }
    }

    /// The word that says whether a loop's row has a living reader.
    pub(crate) fn claim(&self, index: u16) -> &AtomicU32 {
        // SAFETY: as for `slot`; `row` checked the index.
        unsafe { self.at(self.row(index)).cast().as_ref() }
    }

    /// A loop's leases on one slot.
    pub(crate) fn count(&self, index: u16, slot: u32) -> &AtomicU32 {
        assert!(
            slot < self.layout.slots,
            "slot {slot} of {}",
            self.layout.slots
        );
        let offset = self.row(index) + ROW_CLAIM_BYTES + slot * 4;
        // SAFETY: as for `slot`.
        unsafe { self.at(offset).cast().as_ref() }
    }

    fn row(&self, index: u16) -> u32 {
        assert!(
            index < self.layout.loops,
            "loop {index} of {}",
            self.layout.loops
        );
        self.layout.rows_offset() + u32::from(index) * self.layout.row_bytes()
    }

    fn at(&self, offset: u32) -> NonNull<u8> {
        debug_assert!(offset < self.layout.bytes());
        // SAFETY: the callers' offsets are checked to lie in the layout, which `new` checked
        // to lie in the block.
        unsafe { self.base.add(offset as usize) }
    }
}
