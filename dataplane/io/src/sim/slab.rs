//! The slab of one driver's operations in flight, which owns what is sent and received into.
//!
//! As in the io_uring driver, an operation is named by slot and generation, and ends once.

use std::rc::Rc;

use crate::driver::{Conn, ListenerId, OpId, Outgoing, Token};
use crate::pool::Buffer;

/// What an operation is done on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Target {
    Listener(ListenerId),
    Conn(Conn),
}

/// What an operation owns.
pub(super) enum Payload<H> {
    Nothing,
    /// To receive into, from the given offset on.
    Into(Buffer, usize),
    /// To send, and the bytes as they were when the send was submitted.
    Outgoing(Outgoing<H>, Rc<[u8]>),
}

/// One operation in flight.
pub(super) struct Operation<H> {
    pub(super) token: Token,
    pub(super) target: Target,
    pub(super) payload: Payload<H>,
}

struct Entry<H> {
    generation: u32,
    occupied: Option<Operation<H>>,
}

/// All operations in flight.
pub(super) struct Slab<H> {
    entries: Vec<Entry<H>>,
    free: Vec<u32>,
}

impl<H> Slab<H> {
    pub(super) fn new() -> Slab<H> {
        Slab {
            entries: Vec::new(),
            free: Vec::new(),
        }
    }

    pub(super) fn insert(&mut self, operation: Operation<H>) -> OpId {
        let slot = self.free.pop().unwrap_or_else(|| {
            self.entries.push(Entry {
                generation: 0,
                occupied: None,
            });
            self.entries.len() as u32 - 1
        });
        let entry = &mut self.entries[slot as usize];
        entry.occupied = Some(operation);
        OpId {
            slot,
            generation: entry.generation,
        }
    }

    /// The operation, if it is still in flight.
    pub(super) fn get(&self, id: OpId) -> Option<&Operation<H>> {
        let entry = self.entries.get(id.slot as usize)?;
        let current = entry.generation == id.generation;
        entry.occupied.as_ref().filter(|_| current)
    }

    /// Takes an operation out, with all that it owns; `None` where it is not in flight.
    pub(super) fn remove(&mut self, id: OpId) -> Option<Operation<H>> {
        let entry = self.entries.get_mut(id.slot as usize)?;
        if entry.generation != id.generation {
            return None;
        }
        let operation = entry.occupied.take()?;
        entry.generation = entry.generation.wrapping_add(1);
        self.free.push(id.slot);
        Some(operation)
    }

    /// Everything in flight.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Operation<H>> {
        self.entries
            .iter()
            .filter_map(|entry| entry.occupied.as_ref())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Shows that a name stops working when its operation has ended, although the slot is in use.
    #[test]
    fn a_stale_name_finds_nothing() {
        let operation = |token| Operation::<()> {
            token: Token(token),
            target: Target::Conn(Conn(0)),
            payload: Payload::Nothing,
        };
        let mut slab = Slab::new();
        let first = slab.insert(operation(1));
        assert!(slab.remove(first).is_some());
        let second = slab.insert(operation(2));
        assert_eq!(first.slot, second.slot);
        assert!(slab.get(first).is_none() && slab.remove(first).is_none());
        assert_eq!(
            slab.get(second).map(|operation| operation.token),
            Some(Token(2))
        );
        assert_eq!(slab.iter().count(), 1);
    }
}
