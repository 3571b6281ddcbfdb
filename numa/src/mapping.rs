//! One memfd and its mapping: every system call that makes a region's memory.
//!
//! The order is what matters. The file is sized and sealed before it is mapped, the
//! mapping is bound to its node before a page exists, and pages are made before
//! anybody may have the address.

use std::ffi::c_void;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::ptr::NonNull;

use rustix::fs::{MemfdFlags, Mode, SealFlags};
use rustix::io::Errno;
use rustix::mm::{Advice, MapFlags, ProtFlags};

use crate::page::PageKind;

/// Most nodes that a mask passed to the kernel can name; its own limit is the same.
const NODES_MAX: usize = 1024;
const MASK_WORDS: usize = NODES_MAX / u64::BITS as usize;
/// From include/uapi/linux/mempolicy.h: answer with a node, not with a policy.
const MPOL_F_NODE: libc::c_ulong = 1;
/// From include/uapi/linux/mempolicy.h: the question is about an address.
const MPOL_F_ADDR: libc::c_ulong = 2;

/// A memfd of fixed size, readable by this user alone.
///
/// A memfd is born 0777, and another user who was passed a read-only descriptor could
/// open it again for writing through /proc: hence the change of mode. The seals keep
/// anybody who shares the file from cutting it short under a mapping.
pub(crate) fn sealed_memfd(name: &str, page: PageKind, bytes: u64) -> Result<OwnedFd, Errno> {
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING | page_flags(page);
    // Kernels before 6.3 do not know NOEXEC_SEAL, and hardened ones insist on it.
    let file = match rustix::fs::memfd_create(name, flags | MemfdFlags::NOEXEC_SEAL) {
        Err(Errno::INVAL) => rustix::fs::memfd_create(name, flags)?,
        made => made?,
    };
    rustix::fs::fchmod(&file, Mode::RUSR | Mode::WUSR)?;
    rustix::fs::ftruncate(&file, bytes)?;
    rustix::fs::fcntl_add_seals(&file, SealFlags::SHRINK | SealFlags::GROW)?;
    Ok(file)
}

fn page_flags(page: PageKind) -> MemfdFlags {
    match page {
        PageKind::Huge1G => MemfdFlags::HUGETLB | MemfdFlags::HUGE_1GB,
        PageKind::Huge2M => MemfdFlags::HUGETLB | MemfdFlags::HUGE_2MB,
        PageKind::Transparent | PageKind::Plain => MemfdFlags::empty(),
    }
}

/// A whole memfd mapped for reading and writing, until drop.
///
/// It makes no reference to its bytes, ever: other threads, other processes and the
/// kernel use them at the same time, by rules that the ring keeps.
pub(crate) struct Mapping {
    pointer: NonNull<u8>,
    len: usize,
    file: OwnedFd,
}

// SAFETY: a mapping belongs to the process, not to a thread, and this type gives out its
// address only. Who may use the bytes is decided by those who dereference it.
unsafe impl Send for Mapping {}
// SAFETY: as for Send; the methods on `&self` hand out the address and the descriptor and
// ask the kernel about pages, none of which touches the bytes.
unsafe impl Sync for Mapping {}

impl Mapping {
    /// Maps `len` bytes of `file`, which must be as long, at an address that is a
    /// multiple of `align` (a power of two).
    ///
    /// The kernel aligns shared memory only when transparent huge pages are on for it,
    /// so that the place is reserved first, larger by `align`, and what is over is
    /// given back.
    pub(crate) fn new(file: OwnedFd, len: usize, align: usize) -> Result<Mapping, Errno> {
        assert!(
            align.is_power_of_two() && len > 0,
            "own callers ask for whole pages"
        );
        let reserved_len = len.checked_add(align).ok_or(Errno::NOMEM)?;
        let reserve_flags = MapFlags::PRIVATE | MapFlags::NORESERVE;
        // SAFETY: a new mapping at an address of the kernel's choice touches no memory of
        // anybody's.
        let reserved = unsafe {
            rustix::mm::mmap_anonymous(
                std::ptr::null_mut(),
                reserved_len,
                ProtFlags::empty(),
                reserve_flags,
            )
        }?;
        let head = reserved.addr().next_multiple_of(align) - reserved.addr();
        let start = reserved.wrapping_byte_add(head);
        // SAFETY: the range lies wholly in the reservation made above, which nobody else
        // knows, so that replacing its pages takes nothing from anybody.
        let mapped = unsafe {
            rustix::mm::mmap(
                start,
                len,
                ProtFlags::READ | ProtFlags::WRITE,
                MapFlags::SHARED | MapFlags::FIXED,
                &file,
                0,
            )
        };
        if let Err(error) = mapped {
            unmap_own(reserved, reserved_len);
            return Err(error);
        }
        unmap_own(reserved, head);
        unmap_own(start.wrapping_byte_add(len), align - head);
        let pointer = NonNull::new(start.cast::<u8>()).ok_or(Errno::FAULT)?;
        Ok(Mapping { pointer, len, file })
    }

