//! The one way in which a connection ends: cancel what is in flight, wait for it, close.

use zonecast_io::Driver;
use zonecast_ring::Lease;

use super::{PeerId, State};
use crate::counters::IngestError;
use crate::loops::Loop;

/// How a socket ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum How {
    /// In order.
    Close,
    /// With a reset: a cut response can never look complete.
    Abort,
}

impl<D: Driver<Hold = Lease>> Loop<D> {
    /// Ends `id`'s connection. Everything that it holds is given back now, but for what the
    /// driver has, which is awaited.
    pub(crate) fn terminate(&mut self, id: PeerId, how: How) {
        let Some(peer) = self.peers.get_mut(id) else {
            return;
        };
        if peer.state == State::Closing {
            return;
        }
        peer.state.go(State::Closing);
        peer.how = how;
        peer.deadline = None;
        peer.response = None;
        let rest = peer.rest.take();
        peer.kernel_key = None;
        for op in [peer.receive, peer.send, peer.writable, peer.handover]
            .into_iter()
            .flatten()
        {
            self.driver.cancel(op);
        }
        self.forget_rest(rest);
        self.stop_waiting(id);
        self.abort_upload(id, IngestError::Cut);
        self.teardown(id);
    }

    /// Goes on with the end of a connection after a completion.
    pub(crate) fn teardown(&mut self, id: PeerId) {
        let Some(peer) = self.peers.get_mut(id) else {
            return;
        };
        let operations = [peer.receive, peer.send, peer.writable, peer.handover];
        let in_flight = peer.shutting || operations.iter().any(Option::is_some);
        if peer.state != State::Closing || in_flight || peer.closing {
            return;
        }
        peer.closing = true;
        match peer.how {
            How::Close => self.driver.close(peer.conn, id.token()),
            How::Abort => self.driver.abort(peer.conn, id.token()),
        }
    }

    /// The socket is gone: so is the peer.
    pub(crate) fn closed(&mut self, id: PeerId) {
        self.ways_out.forget(id);
        if let Some(peer) = self.peers.remove(id) {
            self.shared.listeners[peer.listener].leave();
            self.count_peer(peer.role, false);
        }
    }
}
