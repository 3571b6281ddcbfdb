//! The control plane: what operators and their tools ask a running data plane.
//!
//! ```text
//! GET /healthz   200 as long as the process answers
//! GET /readyz    200 while viewers are served; 503 at start and while draining
//! GET /streams   streams, tracks and what goes wrong with uploads, as JSON
//! GET /metrics   counters in the Prometheus text format
//! ```
//!
//! [`Steering`] tells the programs in the kernel which stream lives where.
//!
//! An [`Admin`] server runs on a thread of its own, on the CPUs that zones keep back for
//! control, and never on a loop's way: it only reads counters, through a [`Source`]. It has
//! few connections, short time-outs, and knows no secrets (tokens exist as hashes only, and
//! are not shown).

#![forbid(unsafe_code)]

mod exposition;
mod metrics;
mod routes;
mod server;
mod socket;
mod source;
mod steering;
mod streams;
mod tables;

pub use metrics::render as render_metrics;
pub use server::{Admin, AdminConfig, AdminError, AdminLimits};
pub use source::{InKernel, Late, Source};
pub use steering::{
    Loaded, PrefixError, Steering, SteeringConfig, SteeringPath, StreamPrefix, ZoneNames,
};
