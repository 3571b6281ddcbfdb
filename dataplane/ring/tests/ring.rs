//! Writing and reading, one thread: what each call does, and that no stale name is readable.
#![cfg(not(loom))]

mod common;

use common::{config, on_loop, ring, store};
use zonecast_numa::LoopId;
use zonecast_ring::{ChunkRef, Lapped, Progress, Ring, RingError};

/// What is written and completed is read back, from every loop, and its markers agree.
#[test]
fn a_chunk_is_written_and_read() {
    let mut ring = ring(64 << 10, config(8));
    let payload: Vec<u8> = (0..20_000u32).map(|i| i as u8).collect();
    let (chunk, revoked) = store(&mut ring, &payload);
    assert!(revoked.is_empty());
    assert!(ring.verify(chunk));
    for id in [0, 1] {
        let reader = on_loop(&ring, id);
        let lease = reader.lease(chunk).expect("live");
        assert_eq!(lease.bytes(), payload);
        assert!(lease.verify() && !lease.revoked());
        let progress = Progress {
            committed: 20_000,
            complete: true,
        };
        assert_eq!(reader.progress(chunk), Ok(progress));
        assert_eq!(lease.progress(), progress);
    }
}

/// Readers see what is committed, not what is written, and a lease follows.
#[test]
fn readers_follow_an_open_chunk() {
    let mut ring = ring(4096, config(8));
    let reader = on_loop(&ring, 0);
    let mut writer = ring.allocate(100, &mut Vec::new()).expect("empty");
    let lease = reader.lease(writer.chunk()).expect("open");
    assert_eq!(writer.append(&[1; 60]), 60);
    assert_eq!(lease.bytes(), []);
    writer.commit();
    assert_eq!(lease.bytes(), [1; 60]);
    assert_eq!(
        (writer.written(), writer.committed(), writer.room()),
        (60, 60, 40)
    );
    writer.spare()[..10].fill(2);
    writer.advance(10);
    assert_eq!(writer.append(&[3; 60]), 30, "what fits");
    assert!(lease.span(0, 60).is_some() && lease.span(0, 61).is_none());
    assert_eq!(
        writer.checksum(),
        crc32c::crc32c(&[&[1; 60][..], &[2; 10], &[3; 30]].concat())
    );
    assert!(!lease.progress().complete && !lease.verify());
    let chunk = ring.complete(writer);
    assert_eq!(
        lease.bytes()[55..75],
        [&[1; 5][..], &[2; 10], &[3; 5]].concat()
    );
    assert!(lease.progress().complete && lease.verify() && ring.verify(chunk));
}

/// A span names the very bytes of the lease in the table of regions.
#[test]
fn a_span_names_the_leased_bytes() {
    let (mut ring, regions) = common::ring_and_regions(8192, config(8));
    let (chunk, _) = store(&mut ring, &[7; 500]);
    let lease = on_loop(&ring, 0).lease(chunk).expect("live");
    let span = lease.span(100, 300).expect("inside");
    assert_eq!(span.len, 300);
    let there = regions.pointer(span).expect("in the table");
    assert_eq!(there.as_ptr().cast_const(), lease.bytes()[100..].as_ptr());
    assert_eq!(lease.span(500, 0).map(|span| span.len), Some(0));
    assert_eq!(lease.span(500, 1), None);
    assert_eq!(lease.span(u32::MAX, 2), None);
}

/// The ring keeps what is newest: the oldest chunk goes first, and what was readable stays
/// A chunk that is leased when the head comes round is revoked, stays whole, and is stepped
/// When the slots run out before the bytes do, the oldest chunk that nobody uses gives its
/// An abort, a loss and a dropped writer all end in `Aborted` for those who follow, and in
/// A ring lives in mapped memory, as the daemon's do, and gives it back with the last lease.
#[test]
#[cfg(not(miri))]
fn a_ring_lives_in_mapped_memory() {
    use zonecast_numa::{Arena, ControlMemory, PageKind, RegionsBuilder, ZoneId};
    let mut regions = RegionsBuilder::new();
    let (zone, bytes) = (ZoneId(0), 1 << 20);
    let config = config(64);
    let control_bytes = Ring::control_bytes(config).expect("valid");
    let arena = Arena::create(zone, None, bytes, PageKind::Plain, &mut regions).expect("memory");
    let words = ControlMemory::create(zone, None, 64 << 10, &mut regions).expect("memory");
    let data = arena.allocate(bytes as u32).expect("all of it");
    let control = words.allocate(control_bytes).expect("some of it");
    let mut ring = Ring::create(data, control, config).expect("valid");
    let reader = on_loop(&ring, 0);
    let payload = vec![7; 300_000];
    for _ in 0..20 {
        let (chunk, _) = store(&mut ring, &payload);
        assert_eq!(reader.lease(chunk).expect("live").bytes(), payload);
        assert!(ring.verify(chunk));
    }
    let (chunk, _) = store(&mut ring, &payload);
    let lease = reader.lease(chunk).expect("live");
    drop((ring, reader));
    assert_eq!(arena.bytes_free(), 0, "the lease keeps it");
    assert_eq!(lease.bytes(), payload);
    drop(lease);
    assert_eq!(arena.bytes_free(), bytes);
}

