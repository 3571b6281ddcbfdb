//! The peers of one loop, by slot, and the tokens that name them in operations.

use zonecast_io::Token;

use super::Peer;

/// Names one peer of one loop for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct PeerId {
    pub(crate) slot: u32,
    pub(crate) generation: u32,
}

impl PeerId {
    /// The token of this peer's operations.
    pub(crate) fn token(self) -> Token {
        Token(u64::from(self.generation) << 32 | u64::from(self.slot))
    }

    /// The peer that a token names.
    pub(crate) fn of(token: Token) -> Self {
        Self {
            slot: token.0 as u32,
            generation: (token.0 >> 32) as u32,
        }
    }
}

struct Slot {
    generation: u32,
    peer: Option<Box<Peer>>,
}

/// See the module's description.
#[derive(Default)]
pub(crate) struct Slab {
    slots: Vec<Slot>,
    free: Vec<u32>,
}

impl Slab {
    pub(crate) fn insert(&mut self, peer: Box<Peer>) -> PeerId {
        let slot = self.free.pop().unwrap_or_else(|| {
            self.slots.push(Slot {
                generation: 1,
                peer: None,
            });
            self.slots.len() as u32 - 1
        });
        let entry = &mut self.slots[slot as usize];
        entry.peer = Some(peer);
        PeerId {
            slot,
            generation: entry.generation,
        }
    }

    /// Frees the slot; its next peer has another generation. Listeners' tokens have
    /// generation 0, which no peer ever gets.
    pub(crate) fn remove(&mut self, id: PeerId) -> Option<Box<Peer>> {
        let slot = self.slots.get_mut(id.slot as usize)?;
        if slot.generation != id.generation {
            return None;
        }
        let peer = slot.peer.take()?;
        slot.generation = slot.generation.checked_add(1).unwrap_or(1);
        self.free.push(id.slot);
        Some(peer)
    }

    pub(crate) fn get(&self, id: PeerId) -> Option<&Peer> {
        let slot = self.slots.get(id.slot as usize)?;
        if slot.generation == id.generation {
            slot.peer.as_deref()
        } else {
            None
        }
    }

    pub(crate) fn get_mut(&mut self, id: PeerId) -> Option<&mut Peer> {
        let slot = self.slots.get_mut(id.slot as usize)?;
        if slot.generation == id.generation {
            slot.peer.as_deref_mut()
        } else {
            None
        }
    }

    /// The peer that is in `slot` now.
    pub(crate) fn at(&self, slot: u32) -> Option<PeerId> {
        let entry = self.slots.get(slot as usize)?;
        entry.peer.as_ref().map(|_| PeerId {
            slot,
            generation: entry.generation,
        })
    }

    /// Every peer's name.
    pub(crate) fn ids(&self) -> Vec<PeerId> {
        (0..self.slots.len() as u32)
            .filter_map(|slot| self.at(slot))
            .collect()
    }

    pub(crate) fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    /// Slots, taken or free.
    #[cfg(feature = "simulation")]
    pub(crate) fn slots(&self) -> usize {
        self.slots.len()
    }
}
