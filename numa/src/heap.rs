//! Memory of this process alone, in place of a mapping.
//!
//! For Miri, which has no memfd, and for simulations that make thousands of small
//! arenas. It cannot be shared with another process and is bound to no node.

use std::alloc::Layout;
use std::ptr::NonNull;

use crate::page::PAGE_BYTES;

/// Zeroed bytes from the allocator, aligned to a plain page, until drop.
pub(crate) struct Heap {
    pointer: NonNull<u8>,
    layout: Layout,
}

// SAFETY: memory from the allocator belongs to no thread, and this type gives out its
// address only.
unsafe impl Send for Heap {}
// SAFETY: as for Send; no method touches the bytes.
unsafe impl Sync for Heap {}

impl Heap {
    /// `None` when `bytes` is 0 or the allocator has no more.
    pub(crate) fn new(bytes: usize) -> Option<Heap> {
        let layout = Layout::from_size_align(bytes, PAGE_BYTES as usize).ok()?;
        if bytes == 0 {
            return None;
        }
        // SAFETY: the layout's size is not 0.
        let pointer = unsafe { std::alloc::alloc_zeroed(layout) };
        NonNull::new(pointer).map(|pointer| Heap { pointer, layout })
    }

    pub(crate) fn pointer(&self) -> NonNull<u8> {
        self.pointer
    }
}

impl Drop for Heap {
    fn drop(&mut self) {
        // SAFETY: `new` took the memory from this allocator with this layout, and only this
        // drop gives it back.
        unsafe { std::alloc::dealloc(self.pointer.as_ptr(), self.layout) }
    }
}
