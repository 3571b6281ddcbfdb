//! The slab of operations in flight, which owns what the kernel reads and writes for them.
//!
//! A completion names its operation by slot and generation (the entry's `user_data`). A slot's
//! generation changes when the operation is taken out, so a name that is kept too long finds nothing.

use crate::driver::{Conn, ListenerId, OpId, Outgoing, Token};
use crate::pool::Buffer;

use super::kernel::{ControlRecord, Handover};

/// `user_data` of entries that belong to no operation. Generations stop short of it.
pub(super) const WAKE: u64 = u64::MAX;
/// As [`WAKE`]: a cancellation, a socket option. Their results are of no interest.
pub(super) const UNOBSERVED: u64 = u64::MAX - 1;

/// What one operation is, and what it owns.
pub(super) enum Operation<H> {
    Accept {
        listener: ListenerId,
        /// The error to report at the end, where the driver has ended the accept itself.
        ended_by: Option<i32>,
    },
    Receive {
        conn: Conn,
        /// It waits in the driver for a buffer; the kernel does not know of it.
        starved: bool,
    },
    ReceiveInto {
        conn: Conn,
        buffer: Buffer,
    },
    Send {
        conn: Conn,
        outgoing: Outgoing<H>,
    },
    Writable {
        conn: Conn,
    },
    SealInKernel {
        conn: Conn,
        handover: Box<Handover>,
    },
    Record {
        conn: Conn,
        /// Read by the kernel.
        _message: Box<ControlRecord>,
    },
    Shutdown {
        conn: Conn,
    },
    Close {
        conn: Conn,
        /// The number was seen again on a new connection before this completion was.
        reported: bool,
    },
}

struct Entry<H> {
    generation: u32,
    occupied: Option<(Token, Operation<H>)>,
}

/// All operations in flight.
pub(super) struct Operations<H> {
    entries: Vec<Entry<H>>,
    free: Vec<u32>,
}

impl<H> Operations<H> {
    /// With room for `capacity` operations; more than that allocate.
    pub(super) fn with_capacity(capacity: usize) -> Self {
        Operations {
            entries: Vec::with_capacity(capacity),
            free: Vec::with_capacity(capacity),
        }
    }

    pub(super) fn insert(&mut self, token: Token, operation: Operation<H>) -> OpId {
        let slot = self.free.pop().unwrap_or_else(|| {
            let slot = u32::try_from(self.entries.len()).expect("fewer operations than 2^32");
            self.entries.push(Entry {
                generation: 0,
                occupied: None,
            });
            slot
        });
        let entry = &mut self.entries[slot as usize];
        assert!(entry.occupied.is_none(), "a free slot is empty");
        entry.occupied = Some((token, operation));
        OpId {
            slot,
            generation: entry.generation,
        }
    }

    /// The operation, if it is still in flight.
    pub(super) fn get_mut(&mut self, id: OpId) -> Option<&mut Operation<H>> {
        let entry = self.entries.get_mut(id.slot as usize)?;
        if entry.generation != id.generation {
            return None;
        }
        entry.occupied.as_mut().map(|(_, operation)| operation)
    }

    pub(super) fn token(&self, id: OpId) -> Token {
        let entry = &self.entries[id.slot as usize];
        assert_eq!(
            entry.generation, id.generation,
            "the operation is in flight"
        );
        entry
            .occupied
            .as_ref()
            .expect("the operation is in flight")
            .0
    }

    /// Takes an operation out, with all that it owns.
    ///
    /// # Panics
    /// When it is not in flight: each operation ends once.
    pub(super) fn remove(&mut self, id: OpId) -> (Token, Operation<H>) {
        let entry = &mut self.entries[id.slot as usize];
        assert_eq!(entry.generation, id.generation, "an operation ends once");
        let taken = entry.occupied.take().expect("an operation ends once");
        entry.generation = next_generation(entry.generation);
        self.free.push(id.slot);
        taken
    }

    /// How many are in flight.
    pub(super) fn len(&self) -> usize {
        self.entries.len() - self.free.len()
    }

    /// Takes everything out, leaving an empty slab behind.
    pub(super) fn take_all(&mut self) -> Self {
        std::mem::replace(self, Operations::with_capacity(0))
    }
}

/// The one after the last is 0 again, so that no name collides with [`WAKE`] or [`UNOBSERVED`].
fn next_generation(generation: u32) -> u32 {
    if generation == u32::MAX - 1 {
        0
    } else {
        generation + 1
    }
}

impl OpId {
    pub(super) fn to_user_data(self) -> u64 {
        u64::from(self.generation) << 32 | u64::from(self.slot)
    }

    pub(super) fn from_user_data(user_data: u64) -> OpId {
        OpId {
            slot: user_data as u32,
            generation: (user_data >> 32) as u32,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHUTDOWN: Operation<()> = Operation::Shutdown { conn: Conn(0) };

    /// Shows that a name stops working when its operation has ended, although the slot is in use.
    #[test]
    fn a_stale_name_finds_nothing() {
        let mut operations = Operations::with_capacity(1);
        let first = operations.insert(Token(1), SHUTDOWN);
        assert_eq!(operations.remove(first).0, Token(1));
        let second = operations.insert(Token(2), SHUTDOWN);
        assert_eq!(first.slot, second.slot);
        assert!(operations.get_mut(first).is_none());
        assert!(operations.get_mut(second).is_some());
        assert_eq!(operations.len(), 1);
    }

    /// Shows that names survive the way through the kernel and never look like a special entry.
    #[test]
    fn names_round_trip_and_avoid_the_special_ones() {
        for (slot, generation) in [(0, 0), (7, 3), (u32::MAX, u32::MAX - 1)] {
            let id = OpId { slot, generation };
            assert_eq!(OpId::from_user_data(id.to_user_data()), id);
            assert!(id.to_user_data() < UNOBSERVED);
        }
        assert_eq!(next_generation(u32::MAX - 1), 0);
    }
}
