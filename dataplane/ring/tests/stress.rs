//! The ring on real threads: an owner, writers on two loops, readers on two more, in a ring
//! that is far too small for them, so that everything is lapped all the time.
#![cfg(not(loom))]

mod common;

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use zonecast_numa::LoopId;
use zonecast_ring::{ChunkRef, ChunkWriter, Lapped, Ring, RingConfig, RingReader};

const CHUNKS: u64 = if cfg!(miri) { 50 } else { 20_000 };
/// When the ring still refuses after this, something was never given back.
const STALL: Duration = Duration::from_secs(120);
const PAYLOAD_MAX: usize = 900;

/// What a chunk holds: its sequence, over and over, so that a byte of another one shows.
fn payload(sequence: u64) -> Vec<u8> {
    let len = 8 + (sequence.wrapping_mul(7919) as usize) % (PAYLOAD_MAX - 8);
    sequence
        .to_le_bytes()
        .into_iter()
        .cycle()
        .take(len)
        .collect()
}

/// What the owner and the loops tell each other beside the ring.
struct Index {
    /// The latest chunks, as an index of objects would name them.
    recent: Mutex<VecDeque<ChunkRef>>,
    done: AtomicBool,
    read: AtomicU64,
    lapped: AtomicU64,
}

/// Writes each chunk in pieces; abandons one in sixteen.
fn write(chunks: &Receiver<ChunkWriter>, back: &Sender<ChunkWriter>) {
    for mut writer in chunks {
        let sequence = writer.chunk().sequence;
        for piece in payload(sequence).chunks(100) {
            assert_eq!(writer.append(piece), piece.len());
            writer.commit();
        }
        if !sequence.is_multiple_of(16) {
            // The owner may have stopped listening: then the chunk is abandoned as well.
            let _ = back.send(writer);
        }
    }
}

/// Reads whatever the index names, and keeps some leases for a while.
fn read(reader: &RingReader, id: LoopId, index: &Index) {
    let reader = reader.for_loop(id).expect("one thread a loop");
    let mut kept = VecDeque::new();
    let mut turn = u64::from(id.0);
    while !index.done.load(Ordering::Relaxed) {
        turn = turn
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let name = {
            let recent = index.recent.lock().expect("no thread panics holding it");
            recent
                .get((turn >> 33) as usize % recent.len().max(1))
                .copied()
        };
        let Some(name) = name else { continue };
        let expected = payload(name.sequence);
        match reader.lease(name) {
            Ok(lease) => {
                let progress = lease.progress();
                let bytes = lease.bytes();
                assert!(bytes.len() >= progress.committed as usize);
                assert_eq!(bytes, &expected[..bytes.len()]);
                if progress.complete {
                    assert!(bytes.len() == expected.len() && lease.verify());
                }
                kept.push_back(lease);
                index.read.fetch_add(1, Ordering::Relaxed);
            }
            Err(Lapped::Overwritten | Lapped::Aborted) => {
                index.lapped.fetch_add(1, Ordering::Relaxed);
            }
        }
        while kept.len() > (turn >> 60) as usize % 4 {
            let oldest = kept.pop_front().expect("it is not empty");
            let bytes = oldest.bytes();
            assert_eq!(bytes, &payload(oldest.chunk().sequence)[..bytes.len()]);
        }
    }
}

/// Allocates, hands out and completes.
fn own(
    ring: &mut Ring,
    index: &Index,
    out: &[Sender<ChunkWriter>; 2],
    back: &Receiver<ChunkWriter>,
) {
    let mut revoked = Vec::new();
    let mut opened = 0;
    let started = Instant::now();
    while opened < CHUNKS {
        match ring.allocate(PAYLOAD_MAX as u32, &mut revoked) {
            Ok(writer) => {
                opened += 1;
                let mut recent = index.recent.lock().expect("no thread panics holding it");
                recent.push_back(writer.chunk());
                if recent.len() > 12 {
                    recent.pop_front();
                }
                drop(recent);
                let to = &out[usize::from(opened % 2 == 0)];
                to.send(writer).expect("the loops run until the end");
            }
            Err(refused) => {
                assert!(started.elapsed() < STALL, "{refused} for good");
                thread::yield_now();
            }
        }
        for writer in back.try_iter() {
            if writer.chunk().sequence.is_multiple_of(15) {
                ring.abort(writer);
            } else {
                ring.complete(writer);
            }
        }
        revoked.clear();
    }
}

/// No reader ever sees a byte of another chunk, while chunks are written, completed,
/// aborted, abandoned, revoked and reused under it.
#[test]
fn nothing_is_torn_under_load() {
    let config = RingConfig {
        slots: 16,
        loops: 2,
        ahead_bytes: 1024,
    };
    let mut ring = common::ring(8192, config);
    let index = Arc::new(Index {
        recent: Mutex::default(),
        done: AtomicBool::new(false),
        read: AtomicU64::new(0),
        lapped: AtomicU64::new(0),
    });
    let (back, returned) = channel();
    let mut threads = Vec::new();
    let out = [0, 1].map(|_| {
        let (out, chunks) = channel();
        let back = back.clone();
        threads.push(thread::spawn(move || write(&chunks, &back)));
        out
    });
    for id in [LoopId(0), LoopId(1)] {
        let (reader, index) = (ring.reader(), Arc::clone(&index));
        threads.push(thread::spawn(move || read(&reader, id, &index)));
    }
    own(&mut ring, &index, &out, &returned);
    index.done.store(true, Ordering::Relaxed);
    drop(out);
    for thread in threads {
        thread.join().expect("a loop panicked");
    }
    let stats = ring.stats();
    let [read, lapped] = [&index.read, &index.lapped].map(|count| count.load(Ordering::Relaxed));
    println!("{read} read, {lapped} lapped, {stats:?}");
    assert!(stats.revoked > 0 && stats.aborted > CHUNKS / 32);
    drop(returned);
    ring.allocate(ring.payload_max(), &mut Vec::new())
        .expect("nobody holds anything any more");
}
