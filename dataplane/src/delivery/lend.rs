//! Lending: a card that seals reads a response's bytes where they lie in the ring.
//!
//! A send is a call that takes what the socket has room for, and behind it a wait for more room. The
//! lease stays with the driver until the viewer has acknowledged the bytes and the card let go of them,
//! which may be long after the response: so a viewer is looked at, by turns, whether the ring wants a
//! chunk back that is still lent to it. If so it is lapped: its connection is aborted, and the chunk is
//! free when the card has had time to forget it.

use std::collections::VecDeque;

use zonecast_io::{Conn, Driver, Owed};
use zonecast_ring::Lease;

use super::body::{Next, Piece};
use super::produce::BURST_RECORDS;
use super::response::Response;
use crate::loops::Loop;
use crate::peer::{How, PeerId, State};
use crate::tls::Session;

/// Connections that are looked at in one go: those that owe, which cost a system call or two each, and
/// all.
const LOOKS_MAX: usize = 256;
const VISITS_MAX: usize = 4096;
/// Pieces that a connection may owe, so that it does not hold many chunks with a byte of each; and what
/// is too little to be lent. Beyond them bytes are copied.
const PIECES_MAX: usize = 16;
const LENT_BYTES_MIN: usize = 16 << 10;
/// Records that a socket is offered at least: to offer too many costs little.
const RECORDS_MIN: usize = 4;
const PAGE: u32 = 4096;

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
                (peer.borrows, peer.records) = (true, BURST_RECORDS as u8);
                self.borrowers.0.push_back(id);
            }
            Err(error) => tracing::debug!(%error, "a card's bytes are copied"),
        }
    }

    /// Whether a piece of a ring is lent to a peer, and not copied. One that holds what the ring wants
    /// back is lapped: `None`.
    pub(super) fn is_lent(&mut self, id: PeerId, piece: &Piece) -> Option<bool> {
        let peer = self.peers.get(id)?;
        if !peer.borrows || piece.len() < LENT_BYTES_MIN {
            return Some(false);
        }
        let conn = peer.conn;
        match self.owed(id, conn) {
            Some(Owed::Nothing) => Some(true),
            Some(Owed::Pieces(pieces)) => Some(pieces < PIECES_MAX),
            Some(Owed::Wanted) | None => None,
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
        let more = lease.progress().committed > from + len;
        let Some(response) = &mut peer.response else {
            return;
        };
        let more = more && !response.ended;
        let taken = match self.driver.lend(peer.conn, span, lease, more) {
            Ok(taken) => taken,
            Err(error) => return self.send_failed(id, &error),
        };
        response.at.give_back(len as usize - taken);
        response.ended = response.at.left == Some(0);
        response.in_flight = taken as u64;
        let ended = response.ended;
        if taken < len as usize {
            self.counters.sends_short.add(1);
            let records = (taken / Session::PLAINTEXT_MAX).max(RECORDS_MIN);
            peer.records = records.min(BURST_RECORDS) as u8;
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

    /// What goes with a response's head, as a copy, so that what is lent behind it begins with a page.
    pub(super) fn first_of_borrower(
        &mut self,
        id: PeerId,
        response: &mut Response,
    ) -> Option<Piece> {
        let borrows = self.peers.get(id)?.borrows;
        if !borrows || response.head_only {
            return None;
        }
        match self.next_piece(&response.body, &mut response.at, PAGE as usize) {
            Next::Bytes(mut piece) => {
                piece.cut_at_page();
                response.at.take(piece.len());
                Some(piece)
            }
            Next::NotYet | Next::End | Next::Lapped | Next::Aborted => None,
        }
    }

    /// What a connection owes. One that owes what the ring wants back, or whose account does not add up,
    /// is ended: `None`, if it was not before.
    fn owed(&mut self, id: PeerId, conn: Conn) -> Option<Owed> {
        match self.driver.owed(conn, Lease::revoked) {
            Ok(Owed::Wanted) => {
                self.want_back(id);
                None
            }
            Ok(owed) => Some(owed),
            Err(error) => {
                let peer = crate::peer::name(self.driver.peer(conn));
                tracing::error!(%error, peer, "a connection's acknowledgements do not add up");
                self.cut(id);
                None
            }
        }
    }

    /// The ring wants back what a peer holds. A close that waits for it waits no longer.
    fn want_back(&mut self, id: PeerId) {
        match self.peers.get_mut(id) {
            Some(peer) if peer.state != State::Closing => self.lapped(id),
            Some(peer) if peer.closing && peer.how == How::Close => {
                peer.how = How::Abort;
                self.driver.abort(peer.conn, id.token());
            }
            _ => {}
        }
    }

    /// Looks at connections that bytes were lent to, a few at a time.
    pub(crate) fn tend_borrowers(&mut self) {
        let mut looks = LOOKS_MAX;
        for _ in 0..self.borrowers.0.len().min(VISITS_MAX) {
            let Some(id) = self.borrowers.0.pop_front() else {
                return;
            };
            let Some(peer) = self.peers.get(id) else {
                continue;
            };
            self.borrowers.0.push_back(id);
            if self.owed(id, peer.conn) != Some(Owed::Nothing) {
                looks -= 1;
            }
            if looks == 0 {
                return;
            }
        }
    }
}

impl Piece {
    /// Cuts off what lies behind the next beginning of a page, unless the piece begins at one: records
    /// whose bytes begin with a page have the fewest pages.
    pub(super) fn cut_at_page(&mut self) {
        let Self::Ring {
            lease, from, len, ..
        } = self
        else {
            return;
        };
        let begins = lease.span(*from, 0).map_or(0, |span| span.offset % PAGE);
        if begins > 0 {
            *len = (*len).min(PAGE - begins);
        }
    }
}

/// Bytes of a ring that are lent at once to a socket that takes so many records.
pub(super) fn lend_bytes_max(records: u8) -> usize {
    usize::from(records) * Session::PLAINTEXT_MAX
}
