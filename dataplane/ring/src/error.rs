//! What can go wrong, by who has to deal with it.

use zonecast_numa::LoopId;

/// A ring that cannot be made, or a reader that cannot be had: a mistake in the
/// configuration or in the assembly, for which a retry does not help.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RingError {
    /// The data block is too small for a single chunk, or larger than a region may be.
    #[error("a ring of {bytes} bytes; it must have {min} to {max}")]
    DataBytes {
        /// Bytes of the block.
        bytes: u32,
        /// The least that is accepted.
        min: u32,
        /// The most that is accepted.
        max: u32,
    },
    /// The control block is smaller than [`crate::Ring::control_bytes`] says.
    #[error("{bytes} bytes of control memory; this ring needs {needed}")]
    ControlBytes {
        /// Bytes of the block.
        bytes: u32,
        /// Bytes that the configuration needs.
        needed: u32,
    },
    /// The number of slots is out of range.
    #[error("a ring of {slots} slots; it must have 1 to {max}")]
    Slots {
        /// What the configuration asks for.
        slots: u32,
        /// The most that is accepted.
        max: u32,
    },
    /// The number of loops is out of range.
    #[error("a ring for {loops} loops; it must be for 1 to {max}")]
    Loops {
        /// What the configuration asks for.
        loops: u16,
        /// The most that is accepted.
        max: u16,
    },
    /// The ring was made for fewer loops.
    #[error("loop {id} reads a ring that was made for {loops} loops")]
    NoSuchLoop {
        /// The loop that asked.
        id: LoopId,
        /// The loops that the ring has lease rows for.
        loops: u16,
    },
    /// The loop's lease row has a living reader already, and a row has a single writer.
    #[error("loop {id} has a reader of this ring already")]
    LoopTaken {
        /// The loop that asked.
        id: LoopId,
    },
}

/// Why there is no room for a chunk. Nothing waits for room: what could not be stored is
/// refused, and the caller may try again with the next object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoRoom {
    /// The chunk would never fit. The sender's fault; a retry does not help.
    #[error("the chunk is larger than the ring takes ({max} bytes)")]
    TooLarge {
        /// The largest payload in bytes.
        max: u32,
    },
    /// Too much of the ring is leased or still being written. A retry may help.
    #[error("too much of the ring is leased or still being written")]
    NotQuiet,
    /// Every slot holds a chunk that is leased or still being written. A retry may help.
    #[error("every slot of the ring is leased or still being written")]
    NoSlot,
}

/// Why a chunk cannot be read any more. It never comes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Lapped {
    /// The ring's owner wanted the room back, or the ring is gone: the reader was too slow.
    #[error("the chunk has been overwritten")]
    Overwritten,
    /// The chunk was never finished: its writer failed, or it was deleted while open.
    #[error("the chunk was aborted before it was complete")]
    Aborted,
}
