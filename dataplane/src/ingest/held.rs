//! Answers to uploads are held until the encoder is quiet.
//!
//! An encoder sends a segment, a playlist and more in one go, reads no answer in between,
//! and may close right after. What it has not read turns its close into a reset, which eats
//! the end of what it sent. So an answer goes out only when nothing has come for a moment,
//! or nothing can come any more: the encoder has finished, or asks for something.

use std::time::Duration;

use zonecast_io::Driver;
use zonecast_ring::Lease;

use crate::delivery::Response;
use crate::loops::Loop;
use crate::peer::{PeerId, State};

/// An encoder that has sent nothing for this long waits for its answer.
const QUIET: Duration = Duration::from_millis(100);
/// Answers of one connection that are held at most.
const HELD_MAX: usize = 16;

impl<D: Driver<Hold = Lease>> Loop<D> {
    /// Holds `response`, and goes on with what the encoder has sent meanwhile.
    pub(super) fn hold(&mut self, id: PeerId, response: Response) {
        let until = self.driver.now() + QUIET;
        let Some(peer) = self.peers.get_mut(id) else {
            return;
        };
        peer.state.go(State::Request);
        peer.in_head = false;
        peer.held.push_back(response);
        if peer.held.len() >= HELD_MAX {
            self.release_held(id);
            return;
        }
        self.set_deadline(id, Some(until));
        self.advance(id);
    }

    /// Sends the oldest answer that is held; false when there is none.
    pub(crate) fn release_held(&mut self, id: PeerId) -> bool {
        let Some(peer) = self.peers.get_mut(id) else {
            return false;
        };
        let Some(response) = peer.held.pop_front() else {
            return false;
        };
        self.respond(id, response);
        true
    }

    /// Whether the answers must go out before the next request is read: it is none of an
    /// upload, or none is read any more.
    pub(crate) fn must_release(&self, id: PeerId) -> bool {
        let Some(peer) = self.peers.get(id) else {
            return false;
        };
        let Some(last) = peer.held.back() else {
            return false;
        };
        let next = peer.head.first().or_else(|| peer.inbox.plain().first());
        let goes_on = matches!(next, Some(b'P' | b'D')) && last.keeps_the_connection();
        peer.finished || self.draining.is_some() || (next.is_some() && !goes_on)
    }
}
