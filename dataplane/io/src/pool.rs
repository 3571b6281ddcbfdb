//! Pools of equal buffers, made once a loop, and the two handles that own one buffer each.
//!
//! A handle goes back to its pool when it is dropped, wherever the pipeline or a driver does so.
//! Both drivers use the same pools; the io_uring driver moves what came back of its receive pool
//! to the kernel's ring at the start of each turn.
//!
//! Invariant: an index is in the free list, in one [`Slot`], or with the kernel (a receive pool),
//! and never in two of these places; so a `Slot` is the only way to its bytes.

use std::cell::RefCell;
use std::fmt;
use std::ops::{Deref, DerefMut, Range};
use std::ptr::NonNull;
use std::rc::Rc;

use crate::memory::Memory;

/// The size of a [`Buffer`] that may be kept for a while: four TLS records, less what they add.
pub const BUFFER_BYTES: usize = 64 * 1024;
/// The size of a [`Buffer`] for one burst to a socket: sixteen TLS records with what they add.
pub const BURST_BYTES: usize = 272 * 1024;
/// Bursts of a loop. They come back with the turn that sends them.
pub(crate) const BURSTS: u32 = 8;

/// Equal buffers of one loop.
pub(crate) struct Pool {
    memory: Memory,
    buffer_bytes: usize,
    /// Never longer than the number of buffers, for which it has room from the start.
    free: RefCell<Vec<u32>>,
}

impl Pool {
    /// A pool of `count` buffers of `buffer_bytes` each, all free.
    pub(crate) fn new(count: u32, buffer_bytes: usize) -> Rc<Pool> {
        let bytes = buffer_bytes
            .checked_mul(count as usize)
            .expect("a pool fits the address space");
        Rc::new(Pool {
            memory: Memory::new(bytes),
            buffer_bytes,
            free: RefCell::new((0..count).rev().collect()),
        })
    }

    pub(crate) fn count(&self) -> usize {
        self.memory.bytes() / self.buffer_bytes
    }

    pub(crate) fn free_count(&self) -> usize {
        self.free.borrow().len()
    }

    pub(crate) fn buffer_bytes(&self) -> usize {
        self.buffer_bytes
    }

    /// Takes a free buffer out of the pool.
    pub(crate) fn take(self: &Rc<Pool>) -> Option<Slot> {
        let index = self.free.borrow_mut().pop()?;
        let pool = Rc::clone(self);
        Some(Slot { pool, index })
    }

    /// Takes a free index out of the pool without a handle, to give it to the kernel.
    pub(crate) fn take_index(&self) -> Option<u32> {
        self.free.borrow_mut().pop()
    }

    /// The handle of an index that the kernel has given back.
    pub(crate) fn adopt(self: &Rc<Pool>, index: u32) -> Slot {
        assert!(
            (index as usize) < self.count(),
            "the kernel gives back what it was given"
        );
        let pool = Rc::clone(self);
        Slot { pool, index }
    }

    /// Where buffer `index` starts.
    pub(crate) fn address(&self, index: u32) -> NonNull<u8> {
        assert!((index as usize) < self.count(), "an index of this pool");
        // SAFETY: the index is below the count, so the offset is inside the pool's memory.
        unsafe { self.memory.start().add(index as usize * self.buffer_bytes) }
    }
}

/// Sole ownership of one buffer of a pool.
pub(crate) struct Slot {
    pool: Rc<Pool>,
    index: u32,
}

impl Slot {
    pub(crate) fn address(&self) -> NonNull<u8> {
        self.pool.address(self.index)
    }

    fn bytes(&self) -> &[u8] {
        // SAFETY: the memory is initialised (zeroed at first), `buffer_bytes` long, lives as long as
        // the pool, and this slot is the only way to it; the kernel writes to it only while a
        // driver's operation owns the slot, and then nobody calls this.
        unsafe { std::slice::from_raw_parts(self.address().as_ptr(), self.pool.buffer_bytes) }
    }

    fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: as in `bytes`, and the slot is borrowed mutably.
        unsafe { std::slice::from_raw_parts_mut(self.address().as_ptr(), self.pool.buffer_bytes) }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.pool.free.borrow_mut().push(self.index);
    }
}

