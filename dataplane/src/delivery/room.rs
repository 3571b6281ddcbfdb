//! Room: bytes are made ready (copied, or sealed) only for a socket that takes them.
//!
//! Behind every send of a response but the last goes a wait for room, and nothing is made before
//! it is over: a viewer that does not read holds no send buffer. A socket may still take less than
//! was made. What it leaves is kept as it is, since a record is never sealed twice, in memory of
//! its own size, so that it keeps no buffer from others; after that the viewer gets one record at
//! a time until its socket has taken a number of them whole.

use zonecast_io::{Buffer, Driver};
use zonecast_ring::Lease;

use super::produce::SEND_RECORDS_MAX;
use super::response::Response;
use crate::loops::Loop;
use crate::peer::{PeerId, State};

/// So many sends of one record follow one that the socket did not take whole.
const CAREFUL_SENDS: u8 = 16;

impl<D: Driver<Hold = Lease>> Loop<D> {
    /// How many records the next send may have. Nobody has waited for room before the first of a
    /// response.
    pub(super) fn records_max(&self, id: PeerId, response: &Response) -> usize {
        let careful = self.peers.get(id).is_none_or(|peer| peer.careful > 0);
        if careful || !response.head_sent {
            1
        } else {
            SEND_RECORDS_MAX
        }
    }

    /// Sends what the socket takes of a response's bytes; if more follow, waits for room.
    pub(super) fn send_now(&mut self, id: PeerId, buffer: Buffer, more: bool) {
        let Some(peer) = self.peers.get_mut(id) else {
            return;
        };
        let (conn, token) = (peer.conn, id.token());
        let last = peer.response.as_ref().is_none_or(|r| r.ended);
        peer.send = Some(self.driver.send_now(conn, buffer, more, token));
        if !last {
            peer.writable = Some(self.driver.writable(conn, token));
        }
    }

    /// The socket has taken all of a send but this.
    pub(crate) fn keep_rest(&mut self, id: PeerId, rest: &[u8]) {
        let Some(peer) = self.peers.get_mut(id) else {
            return;
        };
        self.counters.sends_short.add(1);
        self.counters.rest_bytes.add(rest.len() as u64);
        peer.rest = Some(rest.into());
        peer.careful = CAREFUL_SENDS;
        if peer.writable.is_none() {
            peer.writable = Some(self.driver.writable(peer.conn, id.token()));
        }
    }

    /// Sends what the socket left of the last send.
    pub(super) fn send_what_was_left(&mut self, id: PeerId) {
        let Some(mut buffer) = self.driver.buffer() else {
            return self.starve(id);
        };
        let Some(rest) = self.peers.get_mut(id).and_then(|peer| peer.rest.take()) else {
            return;
        };
        buffer[..rest.len()].copy_from_slice(&rest);
        buffer.set(0, rest.len());
        self.forget_rest(Some(rest));
        self.send_now(id, buffer, false);
    }

    /// What a socket left is not kept any more.
    pub(crate) fn forget_rest(&mut self, rest: Option<Box<[u8]>>) {
        let bytes = rest.map_or(0, |rest| rest.len());
        self.counters.rest_bytes.subtract(bytes as u64);
    }

    /// A wait for room is over.
    pub(crate) fn has_room(&mut self, id: PeerId) {
        let Some(peer) = self.peers.get_mut(id) else {
            return;
        };
        peer.writable = None;
        match peer.state {
            State::Closing => self.teardown(id),
            State::Response => self.pump(id),
            _ => {}
        }
    }
}
