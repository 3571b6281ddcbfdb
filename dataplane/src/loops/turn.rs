//! One turn of a loop: wait, take what has completed, do what is due.
//!
//! Encoders come first: their completions are handled before viewers', and viewers'
//! handshakes last and only so many, so that neither a crowd nor a flood delays a segment.

use std::sync::atomic::Ordering;
use std::time::Duration;

use zonecast_io::{Completion, Driver, Event, Time, Token};
use zonecast_ring::Lease;

use super::Loop;
use crate::peer::{How, PeerId, Role, State};

/// A quiet loop wakes up this often, for its pulse.
const PULSE: Duration = Duration::from_secs(1);
/// When a message for a loop whose mailbox was full is tried again.
const POST_AGAIN: Duration = Duration::from_millis(1);
/// Who has come before a drain, or in its first moment, has this long to ask.
const ASK_WITHIN: Duration = Duration::from_secs(1);
/// How often owned streams and sends from rings are looked at.
const CHORES: Duration = Duration::from_millis(50);

impl<D: Driver<Hold = Lease>> Loop<D> {
    /// One turn; false when the loop has drained and is done.
    ///
    /// # Errors
    /// When the driver itself fails.
    pub(crate) fn turn(&mut self) -> std::io::Result<bool> {
        self.arm_accepts();
        let until = self.next_wake();
        let mut completions = std::mem::take(&mut self.completions);
        self.driver.turn(Some(until), &mut completions)?;
        let now = self.driver.now();
        self.counters.pulse.set(now.0);
        self.counters.turns.add(1);
        let more_mail = self.take_mail();
        let mut viewers = std::mem::take(&mut self.viewers_completions);
        for completion in completions.drain(..) {
            if self.is_encoder(completion.token) {
                self.completed(completion);
            } else {
                viewers.push(completion);
            }
        }
        viewers
            .drain(..)
            .for_each(|completion| self.completed(completion));
        (self.completions, self.viewers_completions) = (completions, viewers);
        self.expire(now);
        if now >= self.next_chore {
            self.next_chore = now + CHORES;
            self.tend_streams();
            self.check_sends_from_rings();
            self.tend_ways_out();
            self.tend_borrowers();
        }
        self.feed_starved();
        self.work_off_handshakes();
        self.hurry = more_mail;
        self.undelivered = !self.post.flush();
        self.counters
            .buffers_free
            .set(self.driver.buffers_free() as u64);
        Ok(!self.is_drained(now))
    }

    fn next_wake(&self) -> Time {
        let now = self.driver.now();
        if self.hurry || !self.handshakes.is_empty() {
            return now;
        }
        let draining = self.draining.is_some();
        let busy = draining
            || !self.owned.is_empty()
            || !self.from_ring.is_empty()
            || !self.ways_out.is_empty()
            || !self.borrowers.is_empty();
        let chore = if busy { self.next_chore } else { now + PULSE };
        let soonest = [
            self.undelivered.then(|| now + POST_AGAIN),
            self.timers.next(),
            self.next_accept(),
            Some(chore),
            self.draining.filter(|until| *until > now),
        ];
        soonest.into_iter().flatten().min().unwrap_or(chore)
    }

    fn is_encoder(&self, token: Token) -> bool {
        self.peers
            .get(PeerId::of(token))
            .is_some_and(|peer| peer.role == Role::Encoder)
    }

    fn completed(&mut self, completion: Completion<Lease>) {
        let token = completion.token;
        let id = PeerId::of(token);
        match completion.event {
            Event::Accepted(conn) => self.accepted(token, conn),
            Event::AcceptEnded(error) => self.accept_ended(token, &error),
            Event::Received(result) => self.received(id, result),
            Event::ReceivedInto { result, buffer } => self.received_into(id, result, buffer),
            Event::Sent { result, outgoing } => self.sent(id, result, outgoing),
            Event::Writable(_) => self.has_room(id),
            Event::SealedByKernel(result) => self.sealed_by_kernel(id, result),
            Event::RecordSent(result) => self.record_sent(id, result),
            Event::Shutdown(_) => self.shutdown_done(id),
            Event::Closed => self.closed(id),
        }
    }

    /// Gives a peer a new deadline.
    pub(crate) fn set_deadline(&mut self, id: PeerId, deadline: Option<Time>) {
        if let Some(peer) = self.peers.get_mut(id) {
            self.timers.set(id, peer, deadline);
        }
    }

    fn expire(&mut self, now: Time) {
        while let Some((at, id)) = self.timers.pop(now) {
            let Some(peer) = self.peers.get_mut(id) else {
                continue;
            };
            if self.timers.is_due(id, peer, at, now) {
                self.timed_out(id);
            }
        }
    }

    fn timed_out(&mut self, id: PeerId) {
        let Some(peer) = self.peers.get(id) else {
            return;
        };
        match peer.state {
            State::Handshake | State::Handover | State::Draining => {
                self.counters.timeouts.add(1);
                self.terminate(id, How::Abort);
            }
            State::Request => self.request_timed_out(id),
            State::Waiting => self.wait_timed_out(id),
            State::Response => self.response_timed_out(id),
            State::Upload => self.upload_timed_out(id),
            State::Commit | State::Closing => {}
        }
    }

    /// Accepts nobody any more, and ends what is idle; what is in flight may go on for `limit`. Who has
    /// come and not asked yet may ask, once: he cannot know.
    pub(super) fn drain(&mut self, limit: Duration) {
        if self.draining.is_some() {
            return;
        }
        self.draining = Some(self.driver.now() + limit);
        self.end_accepts();
        for id in self.peers.ids() {
            let Some(peer) = self.peers.get(id) else {
                continue;
            };
            if peer.state == State::Request && !self.release_held(id) {
                self.end_unless_asked(id);
            }
        }
    }

    /// While draining: ends a connection between requests, a new one after a little while.
    pub(crate) fn end_unless_asked(&mut self, id: PeerId) {
        let Some(peer) = self.peers.get(id) else {
            return;
        };
        if peer.is_idle() {
            self.say_goodbye(id);
        } else if !peer.has_begun_a_request() {
            let soon = self.driver.now() + ASK_WITHIN;
            let until = peer.deadline.map_or(soon, |deadline| deadline.min(soon));
            self.set_deadline(id, Some(until));
        }
    }

    fn is_drained(&mut self, now: Time) -> bool {
        let Some(until) = self.draining else {
            return false;
        };
        if now >= until {
            for id in self.peers.ids() {
                self.terminate(id, How::Abort);
            }
        }
        if self.peers.len() == 0 && !std::mem::replace(&mut self.left, true) {
            self.shared.loops_busy.fetch_sub(1, Ordering::SeqCst);
        }
        // Peers of other loops read the rings of this one, and wait for its answers.
        let all_left = self.shared.loops_busy.load(Ordering::SeqCst) == 0;
        all_left || now >= until + PULSE
    }
}
