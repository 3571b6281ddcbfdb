//! Lending: a card that seals reads a response's bytes where they lie in the ring.
//!
//! A send is a call that takes what the socket has room for, and behind it a wait for more room. The
//! lease stays with the driver until the viewer has acknowledged the bytes and the card let go of them,
//! which may be long after the response: so a viewer is looked at, by turns, whether the ring wants a
//! chunk back that is still lent to it. If so it is lapped: its connection is aborted, and the chunk is
//! free when the card has had time to forget it.

use std::collections::VecDeque;

use zonecast_io::Driver;
use zonecast_ring::Lease;

use super::body::Piece;
use crate::loops::Loop;
use crate::peer::{PeerId, State};
use crate::tls::Session;

/// Connections that are looked at in one go, which costs a system call or two for each that owes.
const LOOKS_MAX: usize = 256;

/// A loop's connections that bytes are lent to, in the order in which they are looked at.
#[derive(Default)]
pub(crate) struct Borrowers(VecDeque<PeerId>);

impl Borrowers {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<D: Driver<Hold = Lease>> Loop<D> {
    /// A card seals a connection: from here on bytes are lent to it, where that can be.
    pub(super) fn begin_lending(&mut self, id: PeerId) {
        let Some(peer) = self.peers.get_mut(id) else {
            return;
        };
        if self.shared.limits.nic_drain.is_zero() {
            return;
        }
        match self.driver.may_lend(peer.conn) {
            Ok(()) => {
                peer.borrows = true;
                self.borrowers.0.push_back(id);
            }
            Err(error) => tracing::debug!(%error, "a card's bytes are copied"),
        }
    }

    /// Lends a piece of a ring.
    pub(super) fn lend_from_ring(&mut self, id: PeerId, piece: Piece) {
        let Piece::Ring {
            lease, from, len, ..
        } = piece
        else {
            return;
        };
        let Some(peer) = self.peers.get_mut(id) else {
            return;
        };
        let span = lease
            .span(from, len)
            .expect("a part of what the lease covers");
        let taken = match self.driver.lend(peer.conn, span, lease) {
            Ok(taken) => taken,
            Err(error) => return self.send_failed(id, &error),
        };
        let Some(response) = &mut peer.response else {
            return;
        };
        response.at.give_back(len as usize - taken);
        response.ended = response.at.left == Some(0);
        response.in_flight = taken as u64;
        let ended = response.ended;
        if taken < len as usize {
            self.counters.sends_short.add(1);
            peer.took(taken);
        } else {
            peer.took_whole();
        }
        if !ended {
            peer.writable = Some(self.driver.writable(peer.conn, id.token()));
        }
        self.counters.card_lent_bytes.add(taken as u64);
        self.count_sent(id);
        if ended {
            self.response_done(id);
        }
    }

    /// Looks at connections that bytes were lent to, a few at a time.
    pub(crate) fn tend_borrowers(&mut self) {
        for _ in 0..self.borrowers.0.len().min(LOOKS_MAX) {
            let Some(id) = self.borrowers.0.pop_front() else {
                return;
            };
            let Some(peer) = self.peers.get(id) else {
                continue;
            };
            self.borrowers.0.push_back(id);
            if peer.state == State::Closing {
                continue;
            }
            let oldest = self.driver.oldest_lent(peer.conn);
            match oldest.map(|lease| lease.is_some_and(Lease::revoked)) {
                Ok(false) => {}
                Ok(true) => self.lapped(id),
                Err(error) => {
                    let peer = crate::peer::name(self.driver.peer(peer.conn));
                    tracing::error!(%error, peer, "a connection's acknowledgements do not add up");
                    self.cut(id);
                }
            }
        }
    }
}

/// Bytes of a ring that are lent at once to a socket that takes so many records.
pub(super) fn lend_bytes_max(records: u8) -> usize {
    usize::from(records) * Session::PLAINTEXT_MAX
}
