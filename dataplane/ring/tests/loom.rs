//! The model checker on the whole ring, through its public calls.
//!
//! `RUSTFLAGS="--cfg loom" cargo test -p zonecast-ring --release` runs these and the
//! model of the gate alone. Every access to the data block is recorded in units of 64
//! bytes, so that a read and a write that nothing orders are an error, whatever the bytes
//! were. The gate's model is exhaustive; here, with many more steps, threads are preempted
//! five times at most in one execution.
#![cfg(loom)]

mod common;

use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};

use common::{config, ring};
use loom::thread;
use zonecast_numa::LoopId;
use zonecast_ring::{ChunkRef, ChunkWriter, Lapped, LoopReader, Progress, Ring, RingReader};

/// A chunk that fills the ring, so that the next one takes its bytes.
const ALL: u32 = 3900;

fn check(model: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(5);
    builder.check(model);
}

/// A ring with bytes and a slot for one chunk, and that chunk, of 128 bytes of `1`.
fn full_ring() -> (Ring, ChunkRef) {
    let mut ring = ring(4096, config(1));
    let mut writer = ring.allocate(ALL, &mut Vec::new()).expect("empty");
    writer.append(&[1; 128]);
    let chunk = ring.complete(writer);
    (ring, chunk)
}

/// Tries to put another chunk, of 64 bytes of `2`, into the room of the first.
fn overwrite(ring: &mut Ring) -> Option<ChunkWriter> {
    for _ in 0..2 {
        if let Ok(mut writer) = ring.allocate(ALL, &mut Vec::new()) {
            writer.append(&[2; 64]);
            writer.commit();
            return Some(writer);
        }
    }
    None
}

fn on_loop(reader: &RingReader) -> Rc<LoopReader> {
    reader.for_loop(LoopId(0)).expect("the row is free")
}

/// A lease keeps the bytes of its chunk. Among the executions are some in which the lease is
/// first and some in which the reuse is, or the model would show nothing.
#[test]
fn a_lease_against_reuse() {
    static READ: AtomicUsize = AtomicUsize::new(0);
    static REFUSED: AtomicUsize = AtomicUsize::new(0);
    static REUSED: AtomicUsize = AtomicUsize::new(0);
    check(|| {
        let (mut ring, chunk) = full_ring();
        let reader = ring.reader();
        let reading = thread::spawn(move || {
            let reader = on_loop(&reader);
            if let Ok(lease) = reader.lease(chunk) {
                assert_eq!(lease.bytes(), [1; 128]);
            }
            match reader.lease(chunk) {
                Ok(lease) => {
                    assert_eq!(lease.bytes(), [1; 128]);
                    READ.fetch_add(1, Ordering::Relaxed);
                }
                Err(lapped) => {
                    assert_eq!(lapped, Lapped::Overwritten);
                    REFUSED.fetch_add(1, Ordering::Relaxed);
                }
            }
        });
        let next = overwrite(&mut ring);
        REUSED.fetch_add(usize::from(next.is_some()), Ordering::Relaxed);
        reading.join().expect("the reader does not panic");
    });
    for seen in [&READ, &REFUSED, &REUSED] {
        assert!(seen.load(Ordering::Relaxed) > 0);
    }
}

/// Progress without a lease is the chunk's own, or refused; never the next chunk's.
#[test]
fn progress_against_reuse() {
    check(|| {
        let (mut ring, chunk) = full_ring();
        let reader = ring.reader();
        let reading = thread::spawn(move || {
            let progress = on_loop(&reader).progress(chunk);
            let whole = Progress {
                committed: 128,
                complete: true,
            };
            assert!([Ok(whole), Err(Lapped::Overwritten)].contains(&progress));
        });
        let _next = overwrite(&mut ring);
        reading.join().expect("the reader does not panic");
    });
}

