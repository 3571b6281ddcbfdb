//! Memory that the kernel may read and write beside us: it never moves, and nothing refers to it
//! but raw pointers.

use std::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error};
use std::ptr::NonNull;

const PAGE_BYTES: usize = 4096;
const HUGE_PAGE_BYTES: usize = 2 << 20;

/// Zeroed, page-aligned memory that never moves.
pub(crate) struct Memory {
    start: NonNull<u8>,
    layout: Layout,
}

impl Memory {
    /// # Panics
    /// When `bytes` is 0 or beyond the address space.
    pub(crate) fn new(bytes: usize) -> Memory {
        assert!(bytes > 0, "a pool has at least one byte");
        let align = if bytes >= HUGE_PAGE_BYTES {
            HUGE_PAGE_BYTES
        } else {
            PAGE_BYTES
        };
        let layout = Layout::from_size_align(bytes, align).expect("a pool fits the address space");
        // SAFETY: the layout is not of size 0, which the assertion above keeps.
        let start = unsafe { alloc_zeroed(layout) };
        let Some(start) = NonNull::new(start) else {
            handle_alloc_error(layout)
        };
        Memory { start, layout }
    }

    pub(crate) fn start(&self) -> NonNull<u8> {
        self.start
    }

    pub(crate) fn bytes(&self) -> usize {
        self.layout.size()
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        // SAFETY: allocated by `new` with this layout, and dropped once.
        unsafe { dealloc(self.start.as_ptr(), self.layout) };
    }
}
