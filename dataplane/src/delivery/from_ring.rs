//! Responses that the socket takes as they are (without TLS, or sealed by the kernel) go straight from
//! the ring's memory.
//!
//! The lease is the driver's until the send has completed. When the ring wants the chunk
//! back meanwhile, the send is cancelled and its completion awaited: the viewer is lapped.

use zonecast_io::{Driver, Outgoing};
use zonecast_ring::Lease;

use super::body::Piece;
use crate::loops::Loop;
use crate::peer::PeerId;

/// Bytes of one send from a ring at most.
pub(super) const SEND_BYTES_MAX: usize = 256 << 10;

impl<D: Driver<Hold = Lease>> Loop<D> {
    /// Sends a piece of a ring.
    pub(super) fn send_from_ring(&mut self, id: PeerId, piece: Piece) {
        let Piece::Ring {
            lease,
            from,
            len,
            ring,
            chunk,
        } = piece
        else {
            return;
        };
        let Some(peer) = self.peers.get_mut(id) else {
            return;
        };
        let Some(response) = &mut peer.response else {
            return;
        };
        let more = !response.ended;
        response.reading = Some((ring, chunk));
        if !std::mem::replace(&mut peer.looked_after, true) {
            self.from_ring.push(id);
        }
        let span = lease
            .span(from, len)
            .expect("a part of what the lease covers");
        self.send(id, Outgoing::Span { span, hold: lease }, more);
    }

    /// Lapses those whose chunk the ring wants back.
    pub(crate) fn check_sends_from_rings(&mut self) {
        let mut list = std::mem::take(&mut self.from_ring);
        list.retain(|id| {
            let Some(peer) = self.peers.get_mut(*id) else {
                return false;
            };
            let Some((ring, chunk)) = peer.response.as_ref().and_then(|r| r.reading) else {
                peer.looked_after = false;
                return false;
            };
            let wanted_back = self
                .readers
                .get(&ring)
                .is_none_or(|r| r.progress(chunk).is_err());
            if wanted_back {
                self.lapped(*id);
            }
            !wanted_back
        });
        list.append(&mut self.from_ring);
        self.from_ring = list;
    }
}
