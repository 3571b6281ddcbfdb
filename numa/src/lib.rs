//! Zones: where CPUs, memory and network cards are, and memory that lies there.
//!
//! The lowest crate of the workspace; everything else stands on it. In the order
//! in which the daemon uses it: [`topology`] finds the NUMA nodes, [`zones`] plans
//! the zones and their CPUs, [`Arena`] makes each zone's memory by the page
//! ladder, [`Regions`] is the table of all of it, and [`pin`] puts each loop's
//! thread on its CPU.
//!
//! Invariants of this crate:
//! - A [`Region`] never moves and never shrinks while anybody holds it, so that an
//!   address computed from a [`Span`] stays valid as long as the region is held.
//! - Every byte of a region is backed by a page before the region is handed out: a
//!   lack of memory is an error or a step down at the start, never a SIGBUS later.
//! - Two living [`Block`]s never overlap.
//!
//! What may be read or written in a region, and when, is not known here: that is
//! the ring's business.

mod arena;
mod block;
mod control;
mod error;
mod free_list;
mod heap;
mod ids;
mod ladder;
mod make;
mod mapping;
mod page;
pub mod pin;
mod pool;
mod region;
mod regions;
mod span;
mod sysfs;
pub mod topology;
pub mod zones;

pub use arena::Arena;
pub use block::Block;
pub use control::ControlMemory;
pub use error::NumaError;
pub use ids::{LoopId, ZoneId};
pub use ladder::StepDown;
pub use page::PageKind;
pub use region::Region;
pub use regions::{Regions, RegionsBuilder};
pub use span::{RegionId, Span};
