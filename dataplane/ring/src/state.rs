//! The two words that say everything about a slot.
//!
//! `state` is the owner's: the sequence of the chunk in the slot, and its phase, in one
//! word, so that a reader sees both change at once. `progress` is the chunk writer's: how
//! far its bytes may be read, and whether it has gone without finishing.

/// Where a chunk is in its life.
///
/// ```text
/// Free ─▶ Open ─▶ Complete ─▶ Revoked ─▶ Free
///           └────▶ Aborted ────────────▶
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Nothing is in the slot.
    Free,
    /// Its writer is at work; readers follow.
    Open,
    /// It is whole; readers may come.
    Complete,
    /// The owner wants the room back: no new lease.
    Revoked,
    /// It will never be whole: no new lease.
    Aborted,
}

const PHASE_BITS: u32 = 3;

/// A slot's `state` word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct State {
    pub(crate) sequence: u64,
    pub(crate) phase: Phase,
}

impl State {
    pub(crate) fn pack(self) -> u64 {
        let phase = match self.phase {
            Phase::Free => 0,
            Phase::Open => 1,
            Phase::Complete => 2,
            Phase::Revoked => 3,
            Phase::Aborted => 4,
        };
        self.sequence << PHASE_BITS | phase
    }

    pub(crate) fn unpack(word: u64) -> State {
        let phase = match word & ((1 << PHASE_BITS) - 1) {
            0 => Phase::Free,
            1 => Phase::Open,
            2 => Phase::Complete,
            3 => Phase::Revoked,
            // A number that is never written is as good as a chunk that cannot be read.
            _ => Phase::Aborted,
        };
        let sequence = word >> PHASE_BITS;
        State { sequence, phase }
    }
}

const GONE: u64 = 1 << 32;

/// A slot's `progress` word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Written {
    /// Bytes of the payload that may be read, and never change again.
    pub(crate) committed: u32,
    /// The writer was dropped without completing its chunk, and touches it no more.
    pub(crate) gone: bool,
}

impl Written {
    pub(crate) fn pack(self) -> u64 {
        u64::from(self.committed) | if self.gone { GONE } else { 0 }
    }

    pub(crate) fn unpack(word: u64) -> Written {
        Written {
            committed: word as u32,
            gone: word & GONE != 0,
        }
    }
}

/// A slot's `extent` word: where the chunk begins and how much payload it may have. Written
/// by the owner before the chunk is open, constant until the slot is reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Extent {
    pub(crate) offset: u32,
    pub(crate) capacity: u32,
}

impl Extent {
    pub(crate) fn pack(self) -> u64 {
        u64::from(self.capacity) << 32 | u64::from(self.offset)
    }

    pub(crate) fn unpack(word: u64) -> Extent {
        Extent {
            offset: word as u32,
            capacity: (word >> 32) as u32,
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    /// Words come back as they were packed, at the ends of their ranges too.
    #[test]
    fn words_round_trip() {
        use Phase::{Aborted, Complete, Free, Open, Revoked};
        for phase in [Free, Open, Complete, Revoked, Aborted] {
            for sequence in [0, 1, (1 << 61) - 1] {
                let state = State { sequence, phase };
                assert_eq!(State::unpack(state.pack()), state);
            }
        }
        for gone in [false, true] {
            for committed in [0, 1, u32::MAX] {
                let written = Written { committed, gone };
                assert_eq!(Written::unpack(written.pack()), written);
            }
        }
        let extent = Extent {
            offset: u32::MAX - 1,
            capacity: u32::MAX,
        };
        assert_eq!(Extent::unpack(extent.pack()), extent);
    }

    /// Zeroed control memory is a table of free slots.
    #[test]
    fn zero_is_free() {
        let state = State::unpack(0);
        assert_eq!((state.sequence, state.phase), (0, Phase::Free));
    }
}
