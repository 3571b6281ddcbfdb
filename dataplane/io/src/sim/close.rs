//! Cancelling, and closing: in order, or with a reset.

use crate::driver::{Conn, OpId};

use super::side::Outcome;
use super::slab::Target;
use super::socket::{Piece, SocketId, Toward};
use super::world::World;

impl World {
    pub(super) fn close_begins(&mut self, id: SocketId, op: OpId, conn: Conn, reset: bool) {
        let at = self.sockets[id].near.at;
        self.let_go(id, reset);
        self.end(at, op, Outcome::Closed(conn));
    }

    /// The loop's side lets go of a socket: in order, or with a reset. As in `tcp_close`, bytes
    /// that nobody has read make it a reset.
    pub(super) fn let_go(&mut self, id: SocketId, reset: bool) {
        let socket = &mut self.sockets[id];
        let unread = socket.to_loop.readable() > 0;
        socket.near.closed = true;
        if socket.near.dead {
            return;
        }
        if reset || unread {
            self.put_reset(id, Toward::Peer);
        } else {
            self.put(id, Toward::Peer, Piece::Finish);
        }
    }

    /// A cancellation reaches its operation, if that is still under way.
    pub(super) fn cancels(&mut self, at: usize, op: OpId, target: Target) {
        self.count("cancellation");
        match target {
            Target::Listener(listener) => {
                self.accept_ends(at, listener, op, libc::ECANCELED);
            }
            Target::Conn(conn) => {
                if let Some(id) = self.sides[at].table.socket(conn) {
                    self.receive_cancelled(id, op);
                    self.send_cancelled(id, op);
                    self.writable_cancelled(id, op);
                }
            }
        }
    }
}
