//! A load generator: one thread plays thousands of viewers, and knows every byte that is due.
//!
//! The flow, in the order of the modules: [`content`] says what the objects are; [`tls`] and
//! `socket` make connections; a `channel` is bytes over one of them, plain or sealed; a
//! `viewer` asks and counts; [`Load`] drives them all from one epoll and [`Counts`] what came;
//! [`handshakes`] only connects. [`usage`] reads what it cost. [`live`] follows playlists, as
//! viewers of a live stream do, and makes the streams; [`find`] looks for how many viewers a
//! server can bear.
//!
//! Opening every record would cost the generator more than the server pays for sealing it. So
//! a sample of the viewers opens and compares, byte by byte; the others have the kernel throw
//! the ciphertext away (`MSG_TRUNC`) and count it: the sample says how long each response must
//! be. What is too short never completes, and what is too long is found at the next response
//! or at the end.
//!
//! What does not belong here: starting servers, and comparing them.
#![forbid(unsafe_code)]

mod channel;
pub mod content;
mod counts;
mod error;
pub mod find;
pub mod handshakes;
pub mod live;
mod load;
mod poll;
mod response;
mod sizes;
mod socket;
mod spec;
pub mod tls;
pub mod usage;
mod viewer;

pub use counts::{Counts, Latency};
pub use error::LoadError;
pub use load::Load;
pub use spec::{Pace, Spec};
