//! Where room comes from: the oldest chunk goes first, what is busy is stepped over, and
//! what finds no room is refused.
#![cfg(not(loom))]

mod common;

use std::collections::VecDeque;

use common::{config, on_loop, ring, store};
use zonecast_ring::{ChunkWriter, Lapped, NoRoom, Ring, RingConfig};

/// as it was.
#[test]
fn the_oldest_goes_first() {
    let mut ring = ring(4096, config(64));
    let reader = on_loop(&ring, 0);
    let mut live = VecDeque::new();
    for round in 0..200u32 {
        let payload = vec![round as u8; 100 + (round as usize * 37) % 500];
        let (chunk, revoked) = store(&mut ring, &payload);
        for gone in revoked {
            let (oldest, _) = live.pop_front().expect("only living chunks are revoked");
            assert_eq!(gone, oldest);
            assert!(!ring.verify(gone));
            assert_eq!(reader.lease(gone).map(|_| ()), Err(Lapped::Overwritten));
        }
        live.push_back((chunk, payload));
        for (chunk, payload) in &live {
            assert!(ring.verify(*chunk));
            assert_eq!(reader.lease(*chunk).expect("live").bytes(), payload);
        }
    }
    let stats = ring.stats();
    assert_eq!(stats.chunks_live as usize, live.len());
    assert_eq!(stats.revoked as usize, 200 - live.len());
    assert_eq!((stats.stepped_over, stats.refused), (0, 0));
}

/// over; the ring goes on.
#[test]
fn a_leased_chunk_is_stepped_over() {
    let mut ring = ring(4096, config(64));
    let reader = on_loop(&ring, 1);
    let (slow, _) = store(&mut ring, &[9; 300]);
    let lease = reader.lease(slow).expect("live");
    for round in 0..50 {
        let (chunk, _) = store(&mut ring, &[round; 700]);
        assert_eq!(reader.lease(chunk).expect("live").bytes(), [round; 700]);
        assert_eq!(lease.bytes(), [9; 300]);
    }
    assert!(lease.revoked() && lease.progress().complete && lease.verify());
    assert_eq!(reader.lease(slow).map(|_| ()), Err(Lapped::Overwritten));
    let stats = ring.stats();
    assert!(stats.stepped_over > 5, "{stats:?}");
    assert_eq!(stats.bytes_held, 448);
    drop(lease);
    store(&mut ring, &[0; 3900]);
    assert_eq!(ring.stats().bytes_held, 0);
}

/// An open chunk is stepped over as it is: its upload goes on, and it is readable when done.
#[test]
fn an_open_chunk_is_stepped_over() {
    let mut ring = ring(4096, config(64));
    let mut slow = ring.allocate(300, &mut Vec::new()).expect("empty");
    for round in 0..50 {
        let (_, revoked) = store(&mut ring, &[round; 700]);
        assert!(!revoked.contains(&slow.chunk()));
        slow.append(&[5; 6]);
        slow.commit();
    }
    assert!(!slow.revoked());
    let chunk = ring.complete(slow);
    let lease = on_loop(&ring, 0).lease(chunk).expect("live");
    assert_eq!(lease.bytes(), [5; 300]);
}

/// A ring full of open or leased chunks refuses at once, and has room when they are done.
#[test]
fn a_busy_ring_refuses() {
    let mut ring = ring(4096, config(64));
    let reader = on_loop(&ring, 0);
    let (leased, _) = store(&mut ring, &[1; 1900]);
    let lease = reader.lease(leased).expect("live");
    let mut revoked = Vec::new();
    let open = ring.allocate(1900, &mut revoked).expect("room");
    let refused = ring.allocate(100, &mut revoked).map(|_| ());
    assert_eq!(refused, Err(NoRoom::NotQuiet));
    assert_eq!(revoked, [leased], "it is wanted back");
    assert!(lease.revoked());
    assert_eq!(ring.stats().refused, 1);
    drop(lease);
    let writer = ring.allocate(100, &mut revoked).expect("it is quiet now");
    ring.abort(writer);
    ring.complete(open);
}

/// A refusal revokes all of the place that the chunk would have had, also behind the skipped
/// tail, so that viewers who keep coming cannot hold it for ever.
#[test]
fn a_refusal_makes_room_for_the_next_attempt() {
    let mut ring = ring(4096, config(64));
    let reader = on_loop(&ring, 0);
    let chunks = [1, 2, 3].map(|fill| store(&mut ring, &[fill; 900]).0);
    let [first, second, third] = chunks;
    let leases = [second, third].map(|chunk| reader.lease(chunk).expect("live"));
    let mut revoked = Vec::new();
    let refused = ring.allocate(1900, &mut revoked).map(|_| ());
    assert_eq!(refused, Err(NoRoom::NotQuiet));
    assert_eq!(revoked, [first, second]);
    assert!(reader.lease(third).is_ok(), "it is not in the way");
    drop(leases);
    assert!(ring.allocate(1900, &mut revoked).is_ok());
    assert!(reader.lease(third).is_ok());
}

