//! The ways in which viewers use a connection, besides the usual one.

use std::time::Duration;

use zonecast_io::Time;

use super::actor::{Next, Stage};
use super::random::Random;
use super::wire::Wire;

/// How long one that has stopped to read waits before it looks what became of its connection:
/// longer than any response may take.
const STALLED: Duration = Duration::from_secs(40);
/// Bytes that one reads a few at a time, before it reads as usual.
const DRIBBLED: u64 = 400;

/// See the module's description.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Manner {
    Usual,
    /// Is gone at this moment, whatever goes on.
    Leaves(Time),
    /// Reads nothing until then.
    Pauses(Time),
    /// Reads nothing, until the loop must have given it up.
    Stalls(Time),
    /// Reads a byte at a time.
    Dribbles,
    /// Asks for all it wants, ends its own direction, and reads.
    HalfCloses,
    /// Sends garbage while it is being answered.
    Spoils,
    /// Changes its key so many times while it is being answered.
    Rekeys(u32),
    /// Says close_notify while it is being answered.
    SaysGoodbye,
}

impl Manner {
    pub(crate) fn some(random: &mut Random, now: Time) -> Self {
        let soon = now + random.up_to_ms(3000);
        let updates = 1 + random.below(12) as u32;
        random.pick(&[
            Self::Leaves(soon),
            Self::Pauses(soon),
            Self::Stalls(now + STALLED),
            Self::Dribbles,
            Self::HalfCloses,
            Self::Spoils,
            Self::Rekeys(updates),
            Self::SaysGoodbye,
        ])
    }

    /// On a new connection.
    pub(crate) fn begin(self, stage: &mut Stage<'_>, wire: &mut Wire) {
        stage.note(|| format!("a viewer: {self:?}"));
        match self {
            Self::Pauses(_) => wire.peer.pause(),
            Self::Stalls(_) => {
                stage.see("a viewer that never reads");
                wire.peer.pause();
            }
            Self::Dribbles => {
                stage.see("a viewer that reads byte by byte");
                wire.peer.read_slowly(1, Duration::from_micros(100));
            }
            Self::HalfCloses => stage.see("a viewer that ends its direction"),
            _ => {}
        }
    }

    /// In a turn of a connection; an answer is owed or not. True when it is left.
    pub(crate) fn go_on(
        &mut self,
        stage: &mut Stage<'_>,
        wire: &mut Wire,
        owed: bool,
        random: &mut Random,
    ) -> bool {
        let done = match *self {
            Self::Leaves(at) if at <= stage.now => {
                stage.see("a viewer that leaves");
                return true;
            }
            Self::Pauses(at) | Self::Stalls(at) if at <= stage.now => {
                wire.peer.resume();
                true
            }
            Self::Dribbles if wire.received > DRIBBLED => {
                wire.peer.resume();
                true
            }
            Self::Spoils if owed && !wire.is_busy() && random.percent(60) => {
                if random.percent(30) && wire.flood() {
                    stage.see("a flood of key changes");
                } else {
                    stage.see("garbage while a viewer is answered");
                    let len = random.between(1, 2000);
                    wire.spoil(&random.bytes(len));
                }
                true
            }
            Self::Rekeys(left) if owed && left > 0 => {
                *self = Self::Rekeys(left - 1);
                if wire.update_keys() {
                    stage.see("a key change while a viewer is answered");
                }
                false
            }
            Self::SaysGoodbye if owed && !wire.is_busy() && random.percent(60) => {
                if wire.say_goodbye() {
                    stage.see("close_notify while a viewer is answered");
                }
                true
            }
            _ => false,
        };
        if done {
            *self = Self::Usual;
        }
        false
    }

    /// Whether it does not mind that nothing comes.
    pub(crate) fn is_patient(self) -> bool {
        matches!(self, Self::Pauses(_) | Self::Stalls(_))
    }

    pub(crate) fn is_half(self) -> bool {
        matches!(self, Self::HalfCloses)
    }

    /// Requests under way at once, where that is not the plan's to say.
    pub(crate) fn pipelined(self) -> Option<usize> {
        match self {
            Self::HalfCloses => Some(usize::MAX),
            Self::SaysGoodbye | Self::Spoils => Some(1),
            _ => None,
        }
    }

    pub(crate) fn next(self) -> Next {
        match self {
            Self::Leaves(at) | Self::Pauses(at) | Self::Stalls(at) => Next::At(at),
            _ => Next::Whenever,
        }
    }
}
