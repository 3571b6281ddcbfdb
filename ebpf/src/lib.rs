//! Steering of viewers' connections to the zone that holds their stream, and counts of them, by
//! programs in the kernel.
//!
//! `programs/` has the eBPF side: what it shares with this crate is `programs/zonecast.h`, and the
//! Rust structures are generated from it. Here: a pinned [`Folder`] that outlives the daemon,
//! [`Steering`], which loads the programs and fills their maps, and [`Counters`], which reads what
//! was counted, from any process and without privilege.

mod address;
mod counters;
mod error;
mod folder;
mod inspect;
mod links;
mod load;
mod plain;
mod skeleton;
mod steering;
mod trial;
mod words;

pub use counters::{Counters, Live, LoopState, ZoneSums};
pub use error::Error;
pub use folder::Folder;
pub use inspect::{ProgramFacts, inspect};
pub use links::Put;
pub use load::{Shape, load, probe};
pub use steering::{Ends, Rule, Steering};
pub use trial::{Arrival, Place, Trial, try_attached};
pub use words::LoopWords;
