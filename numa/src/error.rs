//! What can go wrong here: all of it at start, none of it on the data path.

use std::io;

use crate::ids::ZoneId;

/// Why zones could not be planned or memory could not be made.
///
/// None of these is worth a retry without a change of the configuration or of the
/// machine; a lack of hugepages is no error but a [`crate::StepDown`].
#[derive(Debug, thiserror::Error)]
pub enum NumaError {
    /// A system call failed for another reason than a lack of hugepages.
    #[error("{what}: {source}")]
    System {
        /// What was being done, in words.
        what: &'static str,
        /// What the kernel answered.
        source: io::Error,
    },
    /// An arena or control memory of no bytes was asked for.
    #[error("memory of 0 bytes was asked for")]
    NoBytes,
    /// Not even plain pages are there for the region.
    #[error("memory is short: wanted {wanted_bytes} bytes, available {available_bytes} ({place})")]
    MemoryShort {
        /// Bytes that the region needs.
        wanted_bytes: u64,
        /// Bytes that could be had without taking them from other programs.
        available_bytes: u64,
        /// Where: the machine, or one node.
        place: String,
    },
    /// The table of regions is full.
    #[error("more than {max} regions of memory")]
    TooManyRegions {
        /// The most that one process can have.
        max: usize,
    },
    /// The node does not exist, or its memory is not allowed to this process.
    #[error("node {node} has no memory for this process")]
    NoSuchNode {
        /// The kernel's number of the node.
        node: u32,
    },
    /// The process may not run on any CPU that was found.
    #[error("no CPU to run on")]
    NoCpus,
    /// A specification of zones asks for none.
    #[error("the specification asks for no zone")]
    NoZones,
    /// A specification asks for more zones than ids exist.
    #[error("{zones} zones are more than the {max} that can be numbered")]
    TooManyZones {
        /// Zones asked for.
        zones: usize,
        /// The most that can be numbered.
        max: usize,
    },
    /// The zones need more loops than ids exist.
    #[error("{loops} loops are more than the {max} that can be numbered")]
    TooManyLoops {
        /// Loops that the plan would need.
        loops: usize,
        /// The most that can be numbered.
        max: usize,
    },
    /// A listed zone names no CPU.
    #[error("zone {zone} lists no CPU")]
    ZoneWithoutCpus {
        /// The zone's place in the list.
        zone: ZoneId,
    },
    /// A listed zone names a CPU twice.
    #[error("zone {zone} lists CPU {cpu} twice")]
    CpuTwice {
        /// The zone's place in the list.
        zone: ZoneId,
        /// The kernel's number of the CPU.
        cpu: usize,
    },
    /// A listed zone names a CPU that is not there, or that the process may not use.
    #[error("zone {zone} lists CPU {cpu}, which this process cannot run on")]
    CpuNotAllowed {
        /// The zone's place in the list.
        zone: ZoneId,
        /// The kernel's number of the CPU.
        cpu: usize,
    },
    /// The text is no specification of zones.
    #[error("zones: {text:?} is neither \"auto\" nor \"virtual:N\" with N from 1 to 65535")]
    BadZones {
        /// What was given.
        text: String,
    },
    /// The text names no kind of page.
    #[error("pages: {text:?} is none of \"auto\", \"1GiB\", \"2MiB\", \"transparent\", \"plain\"")]
    BadPages {
        /// What was given.
        text: String,
    },
}

impl NumaError {
    /// For `map_err`: says what was being done when a system call failed.
    pub(crate) fn system<E: Into<io::Error>>(what: &'static str) -> impl Fn(E) -> NumaError {
        move |source| NumaError::System {
            what,
            source: source.into(),
        }
    }
}
