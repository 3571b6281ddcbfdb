//! The ring of receive buffers that the kernel picks from when a socket has something.
//!
//! A buffer goes round: in the ring (the kernel's), in a completion, in a `Received` (the
//! pipeline's), in the pool's free list, and, at the start of a turn, back in the ring.

use std::io;
use std::ptr::NonNull;
use std::rc::Rc;
use std::sync::atomic::{AtomicU16, Ordering};

use io_uring::IoUring;
use io_uring::types::BufRingEntry;

use crate::memory::Memory;
use crate::pool::{Pool, Slot};

/// The only buffer group of a loop's ring.
pub(super) const GROUP: u16 = 0;

/// The kernel's limit on the entries of one ring.
pub(super) const BUFFERS_MAX: u32 = 32_768;

/// The receive buffers of a driver.
pub(super) struct BufferRing {
    pool: Rc<Pool>,
    /// The entries that the kernel reads. Its length is a power of two, so a tail is masked.
    entries: Rc<Memory>,
    mask: u16,
    tail: u16,
    with_kernel: u32,
}

impl BufferRing {
    /// Makes `count` buffers and gives all of them to the kernel.
    pub(super) fn new(ring: &IoUring, count: u32, buffer_bytes: usize) -> io::Result<BufferRing> {
        assert!(
            (1..=BUFFERS_MAX).contains(&count),
            "the configuration was checked"
        );
        let length = count.next_power_of_two() as u16;
        let entries = Rc::new(Memory::new(usize::from(length) * size_of::<BufRingEntry>()));
        let address = entries.start().as_ptr() as u64;
        // SAFETY: `address` is page-aligned memory of `length` entries; `teardown` takes the ring
        // away from the kernel before it is freed, or leaks it.
        unsafe {
            ring.submitter()
                .register_buf_ring_with_flags(address, length, GROUP, 0)
        }?;
        let pool = Pool::new(count, buffer_bytes);
        let mut buffers = BufferRing {
            pool,
            entries,
            mask: length - 1,
            tail: 0,
            with_kernel: 0,
        };
        buffers.refill();
        Ok(buffers)
    }

    /// Gives the kernel every buffer that has come back.
    pub(super) fn refill(&mut self) {
        let mut given = 0;
        while let Some(index) = self.pool.take_index() {
            self.put(index);
            given += 1;
        }
        if given > 0 {
            self.with_kernel += given;
            self.publish();
        }
    }

    /// How many buffers the kernel has to pick from.
    pub(super) fn available(&self) -> usize {
        self.with_kernel as usize
    }

    /// The kernel has picked a buffer: a completion that names one has been reaped.
    pub(super) fn picked(&mut self) {
        assert!(
            self.with_kernel > 0,
            "the kernel gives back what it was given"
        );
        self.with_kernel -= 1;
    }

    /// Takes back the buffer that a completion names.
    pub(super) fn taken(&mut self, index: u16) -> Slot {
        self.pool.adopt(u32::from(index))
    }

    /// Takes the ring away from the kernel, after which nothing refers to this memory.
    pub(super) fn unregister(&self, ring: &IoUring) -> io::Result<()> {
        ring.submitter().unregister_buf_ring(GROUP)
    }

    /// Keeps this memory for ever: the kernel may still write to it.
    pub(super) fn leak(&self) {
        std::mem::forget(Rc::clone(&self.pool));
        std::mem::forget(Rc::clone(&self.entries));
    }

    fn put(&mut self, index: u32) {
        let mut entry = self.entry(self.tail & self.mask);
        // SAFETY: the entry is inside `entries`; the kernel reads it only after `publish`, since
        // there are never more buffers than entries.
        let entry = unsafe { entry.as_mut() };
        entry.set_addr(self.pool.address(index).as_ptr() as u64);
        entry.set_len(self.pool.buffer_bytes() as u32);
        entry.set_bid(index as u16);
        self.tail = self.tail.wrapping_add(1);
    }

    /// Shows the kernel the entries up to the tail.
    fn publish(&self) {
        let base = self.entry(0).as_ptr();
        // SAFETY: `base` is the start of a registered ring of entries.
        let tail = unsafe { BufRingEntry::tail(base) };
        // SAFETY: the tail is aligned, inside `entries`, and only ever accessed atomically by us.
        let tail = unsafe { AtomicU16::from_ptr(tail.cast_mut()) };
        tail.store(self.tail, Ordering::Release);
    }

    fn entry(&self, index: u16) -> NonNull<BufRingEntry> {
        let start = self.entries.start().cast::<BufRingEntry>();
        // SAFETY: callers pass a masked index, so this stays inside `entries`.
        unsafe { start.add(usize::from(index)) }
    }
}
