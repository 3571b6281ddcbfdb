//! Room: bytes are made ready (copied, or sealed) only for a socket that takes them.
//!
//! Behind every send of a response but the last goes a wait for room, and nothing is made before
//! it is over: a viewer that does not read holds no send buffer. A socket may still take less than
//! was made. What it leaves is kept as it is, since a record is never sealed twice, in memory of
//! its own size, so that it keeps no buffer from others.
//!
//! How many records are made at once is learned from each socket: one at first, one more for every
//! send that it took whole, half of what it took for one that it did not. And while a loop keeps
//! [`REST_BYTES_MAX`] for its viewers they get one at a time, so that many who stall hold one record
//! each and this much in all.

use zonecast_io::{BUFFER_BYTES, Buffer, Driver};
use zonecast_ring::Lease;

use super::produce::BURST_RECORDS;
use crate::loops::Loop;
use crate::peer::{Peer, PeerId, State};
use crate::tls::Session;

/// What a loop keeps for viewers whose sockets took less than was made, before it makes less.
const REST_BYTES_MAX: u64 = 4 << 20;

impl Peer {
    /// The socket has taken all of a send.
    pub(super) fn took_whole(&mut self) {
        self.records = (self.records + 1).min(BURST_RECORDS as u8);
    }
}

impl<D: Driver<Hold = Lease>> Loop<D> {
    /// How many records the next send may have.
    pub(super) fn records_max(&self, id: PeerId) -> usize {
        if self.counters.rest_bytes.get() >= REST_BYTES_MAX {
            return 1;
        }
        self.peers.get(id).map_or(1, |peer| peer.records.into())
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

    /// The socket has taken so many bytes of a send, but not this.
    pub(crate) fn keep_rest(&mut self, id: PeerId, taken: usize, rest: &[u8]) {
        let Some(peer) = self.peers.get_mut(id) else {
            return;
        };
        let records = taken / Session::PLAINTEXT_MAX;
        peer.records = (records / 2).clamp(1, BURST_RECORDS) as u8;
        self.counters.sends_short.add(1);
        self.counters.rest_bytes.add(rest.len() as u64);
        peer.rest = Some(rest.into());
        if peer.writable.is_none() {
            peer.writable = Some(self.driver.writable(peer.conn, id.token()));
        }
    }

    /// Sends what the socket left of the last send.
    pub(super) fn send_what_was_left(&mut self, id: PeerId) {
        let rest = self.peers.get(id).and_then(|peer| peer.rest.as_ref());
        let buffer = match rest.map_or(0, |rest| rest.len()) {
            0..=BUFFER_BYTES => self.driver.buffer(),
            _ => self.driver.burst(),
        };
        let Some(mut buffer) = buffer else {
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