/// A reader that comes the moment a chunk is there finds that chunk, and nothing of the one
/// that was in its slot.
#[test]
fn the_next_chunk_against_an_early_reader() {
    check(|| {
        let (mut ring, first) = full_ring();
        let reader = ring.reader();
        let reading = thread::spawn(move || {
            let reader = on_loop(&reader);
            let next = ChunkRef {
                sequence: first.sequence + 1,
                ..first
            };
            if let Ok(progress) = reader.progress(next) {
                assert!(progress.committed <= 64 && !progress.complete);
            }
            if let Ok(lease) = reader.lease(next) {
                let bytes = lease.bytes();
                assert!(bytes.is_empty() || bytes == [2; 64]);
            }
        });
        let _next = overwrite(&mut ring);
        reading.join().expect("the reader does not panic");
    });
}

/// A follower reads what is committed, while the writer goes on behind it and the owner
/// completes the chunk; it never sees less than before, and at the end it has all.
#[test]
fn a_follower_against_the_writer() {
    check(|| {
        let mut ring = ring(4096, config(2));
        let mut writer = ring.allocate(128, &mut Vec::new()).expect("empty");
        let chunk = writer.chunk();
        let reader = ring.reader();
        let reading = thread::spawn(move || {
            let lease = on_loop(&reader).lease(chunk).expect("live");
            let before = lease.progress();
            let bytes = lease.bytes();
            assert!(bytes.len() >= before.committed as usize);
            assert!(bytes.iter().all(|&byte| byte == 3));
            assert!(!before.complete || before.committed == 128);
            let after = lease.reader().progress(chunk).expect("leased");
            assert!(after.committed as usize >= bytes.len());
            assert!(!after.complete || after.committed == 128);
        });
        writer.append(&[3; 64]);
        writer.commit();
        writer.append(&[3; 64]);
        ring.complete(writer);
        reading.join().expect("the reader does not panic");
        assert!(ring.verify(chunk));
    });
}

/// A writer that is dropped on another loop: its bytes are reused only afterwards.
#[test]
fn an_abandoned_writer_against_reuse() {
    check(|| {
        let mut ring = ring(4096, config(2));
        let mut writer = ring.allocate(ALL, &mut Vec::new()).expect("empty");
        let chunk = writer.chunk();
        let reader = ring.reader();
        let writing = thread::spawn(move || {
            writer.append(&[1; 64]);
            writer.commit();
        });
        ring.lost(chunk);
        let _next = overwrite(&mut ring);
        assert!(on_loop(&reader).lease(chunk).is_err(), "it was lost before");
        writing.join().expect("the writer does not panic");
    });
}

/// The ring goes while a reader comes: it is refused, or keeps its bytes.
#[test]
fn a_lease_against_the_end_of_the_ring() {
    check(|| {
        let (ring, chunk) = full_ring();
        let reader = ring.reader();
        let reading = thread::spawn(move || {
            let reader = on_loop(&reader);
            if let Ok(lease) = reader.lease(chunk) {
                assert_eq!(lease.bytes(), [1; 128]);
            }
        });
        let late = ring.reader();
        ring.close();
        reading.join().expect("the reader does not panic");
        assert!(late.is_closed());
        let refused = on_loop(&late).lease(chunk).map(|_| ());
        assert_eq!(refused, Err(Lapped::Overwritten));
    });
}

/// Two readers of one loop, one after the other on different threads: the row passes on with
/// its counts.
#[test]
fn a_row_passes_to_another_thread() {
    check(|| {
        let (mut ring, chunk) = full_ring();
        let other = ring.reader();
        let reading = thread::spawn(move || {
            if let Ok(reader) = other.for_loop(LoopId(0)) {
                let lease = reader.lease(chunk).expect("nobody revokes it");
                assert_eq!(lease.bytes(), [1; 128]);
            }
        });
        if let Ok(reader) = ring.reader().for_loop(LoopId(0)) {
            let lease = reader.lease(chunk).expect("nobody revokes it");
            assert_eq!(lease.bytes(), [1; 128]);
        }
        reading.join().expect("the reader does not panic");
        assert!(overwrite(&mut ring).is_some(), "all leases are given back");
    });
}
