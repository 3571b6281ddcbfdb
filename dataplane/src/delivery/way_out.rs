//! The way out: by which device a connection leaves, for those who want to know.
//!
//! Two things hang on it: whether a card still seals what it was handed (`card.rs`), and the egress
//! zone that bytes are counted by. A viewer is asked about when it is first answered, and again when
//! anything about links, addresses, routes or rules has changed, at most once a second and a few at a
//! time, since each look is a question to the kernel. Where every answer is the same one, nobody is
//! asked.

use std::collections::HashSet;
use std::time::Duration;

use zonecast_io::{Driver, Leaving, Time};
use zonecast_ring::Lease;

use crate::loops::Loop;
use crate::peer::{PeerId, Role};

/// Looks at all of a loop's connections are so far apart at least.
const LOOKS_APART: Duration = Duration::from_secs(1);
/// Connections that are looked at between two turns at most.
const LOOKS_MAX: usize = 128;

/// A loop's connections that are looked at.
#[derive(Default)]
pub(crate) struct WaysOut {
    peers: HashSet<PeerId>,
    /// Those that are still to be looked at.
    doubtful: Vec<PeerId>,
    /// Something has changed since all were.
    stale: bool,
    looked: Time,
}

impl WaysOut {
    pub(crate) fn is_empty(&self) -> bool {
        self.peers.is_empty()
    }

    pub(super) fn watch(&mut self, id: PeerId) {
        self.peers.insert(id);
    }

    /// A connection is gone, or nobody wants to know any more.
    pub(crate) fn forget(&mut self, id: PeerId) {
        self.peers.remove(&id);
    }
}

impl<D: Driver<Hold = Lease>> Loop<D> {
    /// A connection is answered: asks once where a viewer's bytes leave.
    pub(super) fn find_way_out(&mut self, id: PeerId) {
        let asked = self.shared.nodes.unasked().is_none();
        let Some(peer) = self.peers.get(id).filter(|_| asked) else {
            return;
        };
        if peer.role == Role::Viewer && peer.egress.is_none() {
            let leaving = self.driver.leaving(peer.conn).ok();
            self.leaves_by(id, leaving);
        }
    }

    /// Notes the zone in which a connection leaves, where it matters.
    pub(super) fn leaves_by(&mut self, id: PeerId, leaving: Option<Leaving>) {
        let (nodes, own) = (&self.shared.nodes, self.zone);
        let Some(peer) = self.peers.get_mut(id) else {
            return;
        };
        if nodes.unasked().is_none() {
            peer.egress = Some(nodes.zone_of(own, leaving.and_then(|leaving| leaving.node)));
            self.ways_out.watch(id);
        }
    }

    /// Looks at connections again, where something may have changed.
    pub(crate) fn tend_ways_out(&mut self) {
        if self.ways_out.is_empty() {
            return;
        }
        self.ways_out.stale |= self.driver.leaving_changed();
        let now = self.driver.now();
        let rested = now - self.ways_out.looked >= LOOKS_APART;
        if self.ways_out.stale && rested && self.ways_out.doubtful.is_empty() {
            (self.ways_out.stale, self.ways_out.looked) = (false, now);
            self.ways_out.doubtful = self.ways_out.peers.iter().copied().collect();
        }
        for _ in 0..LOOKS_MAX {
            let Some(id) = self.ways_out.doubtful.pop() else {
                return;
            };
            self.ask_again(id);
        }
    }

    fn ask_again(&mut self, id: PeerId) {
        let Some(peer) = self.peers.get(id) else {
            return;
        };
        let leaving = self.driver.leaving(peer.conn).ok();
        let is_on_a_card = self.is_still_on_its_card(id, leaving);
        if self.shared.nodes.unasked().is_none() {
            self.leaves_by(id, leaving);
        } else if !is_on_a_card {
            self.ways_out.forget(id);
        }
    }
}
