//! The ring against a plain model of it: random calls on one thread, many chunks open and
//! leased at once, and after each call everything that can be seen is compared.
#![cfg(not(loom))]

mod common;
mod plain;

use plain::{Op, Plain};
use proptest::prelude::*;

const CASES: u32 = if cfg!(miri) { 4 } else { 512 };

fn op() -> impl Strategy<Value = Op> {
    let any = any::<prop::sample::Index>;
    let size = || prop_oneof![Just(0), 1u32..100, 1u32..2000, Just(4000)];
    prop_oneof![
        6 => size().prop_map(Op::Allocate),
        6 => (any(), size()).prop_map(|(writer, len)| Op::Append(writer, len)),
        3 => (any(), size()).prop_map(|(writer, len)| Op::InPlace(writer, len)),
        4 => any().prop_map(Op::Commit),
        5 => any().prop_map(Op::Complete),
        1 => any().prop_map(Op::Abort),
        1 => any().prop_map(Op::Abandon),
        1 => any().prop_map(Op::Lose),
        4 => (0..2u16, any()).prop_map(|(id, chunk)| Op::Lease(id, chunk)),
        4 => any().prop_map(Op::GiveBack),
        1 => any().prop_map(Op::Revoke),
    ]
}

/// Whatever is called in whatever order: bytes under a lease equal what was written, names
/// are readable exactly as long as the model says, the oldest goes first, and only a ring
/// with open or leased chunks refuses.
#[test]
fn the_ring_agrees_with_the_model() {
    let strategy = (
        prop::sample::select(vec![4096u32, 8192]),
        1..20u32,
        prop::sample::select(vec![0u32, 700, u32::MAX]),
        prop::collection::vec(op(), 1..150),
    );
    common::randomized(CASES, &strategy, |(bytes, slots, ahead_bytes, ops)| {
        let mut config = common::config(slots);
        config.ahead_bytes = ahead_bytes;
        let mut plain = Plain::new(common::ring(bytes, config));
        for op in ops {
            plain.apply(&op);
            plain.compare();
        }
        plain.end();
        Ok(())
    });
}
