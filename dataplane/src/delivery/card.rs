//! The card: whether the network card seals what a viewer is sent, told truthfully.
//!
//! A connection counts as the card's if the kernel said so when its key was set, and from then on only
//! as long as it leaves by the same device, which has not been down since: afterwards the kernel seals
//! each packet and does not tell. So every connection is looked at again when anything has changed
//! (`way_out.rs`); what has left the card once never counts as its again.

use zonecast_io::egress::Offload;
use zonecast_io::{Driver, Leaving};
use zonecast_ring::Lease;

use crate::counters::BytePath;
use crate::loops::Loop;
use crate::peer::{Peer, PeerId};

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
        let Some(peer) = self.peers.get(id) else {
            return;
        };
        let (leaving, sealed) = (
            self.driver.leaving(peer.conn),
            self.driver.offload(peer.conn),
        );
        self.leaves_by(id, leaving.as_ref().ok().copied());
        let reason = match (leaving, sealed) {
            (Ok(leaving), Ok(Offload::Hardware)) => {
                self.is_on_a_card(id, leaving);
                return;
            }
            (Ok(leaving), Ok(_)) => format!(
                "device {} does not offer it, or has no room",
                leaving.device
            ),
            (Err(error), _) | (_, Err(error)) => format!("the kernel does not tell: {error}"),
        };
        let first = self.counters.card_refusals.get() == 0;
        self.counters.card_refusals.add(1);
        let conn = self.peers.get(id).map(|peer| peer.conn);
        let peer = crate::peer::name(conn.and_then(|conn| self.driver.peer(conn)));
        if first {
            tracing::warn!(peer, reason, "no card seals a connection: ktls");
        } else {
            tracing::debug!(peer, reason, "no card seals a connection: ktls");
        }
    }

    fn is_on_a_card(&mut self, id: PeerId, leaving: Leaving) {
        if let Some(peer) = self.peers.get_mut(id) {
            peer.card = Card::Seals(leaving);
            self.counters.card_handovers.add(1);
            self.ways_out.watch(id);
            self.begin_lending(id);
        }
    }

    /// Whether a connection that leaves so now is sealed by its card; says so where it has ceased to be.
    pub(super) fn is_still_on_its_card(&mut self, id: PeerId, leaving: Option<Leaving>) -> bool {
        let Some(peer) = self.peers.get_mut(id) else {
            return false;
        };
        let Card::Seals(before) = peer.card else {
            return false;
        };
        let same = leaving.is_some_and(|now| now.device == before.device);
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
