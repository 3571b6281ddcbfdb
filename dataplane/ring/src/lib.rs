//! The circular buffer of one track: chunks, writers, leases, reuse.
//!
//! Place in the flow: ingest (or a fill, or another node) writes into a ring, delivery and
//! dissemination read from it, in the same memory, with no lock and no copy between. The crate
//! knows neither sockets nor names of objects; it stands on `zonecast-numa` for memory.
//!
//! - [`Ring`] is the owner's: it allocates, completes and revokes. One loop holds it.
//! - [`ChunkWriter`] is the sole right to write one chunk; it may go to any loop.
//! - [`RingReader`] goes to every loop and becomes its [`LoopReader`], which takes
//!   [`Lease`]s.
//!
//! Invariants:
//! - The bytes of a chunk up to its committed length never change while a lease on it lives;
//!   behind it they are the writer's alone.
//! - A slot, and the bytes of its chunk, are reused only when no loop has a lease on it and
//!   its writer is completed or dropped.
//! - A sequence is never used twice in a ring, so that a stale [`ChunkRef`] is refused for
//!   ever.
//! - Nothing waits: a chunk that is not quiet is stepped over, and what finds no room is
//!   refused.
//! - Ring memory stays as long as anything of the ring lives.
//!
//! The README beside this crate tells the same as a story, with the reasons.

mod allocate;
#[cfg(not(loom))]
mod control;
#[cfg(loom)]
#[path = "control_loom.rs"]
mod control;
mod data;
mod error;
mod gate;
#[cfg(all(test, loom))]
mod gate_model;
mod layout;
mod lease;
mod marker;
mod reader;
mod ring;
mod room;
mod shared;
mod state;
mod stats;
mod sync;
mod writer;

pub use error::{Lapped, NoRoom, RingError};
pub use layout::RingConfig;
pub use lease::Lease;
pub use reader::{LoopReader, RingReader};
pub use ring::Ring;
pub use shared::{ChunkRef, Progress};
pub use stats::RingStats;
pub use writer::ChunkWriter;
