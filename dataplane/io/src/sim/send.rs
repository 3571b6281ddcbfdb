//! Sending: a send goes on as the peer's window allows, until everything is taken (MSG_WAITALL).
//! One that does not wait takes the room that there is, and a wait for room ends with some.

use std::rc::Rc;

use crate::driver::OpId;

use super::side::Outcome;
use super::socket::{Piece, SocketId, Toward};
use super::world::World;

/// A send in flight.
pub(super) struct SendOp {
    op: OpId,
    bytes: Rc<[u8]>,
    /// Bytes that the socket has taken.
    taken: usize,
    /// Where it ends: at the last byte, or before it for a short send.
    stop: usize,
}

impl World {
    pub(super) fn send_begins(&mut self, id: SocketId, op: OpId, bytes: Option<Rc<[u8]>>) {
        let Some(bytes) = bytes else {
            return self.end_send(id, op, Err(libc::EINVAL));
        };
        let Some(stop) = self.may_send(id, op, bytes.len()) else {
            return;
        };
        self.sockets[id].near.send = Some(SendOp {
            op,
            bytes,
            taken: 0,
            stop,
        });
        self.send_goes_on(id);
    }

    /// How many bytes of `len` a send that begins may take at most; `None` where it fails.
    fn may_send(&mut self, id: SocketId, op: OpId, len: usize) -> Option<usize> {
        let near = &mut self.sockets[id].near;
        if near.dead || near.shut {
            let error = near.error.take().unwrap_or(libc::EPIPE);
            self.end_send(id, op, Err(error));
            return None;
        }
        if self.strikes(self.faults.send_errors, "send error") {
            let errors = [libc::ECONNRESET, libc::EPIPE, libc::ENOMEM, libc::ENOBUFS];
            let error = self.random.pick(&errors);
            self.end_send(id, op, Err(error));
            if matches!(error, libc::ECONNRESET | libc::EPIPE) {
                self.break_connection(id, None);
            }
            return None;
        }
        let short = len > 1 && self.strikes(self.faults.short_sends, "short send");
        Some(if short {
            self.random.up_to(len - 1)
        } else {
            len
        })
    }

    pub(super) fn send_now_begins(&mut self, id: SocketId, op: OpId, bytes: &[u8]) {
        let Some(stop) = self.may_send(id, op, bytes.len()) else {
            return;
        };
        let count = self.sockets[id].to_peer.room().min(stop);
        self.end_send(id, op, Ok(count));
        self.transmit(id, Toward::Peer, &bytes[..count]);
    }

    pub(super) fn writable_begins(&mut self, id: SocketId, op: OpId) {
        self.sockets[id].near.writable = Some(op);
        self.writable_goes_on(id);
    }

    /// Ends the wait for room, if there is some, or never will be.
    fn writable_goes_on(&mut self, id: SocketId) {
        let socket = &mut self.sockets[id];
        let over = socket.near.dead || socket.near.shut || socket.to_peer.room() > 0;
        if let Some(op) = socket.near.writable.take_if(|_| over) {
            let at = socket.near.at;
            self.end(at, op, Outcome::Writable(Ok(())));
        }
    }

    /// A cancellation has reached a wait for room.
    pub(super) fn writable_cancelled(&mut self, id: SocketId, op: OpId) {
        let near = &mut self.sockets[id].near;
        if near.writable.take_if(|waits| *waits == op).is_some() {
            let at = near.at;
            self.end(at, op, Outcome::Writable(Err(libc::ECANCELED)));
        }
    }

    /// Lets the send that waits put in what there is room for.
    pub(super) fn send_goes_on(&mut self, id: SocketId) {
        self.writable_goes_on(id);
        let room = self.sockets[id].to_peer.room();
        let Some(send) = &mut self.sockets[id].near.send else {
            return;
        };
        let count = room.min(send.stop - send.taken);
        let from = send.taken;
        send.taken += count;
        let (bytes, op, taken) = (Rc::clone(&send.bytes), send.op, send.taken);
        if taken == send.stop {
            self.sockets[id].near.send = None;
            self.end_send(id, op, Ok(taken));
        }
        self.transmit(id, Toward::Peer, &bytes[from..from + count]);
    }

    /// The connection is lost: what was taken counts, and only without it the error.
    pub(super) fn send_dies(&mut self, id: SocketId) {
        self.writable_goes_on(id);
        let near = &mut self.sockets[id].near;
        let Some(send) = near.send.take() else { return };
        let result = match send.taken {
            0 => Err(near.error.take().unwrap_or(libc::EPIPE)),
            taken => Ok(taken),
        };
        self.end_send(id, send.op, result);
    }

    /// A cancellation has reached a send: what was taken counts.
    pub(super) fn send_cancelled(&mut self, id: SocketId, op: OpId) {
        let send = &mut self.sockets[id].near.send;
        let Some(send) = send.take_if(|send| send.op == op) else {
            return;
        };
        let result = match send.taken {
            0 => Err(libc::ECANCELED),
            taken => Ok(taken),
        };
        self.end_send(id, op, result);
    }

    fn end_send(&mut self, id: SocketId, op: OpId, result: Result<usize, i32>) {
        let at = self.sockets[id].near.at;
        self.end(at, op, Outcome::Sent(result));
    }

    pub(super) fn shutdown_begins(&mut self, id: SocketId, op: OpId) {
        let fails = self.strikes(self.faults.shutdown_errors, "shutdown error");
        let near = &mut self.sockets[id].near;
        let at = near.at;
        if near.dead || fails {
            self.end(at, op, Outcome::Shutdown(Err(libc::ENOTCONN)));
            if fails && !self.sockets[id].near.dead {
                self.break_connection(id, Some(libc::ECONNRESET));
            }
            return;
        }
        near.shut = true;
        self.send_dies(id);
        self.put(id, Toward::Peer, Piece::Finish);
        self.end(at, op, Outcome::Shutdown(Ok(())));
    }
}
