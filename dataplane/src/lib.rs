//! The data plane: streams come in, lie in rings, and go out to viewers, on pinned loops.
//!
//! ```text
//! encoders -> ingest -> stream (owner: rings, index) -> delivery -> viewers
//!                  \________ loops, peers, tls ________/
//! ```
//!
//! Modules in flow order: `stream` what there is, `ingest` how it comes in,
//! `delivery` how it goes out; `peer` what a connection is, `loops` what drives it,
//! [`tls`] how it is protected; [`counters`] and [`status`] what is told about it all.
//! Nothing here knows what a codec is.

#![forbid(unsafe_code)]

mod config;
pub mod counters;
mod dataplane;
mod delivery;
mod egress;
mod ingest;
mod loops;
mod peer;
mod shared;
#[cfg(feature = "simulation")]
pub mod simulation;
mod socket_memory;
pub mod status;
mod stream;
pub mod tls;

pub use config::*;
pub use counters::{BytePath, BytesRow, CounterSnapshot, ZoneCounters};
pub use dataplane::{
    BoundAddress, Dataplane, Homes, LoopFailure, ReloadError, ReloadSummary, StalledLoop,
    StartError, SteerableListener, TICKET_LIFETIME,
};
pub use egress::EgressZone;
pub use status::{StreamStatus, TrackStatus};
