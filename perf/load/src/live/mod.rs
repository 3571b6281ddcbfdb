//! Live: producers that upload tracks in real time, and viewers that follow their playlists.
//!
//! The flow: a [`Media`] says what every byte of every segment is; [`Encoders`] upload it at its
//! pace and note in a [`Board`] when each segment began and ended; an [`Audience`] lets viewers
//! arrive (a ramp, steps, a crowd: [`Arrivals`]), and each of them follows its playlist: a
//! `player` says what to fetch next and by when, a `link` carries it, an `answer` reads it, and
//! a [`Tally`] counts what was late, expired, wrong or broken.
//!
//! Viewers shake hands with rustls; from their second request on the records are their own
//! (`record`), so that a viewer that does not verify can walk over the records of a body: five
//! bytes of each are read, and the kernel throws the rest away.

mod answer;
mod arrivals;
mod audience;
mod board;
mod encoders;
mod link;
mod media;
mod player;
mod pool;
mod record;
mod report;
mod run;
mod spec;
mod tally;
mod upload;
mod viewer;

pub use arrivals::{Arrivals, ArrivalsError};
pub use audience::Audience;
pub use board::Board;
pub use encoders::{Encoders, Uploaded};
pub use media::{Media, Track};
pub use pool::{Pool, clients};
pub use report::{Delay, LiveReport};
pub use run::{Plan, Second, run};
pub use spec::{LiveSpec, ProduceSpec, Sink, Verify};
pub use tally::{Fault, Tally};
