//! Arenas on this machine's memory (small ones) and on the heap.

use std::io::Read;
use std::os::fd::AsFd;
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};

use proptest::prelude::*;
use rustix::fs::{FallocateFlags, SealFlags};

use super::*;
use crate::{Block, ControlMemory, Regions};

const ZONE: ZoneId = ZoneId(0);

fn arena(bytes: u64, ladder: PageKind) -> (Arena, Regions) {
    let mut builder = RegionsBuilder::new();
    let arena = Arena::create(ZONE, None, bytes, ladder, &mut builder).unwrap();
    (arena, builder.build())
}

/// Writes through the block's address; the caller holds the only block there is.
fn fill(block: &Block, byte: u8) {
    // SAFETY: the block is alive and belongs to the test, which makes no reference to its
    // bytes; it spans `len` mapped, writable bytes.
    unsafe { std::ptr::write_bytes(block.as_ptr(), byte, block.len() as usize) };
}

/// Whether every byte is `byte`.
fn holds(block: &Block, byte: u8) -> bool {
    // SAFETY: as for `fill`, and nobody writes while the slice lives.
    let bytes = unsafe { std::slice::from_raw_parts(block.as_ptr(), block.len() as usize) };
    bytes.iter().all(|&have| have == byte)
}

/// Blocks are aligned, do not overlap, come back on drop (after the arena's handle is gone
/// too), and nothing is left that was free before.
#[test]
fn blocks_come_and_go() {
    let (arena, regions) = arena(8 << 20, PageKind::Plain);
    assert_eq!(arena.bytes_total(), 8 << 20);
    let small = arena.allocate(5000).unwrap();
    assert_eq!(small.len(), 8192);
    let large = arena.allocate(3 << 20).unwrap();
    assert_eq!(large.as_ptr().addr() % (2 << 20), 0);
    assert_eq!(arena.bytes_free(), (8 << 20) - 8192 - (3 << 20));
    fill(&small, 1);
    fill(&large, 2);
    assert!(holds(&small, 1) && holds(&large, 2));
    assert!(arena.allocate(5 << 20).is_none(), "not in one piece");
    assert!(arena.allocate(0).is_none());
    assert!(arena.allocate(u32::MAX).is_none());
    let clone = arena.clone();
    drop((arena, small));
    assert_eq!(clone.bytes_free(), 5 << 20);
    drop(large);
    assert_eq!(clone.bytes_free(), 8 << 20);
    let all = clone.allocate(8 << 20).unwrap();
    drop((clone, regions));
    fill(&all, 3);
    assert!(holds(&all, 3), "a block outlives the arena and the table");
}

proptest! {
    /// Random allocations and drops: each living block holds its own bytes, written when it
    /// was made, to its end. (A failing case is printed with the seed that replays it.)
    #[test]
    fn living_blocks_never_share_a_byte(steps in prop::collection::vec((1..40_000_u32, any::<bool>()), 1..60)) {
        let mut builder = RegionsBuilder::new();
        let arena = Arena::heap(ZONE, 256 << 10, &mut builder).unwrap();
        let mut living: Vec<(Block, u8)> = Vec::new();
        for (number, (bytes, release)) in steps.into_iter().enumerate() {
            if release && !living.is_empty() {
                let (block, byte) = living.swap_remove(bytes as usize % living.len());
                prop_assert!(holds(&block, byte));
            }
            if let Some(block) = arena.allocate(bytes) {
                fill(&block, number as u8);
                living.push((block, number as u8));
            }
        }
        for (block, byte) in &living {
            prop_assert!(holds(block, *byte));
        }
        living.clear();
        prop_assert_eq!(arena.bytes_free(), arena.bytes_total());
    }
}

/// Whatever this machine has: the arena is made, each rung not taken has its reason, and
/// the steps lead from the best rung to the one it stands on.
#[test]
fn the_ladder_says_each_step() {
    let (arena, regions) = arena(4 << 20, PageKind::BEST);
    for step in arena.step_downs() {
        println!("{step}");
        assert!(!step.reason.is_empty());
    }
    let mut page = PageKind::Huge2M;
    for step in arena.step_downs() {
        assert_eq!((step.from, Some(step.to)), (page, page.below()));
        page = step.to;
    }
    assert_eq!(
        arena.page(),
        page,
        "1 GiB pages do not fit 4 MiB: no step for them"
    );
    let all = arena.allocate(4 << 20).unwrap();
    fill(&all, 7);
    assert!(regions.iter().all(|region| region.page() == page));
}

