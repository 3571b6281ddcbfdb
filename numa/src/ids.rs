//! The numbers by which the whole process names zones and loops.
//!
//! Both are dense indices given out by the plan ([`crate::zones`]) and stay the
//! same for the life of the process.

use std::fmt;

/// The index of a zone in this process, from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ZoneId(pub u16);

/// The index of a loop over all zones of this process, from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LoopId(pub u16);

impl ZoneId {
    /// The id as an index into a table with one entry a zone.
    #[must_use]
    pub fn index(self) -> usize {
        usize::from(self.0)
    }
}

impl LoopId {
    /// The id as an index into a table with one entry a loop.
    #[must_use]
    pub fn index(self) -> usize {
        usize::from(self.0)
    }
}

impl fmt::Display for ZoneId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for LoopId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