/// An owned buffer of [`BUFFER_BYTES`] or [`BURST_BYTES`] bytes; goes back to its pool on drop. It
/// belongs to one loop.
///
/// It dereferences to all of its bytes; [`Buffer::filled`] is the part that a send takes.
pub struct Buffer {
    slot: Slot,
    filled: Range<u32>,
}

impl Buffer {
    /// A free buffer of `pool`, with nothing filled.
    pub(crate) fn take(pool: &Rc<Pool>) -> Option<Buffer> {
        let slot = pool.take()?;
        Some(Buffer { slot, filled: 0..0 })
    }

    /// Says which bytes a send is to take.
    ///
    /// # Panics
    /// When the range does not lie inside the buffer.
    pub fn set(&mut self, start: usize, end: usize) {
        assert!(
            start <= end && end <= self.len(),
            "{start}..{end} is not inside the buffer"
        );
        self.filled = start as u32..end as u32;
    }

    /// The range given to [`Buffer::set`]; empty at first.
    pub fn filled_range(&self) -> Range<usize> {
        self.filled.start as usize..self.filled.end as usize
    }

    /// The bytes in the range given to [`Buffer::set`].
    pub fn filled(&self) -> &[u8] {
        &self.slot.bytes()[self.filled_range()]
    }

    /// Where the buffer's bytes are.
    pub(crate) fn address(&self) -> NonNull<u8> {
        self.slot.address()
    }
}

impl Deref for Buffer {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.slot.bytes()
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [u8] {
        self.slot.bytes_mut()
    }
}

impl fmt::Debug for Buffer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "Buffer({}, filled {:?})",
            self.slot.index, self.filled
        )
    }
}

/// Bytes that a receive brought, in a buffer of the driver's; goes back to it on drop.
pub struct Received {
    /// Absent where nothing came, so that an end of stream holds no memory.
    slot: Option<Slot>,
    len: u32,
}

impl Received {
    /// Nothing: the peer has finished.
    pub(crate) fn finished() -> Received {
        Received { slot: None, len: 0 }
    }

    /// The first `len` bytes of `slot`.
    pub(crate) fn new(slot: Slot, len: usize) -> Received {
        assert!(
            len <= slot.pool.buffer_bytes,
            "no more comes than there is room for"
        );
        let len = len as u32;
        Received {
            slot: Some(slot),
            len,
        }
    }
}

impl Deref for Received {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.slot
            .as_ref()
            .map_or(&[], |slot| &slot.bytes()[..self.len as usize])
    }
}

impl DerefMut for Received {
    fn deref_mut(&mut self) -> &mut [u8] {
        let len = self.len as usize;
        self.slot
            .as_mut()
            .map_or(&mut [], |slot| &mut slot.bytes_mut()[..len])
    }
}

impl fmt::Debug for Received {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Received({} bytes)", self.len)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Shows that a pool gives each buffer once, and takes it back on drop.
    #[test]
    fn buffers_come_back() {
        let pool = Pool::new(2, BUFFER_BYTES);
        let mut first = Buffer::take(&pool).expect("two are free");
        let mut second = Buffer::take(&pool).expect("one is free");
        assert!(Buffer::take(&pool).is_none());
        first.fill(1);
        second.fill(2);
        first.set(3, 10);
        assert_eq!(first.filled(), [1; 7]);
        drop(first);
        assert_eq!(pool.free_count(), 1);
        let again = Buffer::take(&pool).expect("one came back");
        assert!(again.filled().is_empty());
        assert!(second.iter().all(|byte| *byte == 2));
    }

    /// Shows that a handle keeps the pool's memory alive after everybody else let go of it.
    #[test]
    fn a_handle_outlives_its_driver() {
        let pool = Pool::new(1, 4096);
        let mut received = Received::new(pool.take().expect("one is free"), 5);
        drop(pool);
        received.copy_from_slice(b"bytes");
        assert_eq!(&received[..], b"bytes");
        assert!(Received::finished().is_empty());
    }

    /// Shows that a range outside the buffer is refused.
    #[test]
    #[should_panic(expected = "not inside the buffer")]
    fn a_range_outside_is_refused() {
        let pool = Pool::new(1, BUFFER_BYTES);
        Buffer::take(&pool)
            .expect("one is free")
            .set(0, BUFFER_BYTES + 1);
    }
}
