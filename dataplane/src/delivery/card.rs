//! The card: whether the network card seals what a viewer is sent, told truthfully.
//!
//! A connection counts as the card's if the kernel said so when its key was set, and from then on only
//! as long as it leaves by the same device, which has not been down since: afterwards the kernel seals
//! each packet and does not tell. So every connection is looked at again when anything about links,
//! addresses, routes or rules has changed, at most once a second and a few at a time, since each look
//! is two questions to the kernel; what has left the card once never counts as its again.

use std::collections::HashSet;
use std::time::Duration;

use zonecast_io::egress::Offload;
use zonecast_io::{Driver, Leaving, Time};
use zonecast_ring::Lease;

use crate::counters::BytePath;
use crate::loops::Loop;
use crate::peer::{Peer, PeerId};

/// Looks at all of a loop's connections are so far apart at least.
const LOOKS_APART: Duration = Duration::from_secs(1);
/// Connections that are looked at between two turns at most.
const LOOKS_MAX: usize = 128;

/// Who seals a connection that the kernel was handed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Card {
    /// The kernel; nobody asked for more.
    #[default]
    None,
    /// The card by which it left.
    Seals(Leaving),
    /// The card once did.
    Left,
}

/// A loop's connections on cards.
#[derive(Default)]
pub(crate) struct Cards {
    peers: HashSet<PeerId>,
    /// Those that are still to be looked at.
    doubtful: Vec<PeerId>,
    /// Something has changed since all were.
    stale: bool,
    looked: Time,
}

impl Cards {
    pub(crate) fn is_empty(&self) -> bool {
        self.peers.is_empty()
    }

    /// A connection is gone.
    pub(crate) fn forget(&mut self, id: PeerId) {
        self.peers.remove(&id);
    }
}

impl Peer {
    /// The path that bytes sent to this peer take.
    pub(crate) fn path(&self) -> BytePath {
        match (self.link.path(), self.card) {
            (BytePath::Ktls, Card::Seals(_)) => BytePath::NicKtls,
            (BytePath::Ktls, Card::Left) => BytePath::KtlsFallback,
            (path, _) => path,
        }
    }
}

impl<D: Driver<Hold = Lease>> Loop<D> {
    /// A connection of a listener for cards was handed over: asks whether a card has it.
    pub(super) fn ask_for_the_card(&mut self, id: PeerId) {
        let Some(peer) = self.peers.get_mut(id) else {
            return;
        };
        let reason = match self.driver.leaving(peer.conn) {
            Ok(leaving) if leaving.offload == Offload::Hardware => {
                peer.card = Card::Seals(leaving);
                self.counters.card_handovers.add(1);
                self.cards.peers.insert(id);
                return self.begin_lending(id);
            }
            Ok(leaving) => format!(
                "device {} does not offer it, or has no room",
                leaving.device
            ),
            Err(error) => format!("the kernel does not tell: {error}"),
        };
        let first = self.counters.card_refusals.get() == 0;
        self.counters.card_refusals.add(1);
        let peer = crate::peer::name(self.driver.peer(peer.conn));
        if first {
            tracing::warn!(peer, reason, "no card seals a connection: ktls");
        } else {
            tracing::debug!(peer, reason, "no card seals a connection: ktls");
        }
    }

    /// Looks at the connections on cards, where something may have changed.
    pub(crate) fn tend_cards(&mut self) {
        if self.cards.is_empty() {
            return;
        }
        self.cards.stale |= self.driver.leaving_changed();
        let now = self.driver.now();
        let rested = now - self.cards.looked >= LOOKS_APART;
        if self.cards.stale && rested && self.cards.doubtful.is_empty() {
            (self.cards.stale, self.cards.looked) = (false, now);
            self.cards.doubtful = self.cards.peers.iter().copied().collect();
        }
        for _ in 0..LOOKS_MAX {
            let Some(id) = self.cards.doubtful.pop() else {
                return;
            };
            if !self.is_still_on_its_card(id) {
                self.cards.forget(id);
            }
        }
    }

    fn is_still_on_its_card(&mut self, id: PeerId) -> bool {
        let Some(peer) = self.peers.get_mut(id) else {
            return false;
        };
        let Card::Seals(before) = peer.card else {
            return false;
        };
        let leaves = self.driver.leaving(peer.conn).ok();
        let same = leaves.is_some_and(|now| now.device == before.device);
        if same && !self.driver.was_down(before) {
            return true;
        }
        (peer.card, peer.borrows) = (Card::Left, false);
        self.counters.card_fallbacks.add(1);
        let peer = crate::peer::name(self.driver.peer(peer.conn));
        tracing::warn!(
            peer,
            device = before.device,
            "a connection has left its card: ktls_fallback"
        );
        false
    }
}
