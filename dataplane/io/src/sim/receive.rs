//! Receiving: a receive waits for bytes, an end or an error, and then for a buffer.

use crate::driver::OpId;
use crate::pool::Received;

use super::side::Outcome;
use super::socket::{End, SocketId, Toward};
use super::world::World;

/// A receive in flight.
#[derive(Debug, Clone, Copy)]
pub(super) struct ReceiveOp {
    pub(super) op: OpId,
    /// Room in the caller's buffer; `None`: a provided one.
    room: Option<usize>,
    /// It waits for a provided buffer.
    starved: bool,
}

impl World {
    pub(super) fn receive_begins(&mut self, id: SocketId, op: OpId, room: Option<usize>) {
        let name = match room {
            Some(_) => "receive_into error",
            None => "receive error",
        };
        if self.strikes(self.faults.receive_errors, name) {
            let errors = [libc::ECONNRESET, libc::ENOMEM, libc::ENOBUFS];
            let possible = if room.is_some() { 3 } else { 2 };
            let error = self.random.pick(&errors[..possible]);
            self.end_receive(id, op, room, Err(error));
            if error == libc::ECONNRESET {
                self.break_connection(id, None);
            }
            return;
        }
        self.sockets[id].near.receive = Some(ReceiveOp {
            op,
            room,
            starved: false,
        });
        self.receive_goes_on(id);
    }

    /// Ends the receive that waits, if there is something to end it with.
    pub(super) fn receive_goes_on(&mut self, id: SocketId) {
        let socket = &mut self.sockets[id];
        let Some(ReceiveOp {
            op,
            room,
            starved: false,
        }) = socket.near.receive
        else {
            return;
        };
        let readable = socket.to_loop.readable();
        if readable > 0 {
            return self.receive_bytes(id, op, room, readable);
        }
        let finished = socket.to_loop.end() == End::Finished;
        let result = match socket.near.error {
            _ if finished => Ok(Vec::new()),
            Some(error) => {
                socket.near.error = None;
                Err(error)
            }
            None if socket.near.dead => Ok(Vec::new()),
            None => return,
        };
        socket.near.receive = None;
        self.end_receive(id, op, room, result);
    }

    fn receive_bytes(&mut self, id: SocketId, op: OpId, room: Option<usize>, readable: usize) {
        let at = self.sockets[id].near.at;
        let side = &mut self.sides[at];
        let starves = room.is_none()
            && (side.receive_pool.free_count() == 0
                || self.random.chance(self.faults.starved_receives));
        if starves {
            self.count("receive without a buffer");
            self.sides[at].starved.push_back(id);
            self.sockets[id].near.receive = Some(ReceiveOp {
                op,
                room,
                starved: true,
            });
            return;
        }
        let mut count = room
            .unwrap_or(side.receive_pool.buffer_bytes())
            .min(readable);
        if self.strikes(self.faults.short_receives, "short receive") {
            count = self.random.up_to(count);
        }
        let socket = &mut self.sockets[id];
        let bytes = socket.pipe(Toward::Loop).take(count);
        socket.near.receive = None;
        self.end_receive(id, op, room, Ok(bytes));
    }

    /// Receives that wait for a buffer go on, oldest first, if there are buffers again.
    pub(super) fn refill(&mut self, at: usize) {
        for _ in 0..self.sides[at].starved.len() {
            if !self.sides[at].can_refill() {
                return;
            }
            let Some(id) = self.sides[at].starved.pop_front() else {
                return;
            };
            if let Some(receive) = &mut self.sockets[id].near.receive {
                receive.starved = false;
                self.receive_goes_on(id);
            }
        }
    }

    /// A cancellation has reached a receive.
    pub(super) fn receive_cancelled(&mut self, id: SocketId, op: OpId) {
        if let Some(receive) = self.sockets[id].receive_named(op) {
            self.sockets[id].near.receive = None;
            self.end_receive(id, op, receive.room, Err(libc::ECANCELED));
        }
    }

    fn end_receive(
        &mut self,
        id: SocketId,
        op: OpId,
        room: Option<usize>,
        result: Result<Vec<u8>, i32>,
    ) {
        let at = self.sockets[id].near.at;
        let outcome = if room.is_some() {
            Outcome::ReceivedInto(result)
        } else {
            Outcome::Received(result.map(|bytes| self.provided(at, &bytes)))
        };
        self.end(at, op, outcome);
    }

    /// Bytes in a buffer of the driver's; none for an end of stream.
    fn provided(&self, at: usize, bytes: &[u8]) -> Received {
        if bytes.is_empty() {
            return Received::finished();
        }
        let slot = self.sides[at].receive_pool.take();
        let slot = slot.expect("a receive without a buffer waits as starved");
        let mut received = Received::new(slot, bytes.len());
        received.copy_from_slice(bytes);
        received
    }
}