/// A single byte that is not as it was written, in the payload or in a marker, is found.
#[test]
fn damage_is_found() {
    let (mut ring, regions) = common::ring_and_regions(4096, config(8));
    let (chunk, _) = store(&mut ring, &[7; 500]);
    let span = {
        let lease = on_loop(&ring, 0).lease(chunk).expect("live");
        lease.span(0, 500).expect("inside")
    };
    let payload = regions.pointer(span).expect("in the table");
    // The magics, the sequence in the header, the payload's ends, the trailer's fields.
    for at in [-64, -56, -48, -40, 0, 499, 504, 512, 520, 524, 528] {
        // SAFETY: all of these lie inside the chunk, which lies inside the region.
        let byte = unsafe { payload.offset(at) };
        let flip = || {
            // SAFETY: one thread, and nobody holds a reference to the ring's bytes.
            let was = unsafe { byte.read() };
            // SAFETY: as above.
            unsafe { byte.write(was ^ 0x10) }
        };
        flip();
        assert!(!ring.verify(chunk), "byte {at}");
        flip();
        assert!(ring.verify(chunk));
    }
}

/// Names that never were, or of another ring's size, are refused; nothing panics.
#[test]
fn invented_names_are_refused() {
    let mut ring = ring(4096, config(2));
    let reader = on_loop(&ring, 0);
    let (chunk, _) = store(&mut ring, &[1; 10]);
    for (slot, sequence) in [
        (0, 0),
        (0, 2),
        (1, 1),
        (1, 0),
        (2, 1),
        (u32::MAX, 1),
        (0, u64::MAX),
    ] {
        let name = ChunkRef { slot, sequence };
        assert_ne!(name, chunk);
        assert_eq!(reader.lease(name).map(|_| ()), Err(Lapped::Overwritten));
        assert_eq!(reader.progress(name), Err(Lapped::Overwritten));
        assert!(!ring.verify(name));
        ring.revoke(name);
        ring.lost(name);
    }
    assert!(reader.lease(chunk).is_ok());
}

/// A loop has one reader of a ring at a time; a lease keeps the row taken.
#[test]
fn a_row_has_one_reader() {
    let mut ring = ring(4096, config(2));
    let (chunk, _) = store(&mut ring, &[1; 10]);
    let id = LoopId(1);
    let lease = on_loop(&ring, 1).lease(chunk).expect("live");
    let taken = ring.reader().for_loop(id).map(|_| ());
    assert_eq!(taken, Err(RingError::LoopTaken { id }));
    drop(lease);
    assert!(ring.reader().for_loop(id).is_ok());
    let id = LoopId(2);
    let unknown = ring.reader().for_loop(id).map(|_| ());
    assert_eq!(unknown, Err(RingError::NoSuchLoop { id, loops: 2 }));
}

/// The owner's handle, writers and ring readers may go to other threads. (That loop readers
/// and leases may not is shown beside them.)
#[test]
fn what_may_move_between_threads() {
    fn send<T: Send>() {}
    fn sync<T: Sync>() {}
    send::<Ring>();
    send::<zonecast_ring::ChunkWriter>();
    send::<zonecast_ring::RingReader>();
    sync::<zonecast_ring::RingReader>();
}

/// When the ring goes, every lease is refused; what is leased or being written stays whole
/// until it is let go.
#[test]
fn a_closed_ring_is_gone_for_readers() {
    let mut ring = ring(4096, config(8));
    let reader = on_loop(&ring, 0);
    let (chunk, _) = store(&mut ring, &[1; 100]);
    let mut writer = ring.allocate(100, &mut Vec::new()).expect("room");
    let open = writer.chunk();
    let lease = reader.lease(chunk).expect("live");
    assert!(!reader.is_closed());
    ring.close();
    assert!(reader.is_closed() && lease.revoked() && writer.revoked());
    assert_eq!(reader.lease(chunk).map(|_| ()), Err(Lapped::Overwritten));
    assert_eq!(reader.lease(open).map(|_| ()), Err(Lapped::Aborted));
    assert_eq!(lease.bytes(), [1; 100]);
    writer.append(&[2; 100]);
    writer.commit();
    drop(reader);
    assert_eq!(lease.bytes(), [1; 100]);
}

/// Blocks that are too small are refused with what is needed.
#[test]
fn small_blocks_are_refused() {
    let config = config(1000);
    let needed = Ring::control_bytes(config).expect("valid");
    let refused = common::create(4096, 4096, config).map(|_| ());
    assert_eq!(
        refused,
        Err(RingError::ControlBytes {
            bytes: 4096,
            needed
        })
    );
    assert!(common::create(4096, needed, config).is_ok());
}
