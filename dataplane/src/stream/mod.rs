//! Streams, and what of them can be asked for.
//!
//! One loop of the home zone *owns* a stream: it alone has the rings, allocates, revokes
//! and publishes ([`owner`]). Every loop reads: the registry finds the [`Stream`], its
//! published [`Index`] finds the [`Object`] or [`Pinned`] of a path, and the watch cells
//! tell a loop that something it waits for has changed. Publishing swaps a pointer; a
//! reader never waits for a writer.

mod index;
mod live;
mod object;
mod open_uploads;
mod owner;
mod registry;
mod saved;
mod track;
mod track_ring;
mod watch;

pub(crate) use index::{Entry, Index};
pub(crate) use live::Stream;
pub(crate) use object::{Object, ObjectState, PARTS_MAX, Pinned, part_bytes};
pub(crate) use open_uploads::UploadId;
pub(crate) use owner::{OwnerContext, StreamOwner};
pub use registry::Homes;
pub(crate) use registry::{Refusal, Registry, RegistryConfig};
pub(crate) use saved::{Saved, Saver};
pub(crate) use track::Track;
pub(crate) use watch::Watch;
