//! Deadlines of peers: a heap of moments, looked at lazily.
//!
//! A peer's real deadline is in the peer. The heap holds at least one entry that is not
//! later; when it comes up and the deadline has moved on, a new entry is made. So moving a
//! deadline later, which every request does, costs nothing.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use zonecast_io::Time;

use crate::peer::{Peer, PeerId};

/// See the module's description.
#[derive(Default)]
pub(crate) struct Timers(BinaryHeap<Reverse<(Time, PeerId)>>);

impl Timers {
    /// Gives `peer` a new deadline, or none.
    pub(crate) fn set(&mut self, id: PeerId, peer: &mut Peer, deadline: Option<Time>) {
        peer.deadline = deadline;
        let Some(deadline) = deadline else { return };
        if peer.timer.is_none_or(|timer| deadline < timer) {
            peer.timer = Some(deadline);
            self.0.push(Reverse((deadline, id)));
        }
    }

    /// The moment to look again.
    pub(crate) fn next(&self) -> Option<Time> {
        self.0.peek().map(|Reverse((at, _))| *at)
    }

    /// An entry that has come up by `now`.
    pub(crate) fn pop(&mut self, now: Time) -> Option<(Time, PeerId)> {
        if self.next()? > now {
            return None;
        }
        self.0.pop().map(|Reverse(entry)| entry)
    }

    /// The entry of `peer` at `at` has come up: true when its deadline has, too.
    pub(crate) fn is_due(&mut self, id: PeerId, peer: &mut Peer, at: Time, now: Time) -> bool {
        if peer.timer != Some(at) {
            return false;
        }
        peer.timer = None;
        match peer.deadline {
            Some(deadline) if deadline <= now => {
                peer.deadline = None;
                true
            }
            later => {
                self.set(id, peer, later);
                false
            }
        }
    }

    /// Entries, of peers that are gone too.
    #[cfg(feature = "simulation")]
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }
}