/// What can never fit is told apart from what does not fit now.
#[test]
fn too_large_is_said_so() {
    let mut ring = ring(4096, config(4));
    let max = ring.payload_max();
    for payload in [max + 1, u32::MAX] {
        let refused = ring.allocate(payload, &mut Vec::new()).map(|_| ());
        assert_eq!(refused, Err(NoRoom::TooLarge { max }));
    }
    store(&mut ring, &vec![1; max as usize]);
    assert_eq!(ring.stats().refused, 0);
}

/// own; when there is none, the ring refuses.
#[test]
fn slots_run_out() {
    let mut ring = ring(64 << 10, config(2));
    let reader = on_loop(&ring, 0);
    let (first, _) = store(&mut ring, &[1; 10]);
    let (second, _) = store(&mut ring, &[2; 10]);
    let (third, revoked) = store(&mut ring, &[3; 10]);
    assert_eq!(revoked, [first]);
    let leases = [second, third].map(|chunk| reader.lease(chunk).expect("live"));
    let mut revoked = Vec::new();
    let refused = ring.allocate(10, &mut revoked).map(|_| ());
    assert_eq!((refused, revoked), (Err(NoRoom::NoSlot), vec![second]));
    drop(leases);
    let (fourth, _) = store(&mut ring, &[4; 10]);
    assert!(reader.lease(fourth).is_ok() && reader.lease(first).is_err());
}

/// room for the next chunk.
#[test]
fn aborted_chunks_are_never_whole() {
    let mut ring = ring(4096, config(8));
    let reader = on_loop(&ring, 0);
    let mut revoked = Vec::new();
    let mut end = |end: fn(&mut Ring, ChunkWriter)| {
        let mut writer = ring.allocate(3000, &mut revoked).expect("room");
        let chunk = writer.chunk();
        writer.append(&[1; 10]);
        writer.commit();
        let lease = reader.lease(chunk).expect("open");
        end(&mut ring, writer);
        assert_eq!(reader.lease(chunk).map(|_| ()), Err(Lapped::Aborted));
        assert_eq!(reader.progress(chunk), Err(Lapped::Aborted));
        assert!(lease.revoked() && !lease.progress().complete);
        assert_eq!(lease.bytes(), [1; 10], "until the lease is given back");
        let refused = ring.allocate(3000, &mut revoked).map(|_| ());
        assert_eq!(refused, Err(NoRoom::NotQuiet));
        chunk
    };
    end(|ring, writer| ring.abort(writer));
    end(|ring, writer| {
        let chunk = writer.chunk();
        drop(writer);
        ring.lost(chunk);
    });
    end(|ring, writer| {
        ring.revoke(writer.chunk());
        assert!(writer.revoked());
        ring.complete(writer);
    });
    assert_eq!(ring.stats().aborted, 3);
    assert!(revoked.is_empty(), "the owner knows of these");
}

/// A writer that was dropped is found by the next allocation, which says so.
#[test]
fn an_abandoned_chunk_is_found() {
    let mut ring = ring(4096, config(8));
    let writer = ring.allocate(3000, &mut Vec::new()).expect("empty");
    let chunk = writer.chunk();
    drop(writer);
    let (_, revoked) = store(&mut ring, &[1; 3000]);
    assert_eq!(revoked, [chunk]);
}

/// A chunk whose loss was reported while its writer still lives is not reused under it.
#[test]
fn a_living_writer_keeps_its_room() {
    let mut ring = ring(4096, config(8));
    let mut writer = ring.allocate(3000, &mut Vec::new()).expect("empty");
    ring.lost(writer.chunk());
    let refused = ring.allocate(3000, &mut Vec::new()).map(|_| ());
    assert_eq!(refused, Err(NoRoom::NotQuiet));
    writer.append(&[1; 3000]);
    drop(writer);
    store(&mut ring, &[2; 3000]);
}

/// The unused end of the newest chunk goes to the next one.
#[test]
fn the_unused_end_is_given_back() {
    let mut ring = ring(8192, config(64));
    for _ in 0..32 {
        let mut writer = ring.allocate(4000, &mut Vec::new()).expect("room");
        writer.append(&[1; 100]);
        ring.complete(writer);
    }
    let stats = ring.stats();
    assert!(stats.chunks_live >= 15, "{stats:?}");
    assert_eq!(stats.bytes_live, u64::from(stats.chunks_live) * 256);
}

/// What lies before the head is revoked before it is needed, and no newer chunk is.
#[test]
fn the_ring_revokes_ahead() {
    let ahead = RingConfig {
        ahead_bytes: 1024,
        ..config(64)
    };
    let mut ring = ring(4096, ahead);
    let (first, _) = store(&mut ring, &[1; 900]);
    let lease = on_loop(&ring, 0).lease(first).expect("live");
    let (second, revoked) = store(&mut ring, &[2; 900]);
    assert!(revoked.is_empty());
    let (_, revoked) = store(&mut ring, &[3; 900]);
    assert!(revoked.is_empty());
    let (_, revoked) = store(&mut ring, &[4; 900]);
    assert_eq!(revoked, [first], "a viewer has a chunk's time to finish");
    drop(lease);
    let (_, revoked) = store(&mut ring, &[5; 900]);
    assert_eq!((revoked, ring.stats().stepped_over), (vec![second], 0));
}
