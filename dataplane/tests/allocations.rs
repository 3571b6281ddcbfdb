//! The data plane's threads allocate nothing for a request once it has been served a few times,
//! except to keep what a socket left of a send.
//!
//! A test of its own, because it replaces the allocator of the whole process.

#![allow(clippy::unwrap_used)]

mod pipeline_support;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::atomic::{AtomicU64, Ordering};

use pipeline_support::tls::{self, Identity};
use pipeline_support::{Client, Running, bytes, put_head};
use rustls::version::{TLS12, TLS13};

/// Counts what every thread but the test's own allocates.
struct Counting;

static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);
static BYTES: AtomicU64 = AtomicU64::new(0);

thread_local! {
    static IS_CLIENT: Cell<bool> = const { Cell::new(false) };
}

fn count(bytes: usize) {
    if !IS_CLIENT.get() {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        BYTES.fetch_add(bytes as u64, Ordering::Relaxed);
    }
}

// SAFETY: everything is the system allocator's; what is added touches no memory that it manages.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size());
        // SAFETY: the caller keeps `alloc`'s contract, which is the same one.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps `dealloc`'s contract, and `pointer` came from `System`.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(size);
        // SAFETY: the caller keeps `realloc`'s contract, and `pointer` came from `System`.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const SEGMENT: usize = 500_000;
const PATHS: [&str; 5] = [
    "/live/a/0.ts",
    "/live/a/1.ts",
    "/live/a/index.m3u8",
    "/live/a/missing.mpd",
    "/live/none/0.ts",
];

/// Every path on every connection, so many times.
fn requests(viewers: &mut [Client], rounds: usize) {
    for round in 0..rounds {
        for (n, viewer) in viewers.iter_mut().enumerate() {
            for path in PATHS {
                let range = if (round + n) % 2 == 0 {
                    ""
                } else {
                    "Range: bytes=1000-99999\r\n"
                };
                let got = viewer.get(path, range);
                assert!(got.complete);
            }
        }
    }
}

fn run(config: zonecast_dataplane::Config, connect: impl Fn(&Running, usize) -> Client) {
    IS_CLIENT.set(true);
    let running = Running::start(config);
    let mut encoder = connect(&running, usize::MAX);
    for (path, length) in [(PATHS[0], SEGMENT), (PATHS[1], SEGMENT), (PATHS[2], 3000)] {
        encoder.send(&put_head(path, &format!("Content-Length: {length}\r\n")));
        let mut body = bytes(length as u64, length);
        if length == 3000 {
            body[..8].copy_from_slice(b"#EXTM3U\n");
        }
        encoder.send(&body);
        let status = encoder.response().status;
        assert!(status == 201 || status == 204, "{path}: {status}");
    }
    let mut viewers: Vec<Client> = (0..8).map(|n| connect(&running, n)).collect();
    requests(&mut viewers, 20);
    let short_sends = || running.sum(|zone| zone.sends_short);
    let (before, before_bytes, before_short) = (
        ALLOCATIONS.load(Ordering::Relaxed),
        BYTES.load(Ordering::Relaxed),
        short_sends(),
    );
    let rounds = 25;
    requests(&mut viewers, rounds);
    let allocations = ALLOCATIONS.load(Ordering::Relaxed) - before;
    let bytes = BYTES.load(Ordering::Relaxed) - before_bytes;
    let requests = rounds * viewers.len() * PATHS.len();
    let short = short_sends() - before_short;
    println!("{requests} requests: {allocations} allocations, {bytes} bytes; {short} short sends");
    assert!(allocations <= short, "in {requests} requests");
    running.stop();
}

/// Shows that neither plain responses nor sealed ones (TLS 1.3 and 1.2), whole objects, ranges,
/// pinned objects and refusals, cost an allocation.
#[test]
fn none_for_a_request() {
    let plain = pipeline_support::config();
    run(plain, |running, n| match n {
        usize::MAX => running.encoder(),
        _ => running.viewer(),
    });
    let identity = Identity::new();
    for version in [&TLS13, &TLS12] {
        let client = identity.client(version);
        run(tls::config(&identity), |running, n| {
            let address = match n {
                usize::MAX => running.ingest,
                _ => running.viewers,
            };
            Client::connect_tls(address, &client)
        });
    }
}
