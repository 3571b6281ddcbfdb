//! What the tests share: rings on the heap, and short ways to fill and read them.
#![allow(dead_code, reason = "each test uses some of it")]

use std::hash::{BuildHasher, RandomState};
use std::rc::Rc;

use proptest::strategy::Strategy;
use proptest::test_runner::{Config, RngSeed, TestCaseResult, TestRunner};
use zonecast_numa::{Arena, ControlMemory, LoopId, Regions, RegionsBuilder, ZoneId};
use zonecast_ring::{ChunkRef, LoopReader, Ring, RingConfig, RingError};

/// Nothing revoked ahead; this many slots, two loops.
pub(crate) fn config(slots: u32) -> RingConfig {
    RingConfig {
        slots,
        loops: 2,
        ahead_bytes: 0,
    }
}

/// A ring on the heap of this many bytes, a multiple of 4 KiB.
pub(crate) fn ring(bytes: u32, config: RingConfig) -> Ring {
    ring_and_regions(bytes, config).0
}

/// As [`ring`], with the table that its spans are in.
pub(crate) fn ring_and_regions(bytes: u32, config: RingConfig) -> (Ring, Regions) {
    let control = Ring::control_bytes(config).expect("a valid configuration");
    create(bytes, control, config).expect("a valid ring")
}

/// A ring of blocks of these sizes.
pub(crate) fn create(
    data: u32,
    control: u32,
    config: RingConfig,
) -> Result<(Ring, Regions), RingError> {
    let mut regions = RegionsBuilder::new();
    let zone = ZoneId(0);
    let arena = Arena::heap(zone, data, &mut regions).expect("memory");
    let words = ControlMemory::heap(zone, control, &mut regions).expect("memory");
    let data = arena.allocate(data).expect("all of it");
    let control = words.allocate(control).expect("all of it");
    let ring = Ring::create(data, control, config)?;
    Ok((ring, regions.build()))
}

/// Allocates, fills and completes a chunk; with it, what was revoked for it.
pub(crate) fn store(ring: &mut Ring, payload: &[u8]) -> (ChunkRef, Vec<ChunkRef>) {
    let mut revoked = Vec::new();
    let len = payload.len() as u32;
    let mut writer = ring.allocate(len, &mut revoked).expect("room");
    assert_eq!(writer.append(payload), payload.len());
    (ring.complete(writer), revoked)
}

/// The reader of one loop.
pub(crate) fn on_loop(ring: &Ring, id: u16) -> Rc<LoopReader> {
    let reader = ring.reader().for_loop(LoopId(id));
    reader.expect("the row is free")
}

/// Runs `test` on `cases` values. The seed comes from `PROPTEST_RNG_SEED`, else from the
/// system, and is printed.
pub(crate) fn randomized<S: Strategy>(
    cases: u32,
    strategy: &S,
    test: impl Fn(S::Value) -> TestCaseResult,
) {
    let given = std::env::var("PROPTEST_RNG_SEED")
        .ok()
        .and_then(|seed| seed.parse().ok());
    let seed = given.unwrap_or_else(|| RandomState::new().hash_one("seed"));
    println!("seed {seed}; again with PROPTEST_RNG_SEED={seed}");
    let mut runner = TestRunner::new(Config {
        cases,
        rng_seed: RngSeed::Fixed(seed),
        failure_persistence: None,
        ..Config::default()
    });
    if let Err(failure) = runner.run(strategy, test) {
        panic!("seed {seed}: {failure}");
    }
}
