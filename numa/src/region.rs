//! One piece of memory that never moves.

use std::fmt;
use std::io;
use std::os::fd::BorrowedFd;
use std::ptr::NonNull;

use crate::heap::Heap;
use crate::mapping::Mapping;
use crate::page::PageKind;
use crate::span::{RegionId, Span};

/// What a region's bytes come from.
pub(crate) enum Backing {
    Memfd(Mapping),
    Heap(Heap),
}

/// One memfd-backed mapping of at most 1 GiB: it never moves, and is unmapped when the
/// last `Arc` of it goes.
///
/// It gives out addresses and makes no reference to its bytes; a caller who follows an
/// address says in its own SAFETY comment why nobody changes those bytes meanwhile.
pub struct Region {
    id: RegionId,
    len: u32,
    page: PageKind,
    node: Option<u32>,
    backing: Backing,
}

impl Region {
    pub(crate) fn new(
        id: RegionId,
        len: u32,
        page: PageKind,
        node: Option<u32>,
        backing: Backing,
    ) -> Region {
        Region {
            id,
            len,
            page,
            node,
            backing,
        }
    }

    /// Its number in the process's table.
    #[must_use]
    pub fn id(&self) -> RegionId {
        self.id
    }

    /// Its size in bytes, a multiple of 4 KiB and at most 1 GiB.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "a region is never empty")]
    pub fn len(&self) -> u32 {
        self.len
    }

    /// What its pages are.
    #[must_use]
    pub fn page(&self) -> PageKind {
        self.page
    }

    /// The node that its pages are bound to; `None` when they are bound to none.
    #[must_use]
    pub fn node(&self) -> Option<u32> {
        self.node
    }

    /// The address of its first byte, at least 4 KiB aligned; mapped memory is aligned to
    /// 2 MiB when it is that large. Valid for [`Region::len`] bytes as long as the region
    /// is held.
    #[must_use]
    pub fn as_ptr(&self) -> *mut u8 {
        self.start().as_ptr()
    }

    /// The memfd, for handing to another process (open it read-only through
    /// `/proc/self/fd` first, where that process must not write); `None` for heap memory.
    #[must_use]
    pub fn fd(&self) -> Option<BorrowedFd<'_>> {
        match &self.backing {
            Backing::Memfd(mapping) => Some(mapping.fd()),
            Backing::Heap(_) => None,
        }
    }

    /// The address of a span's first byte when all of the span lies in this region.
    #[must_use]
    pub fn pointer(&self, span: Span) -> Option<NonNull<u8>> {
        if span.region != self.id || span.end() > u64::from(self.len) {
            return None;
        }
        // Wrapping arithmetic needs no unsafe, and the check above keeps it inside.
        NonNull::new(self.as_ptr().wrapping_add(span.offset as usize))
    }

    /// All of the region as a span.
    #[must_use]
    pub fn whole(&self) -> Span {
        Span {
            region: self.id,
            offset: 0,
            len: self.len,
        }
    }

    /// Asks the kernel on which node the page at `offset` really lies.
    ///
    /// # Errors
    /// `InvalidInput` when `offset` is outside, `Unsupported` for heap memory and for
    /// kernels without NUMA.
    pub fn node_at(&self, offset: u32) -> io::Result<u32> {
        match &self.backing {
            Backing::Memfd(mapping) => mapping.node_at(offset as usize),
            Backing::Heap(_) => Err(io::ErrorKind::Unsupported.into()),
        }
    }

    pub(crate) fn start(&self) -> NonNull<u8> {
        match &self.backing {
            Backing::Memfd(mapping) => mapping.pointer(),
            Backing::Heap(heap) => heap.pointer(),
        }
    }
}

impl fmt::Debug for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Region")
            .field("id", &self.id)
            .field("len", &self.len)
            .field("page", &self.page)
            .field("node", &self.node)
            .field("memfd", &self.fd())
            .finish()
    }
}
