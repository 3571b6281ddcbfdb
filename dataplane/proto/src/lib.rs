//! Sans-IO codecs of zonecast: HTTP/1.1 heads and chunk framing, and the names, kinds
//! and tracks of objects.
//!
//! Place in the flow: between `io`, which brings bytes, and the pipeline, which decides.
//! Nothing here reads a socket, a clock or a configuration file; everything is a function
//! of the bytes that it is given, so that a test needs nothing else.
//!
//! Invariants:
//! - No input panics. What a peer did wrong is a [`BadRequest`], which knows the status to
//!   answer; after one, the connection is closed, since where the next request begins is
//!   no longer certain.
//! - How input is split into reads never changes the outcome.
//! - Parsing a viewer's request and writing its response head allocate nothing (held by
//!   `tests/no_allocation.rs`).
//! - Credentials are [`Secret`]s: printing a request, a path or an error never shows one.

#![forbid(unsafe_code)]

pub mod chunked;
pub mod date;
mod error;
pub mod etag;
pub mod kind;
pub mod path;
pub mod range;
pub mod request;
pub mod response;
mod secret;
mod status;
pub mod track;

pub use error::{BadRequest, HeadError};
pub use secret::Secret;
pub use status::Status;
