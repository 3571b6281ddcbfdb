//! One ring, one thread: what each call does, and that nothing stale is ever readable.
#![cfg(not(loom))]

mod common;

use common::{config, ring};
use zonecast_numa::LoopId;
use zonecast_ring::{ChunkRef, Lapped, NoRoom, Progress, Ring, RingConfig, RingError};

/// Allocates, fills and completes a chunk.
fn store(ring: &mut Ring, payload: &[u8]) -> (ChunkRef, Vec<ChunkRef>) {
    let mut revoked = Vec::new();
    let mut writer = ring
        .allocate(payload.len() as u32, &mut revoked)
        .expect("room");
    assert_eq!(writer.append(payload), payload.len());
    (ring.complete(writer), revoked)
}

/// What is written and completed is read back, from every loop, and its markers agree.
#[test]
fn a_chunk_is_written_and_read() {
    let mut ring = ring(64 << 10, config(8));
    let payload: Vec<u8> = (0..20_000u32).map(|i| i as u8).collect();
    let (chunk, revoked) = store(&mut ring, &payload);
    assert!(revoked.is_empty());
    assert!(ring.verify(chunk));
    for id in [LoopId(0), LoopId(1)] {
        let reader = ring.reader().for_loop(id).expect("the row is free");
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
