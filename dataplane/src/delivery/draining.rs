//! Draining: the last bytes are sent, our side is shut, and the peer's end is awaited, so
//! that no reset overtakes what it has not read yet.

use std::time::Duration;

use rustls::AlertDescription;
use zonecast_io::Driver;
use zonecast_ring::Lease;

use crate::loops::Loop;
use crate::peer::{How, PeerId, State, Step};

/// The peer may take this long to end.
const LINGER: Duration = Duration::from_secs(2);
/// Bytes that are read and dropped meanwhile.
const DRAINED_BYTES_MAX: usize = 1 << 20;

impl<D: Driver<Hold = Lease>> Loop<D> {
    /// Ends a connection in order, between responses: close_notify, then our end.
    pub(crate) fn say_goodbye(&mut self, id: PeerId) {
        let Some(peer) = self.peers.get_mut(id) else {
            return;
        };
        peer.state.go(State::Draining);
        self.set_draining_deadline(id);
        if !self.send_alert(id, AlertDescription::CloseNotify) {
            self.shut(id);
        }
        self.advance(id);
    }

    pub(crate) fn set_draining_deadline(&mut self, id: PeerId) {
        let until = self.driver.now() + LINGER;
        self.set_deadline(id, Some(until));
    }

    /// Everything is sent: shuts our side.
    pub(crate) fn shut(&mut self, id: PeerId) {
        let Some(peer) = self.peers.get_mut(id) else {
            return;
        };
        if !peer.shut && peer.send.is_none() {
            peer.shut = true;
            peer.shutting = true;
            self.driver.shutdown(peer.conn, id.token());
        }
    }

    /// Our side is shut.
    pub(crate) fn shutdown_done(&mut self, id: PeerId) {
        let Some(peer) = self.peers.get_mut(id) else {
            return;
        };
        peer.shutting = false;
        match peer.state {
            State::Closing => self.teardown(id),
            _ => self.advance(id),
        }
    }

    /// Drops what still comes, and closes when the peer has ended.
    pub(crate) fn draining_step(&mut self, id: PeerId) -> Step {
        let Some(peer) = self.peers.get_mut(id) else {
            return Step::Stop;
        };
        if !peer.inbox.is_away() {
            peer.drained += peer.inbox.len();
            peer.inbox.clear();
        }
        if peer.drained > DRAINED_BYTES_MAX {
            self.terminate(id, How::Abort);
        } else if peer.finished && peer.shut && !peer.shutting {
            self.terminate(id, How::Close);
        }
        Step::Stop
    }
}
