//! What the build has made of `programs/`: the programs themselves, and the structures of their maps.
#![allow(
    missing_docs,
    unreachable_pub,
    dead_code,
    clippy::all,
    clippy::pedantic,
    clippy::undocumented_unsafe_blocks,
    clippy::multiple_unsafe_ops_per_block,
    clippy::unwrap_used
)]

include!(concat!(env!("OUT_DIR"), "/zonecast.skel.rs"));