    pub(crate) fn pointer(&self) -> NonNull<u8> {
        self.pointer
    }

    pub(crate) fn fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }

    /// Says that all pages made from now on must lie on `node`.
    pub(crate) fn bind(&self, node: u32) -> io::Result<()> {
        let mut mask = [0_u64; MASK_WORDS];
        let word = node as usize / u64::BITS as usize;
        let Some(entry) = mask.get_mut(word) else {
            return Err(io::ErrorKind::InvalidInput.into());
        };
        *entry = 1 << (node % u64::BITS);
        // SAFETY: the range is this mapping, the mask is alive over the call and holds
        // NODES_MAX bits (the kernel takes one less than it is told).
        let answer = unsafe {
            libc::syscall(
                libc::SYS_mbind,
                self.pointer.as_ptr(),
                self.len,
                libc::MPOL_BIND,
                mask.as_ptr(),
                NODES_MAX + 1,
                0_u32,
            )
        };
        if answer == 0 {
            Ok(())
        } else {
            Err(io::Error::last_os_error())
        }
    }

    /// Asks for transparent huge pages.
    pub(crate) fn advise_huge(&self) -> Result<(), Errno> {
        self.advise(Advice::LinuxHugepage)
    }

    /// Makes every page now, zeroed and writable. A lack of pages is an error here,
    /// where a first touch later would be a SIGBUS.
    pub(crate) fn populate(&self) -> Result<(), Errno> {
        // Arenas do not belong in a core dump; a kernel that cannot leave them out only
        // writes more.
        let _ = self.advise(Advice::LinuxDontDump);
        loop {
            match self.advise(Advice::LinuxPopulateWrite) {
                Err(Errno::INTR | Errno::AGAIN) => {}
                done => return done,
            }
        }
    }

    fn advise(&self, advice: Advice) -> Result<(), Errno> {
        // SAFETY: the range is this mapping; none of the advices used here changes the
        // contents of shared memory.
        unsafe { rustix::mm::madvise(self.pointer.as_ptr().cast::<c_void>(), self.len, advice) }
    }

    /// The node on which the page at `offset` lies.
    pub(crate) fn node_at(&self, offset: usize) -> io::Result<u32> {
        if offset >= self.len {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        let mut node = -1_i32;
        // SAFETY: the kernel writes one int to `node`; with MPOL_F_ADDR the address, which
        // lies in this mapping, is only looked up.
        let answer = unsafe {
            libc::syscall(
                libc::SYS_get_mempolicy,
                &raw mut node,
                std::ptr::null_mut::<u64>(),
                0_usize,
                self.pointer.as_ptr().wrapping_add(offset),
                MPOL_F_NODE | MPOL_F_ADDR,
            )
        };
        if answer != 0 {
            return Err(io::Error::last_os_error());
        }
        u32::try_from(node).map_err(|_| io::ErrorKind::InvalidData.into())
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        unmap_own(self.pointer.as_ptr().cast::<c_void>(), self.len);
    }
}

/// Unmaps what this file has mapped and nobody holds an address of.
fn unmap_own(start: *mut c_void, len: usize) {
    if len == 0 {
        return;
    }
    // SAFETY: called on parts of a fresh reservation and from `Mapping::drop` alone; a region
    // that others hold is behind an `Arc`, which keeps the drop from running.
    let unmapped = unsafe { rustix::mm::munmap(start, len) };
    debug_assert!(unmapped.is_ok(), "the range was mapped: {unmapped:?}");
}

#[cfg(test)]
mod tests;