/// More hugetlb pages than the pool has: all of the region steps down, and the pages that
/// it had got on the way are free again.
#[test]
fn a_short_pool_is_left_as_it_was() {
    let sysfs = Sysfs::host();
    let Some(free) = sysfs.hugetlb_free(PageKind::Huge2M, None) else {
        println!("this kernel has no 2 MiB pages: nothing to show");
        return;
    };
    let wanted = free + 1;
    if wanted > 128 {
        println!("{free} pages are free: too many to take them all in a test");
        return;
    }
    let (arena, _regions) = arena(wanted << 21, PageKind::Huge2M);
    if let Some(step) = arena.step_downs().first() {
        assert!(
            step.reason.starts_with(&format!("wanted {wanted}, free ")),
            "{step}"
        );
        assert!(!arena.page().is_hugetlb());
    } else {
        println!("the kernel made pages beyond its pool (nr_overcommit_hugepages)");
    }
}

/// The memfd is this user's alone, cannot be cut short or grown, holds what is written
/// through the mapping, and every page of it is made before the arena is handed out.
#[test]
fn the_memfd_is_sealed_private_and_full() {
    let (arena, _regions) = arena(2 << 20, PageKind::Plain);
    let region = &arena.regions()[0];
    let file = region.fd().unwrap().try_clone_to_owned().unwrap();
    let seals = rustix::fs::fcntl_get_seals(&file).unwrap();
    assert!(
        seals.contains(SealFlags::SHRINK | SealFlags::GROW),
        "{seals:?}"
    );
    assert!(rustix::fs::ftruncate(&file, 4096).is_err());
    let grown = rustix::fs::fallocate(&file, FallocateFlags::empty(), 2 << 20, 4096);
    assert!(grown.is_err());

    let file = std::fs::File::from(file);
    let metadata = file.metadata().unwrap();
    assert_eq!(metadata.mode() & 0o7777, 0o600);
    assert_eq!(metadata.blocks() * 512, 2 << 20, "every page is there");

    let block = arena.allocate(4096).unwrap();
    fill(&block, 9);
    let mut byte = [0];
    file.read_exact_at(&mut byte, u64::from(block.span().offset))
        .unwrap();
    assert_eq!(byte, [9]);
    if let Ok(node) = region.node_at(0) {
        println!("the region lies on node {node}");
    }
    assert!(region.node_at(region.len()).is_err());
}

/// A read-only descriptor of the region, as another process gets it, cannot write.
#[test]
fn a_read_only_descriptor_stays_so() {
    let (arena, _regions) = arena(4096, PageKind::Plain);
    let fd = arena.regions()[0].fd().unwrap();
    let path = format!(
        "/proc/self/fd/{}",
        std::os::fd::AsRawFd::as_raw_fd(&fd.as_fd())
    );
    let mut options = std::fs::OpenOptions::new();
    let mut reader = options
        .read(true)
        .custom_flags(libc::O_CLOEXEC)
        .open(path)
        .unwrap();
    assert!(reader.write_at(&[1], 0).is_err());
    let mut byte = [1];
    reader.read_exact(&mut byte).unwrap();
    assert_eq!(byte, [0]);
}

/// What cannot be made is an error, and leaves the table as it was.
#[test]
fn refusals_leave_the_table_alone() {
    let mut builder = RegionsBuilder::new();
    let none = Arena::create(ZONE, None, 0, PageKind::Plain, &mut builder);
    assert!(matches!(none, Err(NumaError::NoBytes)));
    let absurd = Arena::create(ZONE, None, u64::MAX, PageKind::Plain, &mut builder);
    assert!(matches!(absurd, Err(NumaError::TooManyRegions { .. })));
    assert!(builder.build().is_empty());
}

/// Control memory is zeroed at each allocation, whatever its last holder left.
#[test]
fn control_words_begin_as_zeros() {
    let mut builder = RegionsBuilder::new();
    let mapped = ControlMemory::create(ZONE, None, 8192, &mut builder).unwrap();
    let heap = ControlMemory::heap(ZONE, 8192, &mut builder).unwrap();
    for memory in [mapped, heap] {
        let block = memory.allocate(8000).unwrap();
        assert!(holds(&block, 0));
        fill(&block, 0xff);
        assert!(memory.allocate(1).is_none());
        drop(block);
        assert_eq!(memory.bytes_free(), memory.bytes_total());
        let again = memory.allocate(4097).unwrap();
        assert!(holds(&again, 0));
    }
}
