//! What happens between the two ends of a connection: latency, fragments, windows and resets.
//!
//! Resets follow Linux (net/ipv4/tcp_input.c, `tcp_reset`; tcp.c, `tcp_close`): what has arrived
//! stays readable; the error is reported once, to whichever operation looks first; bytes that reach
//! a closed socket, or are unread when it is closed, are answered with a reset.

use super::socket::{Arrival, End, Piece, Reading, SocketId, Toward};
use super::world::{Event, World};

/// A write is split into at most so many pieces.
const PIECES_MAX: usize = 4;

impl World {
    /// Puts bytes on their way, in one piece or in several.
    pub(super) fn transmit(&mut self, id: SocketId, toward: Toward, mut bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        if self.strikes(self.faults.fragments, "fragments") {
            for _ in 1..PIECES_MAX {
                let (piece, rest) = bytes.split_at(self.random.up_to(bytes.len()));
                self.put(id, toward, Piece::Bytes(piece.into()));
                bytes = rest;
                if bytes.is_empty() {
                    return;
                }
            }
        }
        self.put(id, toward, Piece::Bytes(bytes.into()));
    }

    pub(super) fn put(&mut self, id: SocketId, toward: Toward, piece: Piece) {
        let (min, max) = (self.faults.latency_min, self.faults.latency_max);
        let due = self.now + self.random.duration(min, max);
        if let Some(due) = self.sockets[id].pipe(toward).put(due, piece) {
            self.schedule(due, Event::Arrives(id, toward));
        }
    }

    /// Resets one direction; what is under way arrives in part.
    pub(super) fn put_reset(&mut self, id: SocketId, toward: Toward) {
        let pipe = self.sockets[id].pipe(toward);
        if pipe.is_reset() {
            return;
        }
        let pieces = pipe.pieces();
        let keep = self.random.below(pieces as u64 + 1) as usize;
        self.sockets[id].pipe(toward).lose(keep);
        self.put(id, toward, Piece::Reset);
    }

    pub(super) fn arrives(&mut self, id: SocketId, toward: Toward) {
        let now = self.now;
        let arrival = self.sockets[id].pipe(toward).arrive(now);
        match toward {
            Toward::Loop => self.arrives_at_loop(id, &arrival),
            Toward::Peer => self.arrives_at_peer(id, &arrival),
        }
    }

    fn arrives_at_loop(&mut self, id: SocketId, arrival: &Arrival) {
        let socket = &mut self.sockets[id];
        if socket.near.closed {
            socket.to_loop.clear();
            if arrival.bytes {
                self.put_reset(id, Toward::Peer);
            }
            return;
        }
        if arrival.reset && !socket.near.dead {
            let finished = socket.to_loop.end() == End::Finished;
            let error = if finished {
                libc::EPIPE
            } else {
                libc::ECONNRESET
            };
            self.loop_end_dies(id, Some(error));
        } else {
            self.receive_goes_on(id);
        }
    }

    /// The loop's end is of no use any more; what waits on it ends.
    pub(super) fn loop_end_dies(&mut self, id: SocketId, error: Option<i32>) {
        let near = &mut self.sockets[id].near;
        let (at, conn) = (near.at, near.conn.map_or(0, |conn| conn.0));
        near.dead = true;
        near.error = error;
        let errno = i64::from(error.unwrap_or(0));
        self.log
            .record(self.now, "reset", at, u64::from(conn), -errno);
        if self.random.chance(500) {
            self.receive_goes_on(id);
            self.send_dies(id);
        } else {
            self.send_dies(id);
            self.receive_goes_on(id);
        }
    }

    /// The connection is lost for both ends; who at the loop's end is told, the caller decides.
    pub(super) fn break_connection(&mut self, id: SocketId, error: Option<i32>) {
        self.put_reset(id, Toward::Peer);
        self.sockets[id].to_loop.break_off();
        self.loop_end_dies(id, error);
    }

    pub(super) fn breaks(&mut self, id: SocketId) {
        let near = &self.sockets[id].near;
        if near.conn.is_some() && !near.closed && !near.dead {
            self.count("broken connection");
            self.break_connection(id, Some(libc::ECONNRESET));
        }
    }

    fn arrives_at_peer(&mut self, id: SocketId, arrival: &Arrival) {
        let socket = &self.sockets[id];
        let (at, readable) = (socket.near.at, socket.to_peer.readable());
        let value = if arrival.reset { -1 } else { readable as i64 };
        self.log
            .record(self.now, "at the peer", at, id as u64, value);
        if socket.far.gone {
            self.sockets[id].to_peer.clear();
            if arrival.bytes {
                self.put_reset(id, Toward::Loop);
            }
            return;
        }
        match socket.far.reading {
            Reading::Eager => self.peer_reads(id, usize::MAX),
            Reading::Slow { .. } => self.plan_slow_read(id),
            Reading::Paused => {}
        }
    }

    /// The peer reads, which opens the window for a send that waits.
    pub(super) fn peer_reads(&mut self, id: SocketId, max: usize) {
        let socket = &mut self.sockets[id];
        let bytes = socket.to_peer.take(max);
        socket.far.received.extend(bytes);
        self.send_goes_on(id);
    }

    pub(super) fn plan_slow_read(&mut self, id: SocketId) {
        let socket = &mut self.sockets[id];
        let Reading::Slow { every, .. } = socket.far.reading else {
            return;
        };
        if !socket.far.tick && socket.to_peer.readable() > 0 {
            socket.far.tick = true;
            let due = self.now + every;
            self.schedule(due, Event::PeerReads(id));
        }
    }

    pub(super) fn slow_peer_reads(&mut self, id: SocketId) {
        let far = &mut self.sockets[id].far;
        far.tick = false;
        if let Reading::Slow { bytes, .. } = far.reading {
            self.peer_reads(id, bytes);
            self.plan_slow_read(id);
        }
    }
}
