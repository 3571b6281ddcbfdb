//! The pipeline over real sockets, at its edges: what encoders, viewers and operators do
//! that is not the main road.

#![allow(clippy::unwrap_used)]

#[path = "../pipeline_support/mod.rs"]
mod pipeline_support;

mod chaos;
mod flood;
mod heads;
mod lapped;
mod life;
mod limits;
mod open;
mod redirects;
mod refusals;
mod stalled;
mod streams;
mod uploads;
