//! A simulated peer: the far end of one connection, in the hands of a test.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use super::socket::{End, Piece, Reading, SocketId, Toward};
use super::world::World;

/// The far end of a connection; made by [`SimWorld::connect`](super::SimWorld::connect).
///
/// It reads all that comes, at once, unless the world made it slow or the test says otherwise.
/// Dropping it resets the connection, unless both directions have finished.
pub struct SimPeer {
    world: Rc<RefCell<World>>,
    id: SocketId,
}

impl SimPeer {
    pub(super) fn new(world: Rc<RefCell<World>>, id: SocketId) -> SimPeer {
        SimPeer { world, id }
    }

    /// Sends what there is room for; returns how many bytes that is. None, once the peer has
    /// finished, or the connection is reset.
    pub fn write(&mut self, bytes: &[u8]) -> usize {
        let mut world = self.world.borrow_mut();
        let socket = &world.sockets[self.id];
        if socket.far.gone || socket.to_peer.end() == End::Reset {
            return 0;
        }
        let count = socket.to_loop.room().min(bytes.len());
        world.transmit(self.id, Toward::Loop, &bytes[..count]);
        count
    }

    /// Moves all that has come to the end of `out`, whatever the way of reading; returns how many
    /// bytes that is.
    pub fn read(&mut self, out: &mut Vec<u8>) -> usize {
        let mut world = self.world.borrow_mut();
        world.peer_reads(self.id, usize::MAX);
        let received = &mut world.sockets[self.id].far.received;
        let count = received.len();
        out.append(received);
        count
    }

    /// What the peer has read, in its own way of reading, since this was asked last.
    pub fn take_received(&mut self) -> Vec<u8> {
        let mut world = self.world.borrow_mut();
        std::mem::take(&mut world.sockets[self.id].far.received)
    }

    /// How many bytes the next [`SimPeer::take_received`] returns.
    #[must_use]
    pub fn received_len(&self) -> usize {
        self.world.borrow().sockets[self.id].far.received.len()
    }

    /// How the loop's direction has ended; [`End::Open`] while there are bytes that the peer has
    /// not read.
    #[must_use]
    pub fn received_end(&self) -> End {
        let world = self.world.borrow();
        let socket = &world.sockets[self.id];
        if socket.far.gone {
            End::Reset
        } else {
            socket.to_peer.end()
        }
    }

    /// Finishes the peer's direction (FIN).
    pub fn finish(&mut self) {
        let mut world = self.world.borrow_mut();
        world.put(self.id, Toward::Loop, Piece::Finish);
    }

    /// Resets the connection (RST); a part of what is under way may be lost.
    pub fn reset(&mut self) {
        let mut world = self.world.borrow_mut();
        world.put_reset(self.id, Toward::Loop);
        let socket = &mut world.sockets[self.id];
        socket.far.gone = true;
        socket.to_peer.clear();
    }

    /// Reads nothing any more, except by [`SimPeer::read`]: the window fills.
    pub fn pause(&mut self) {
        self.set_reading(Reading::Paused);
    }

    /// Reads everything at once again.
    pub fn resume(&mut self) {
        self.set_reading(Reading::Eager);
        let mut world = self.world.borrow_mut();
        world.peer_reads(self.id, usize::MAX);
    }

    /// Reads at most `bytes` (at least 1), once every `every`.
    pub fn read_slowly(&mut self, bytes: usize, every: Duration) {
        let bytes = bytes.max(1);
        self.set_reading(Reading::Slow { bytes, every });
        self.world.borrow_mut().plan_slow_read(self.id);
    }

    /// How many bytes towards the peer may be under way or unread.
    pub fn set_window(&mut self, bytes: usize) {
        let mut world = self.world.borrow_mut();
        world.sockets[self.id].to_peer.window = bytes;
        world.send_goes_on(self.id);
    }

    fn set_reading(&mut self, reading: Reading) {
        self.world.borrow_mut().sockets[self.id].far.reading = reading;
    }
}

impl Drop for SimPeer {
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        let mut world = self.world.borrow_mut();
        let socket = &mut world.sockets[self.id];
        let ended = socket.to_peer.end() != End::Open && socket.to_loop.is_closed();
        if !socket.far.gone && !ended {
            world.put_reset(self.id, Toward::Loop);
        }
        world.sockets[self.id].far.gone = true;
    }
}
