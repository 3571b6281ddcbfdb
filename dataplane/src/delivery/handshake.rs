//! Handshake: bytes in, bytes out, until the connection is ours.
//!
//! An encoder's step is done at once. A viewer's waits for its turn: a loop works on so
//! many of them between two looks at everybody else.

use zonecast_io::{BUFFER_BYTES, Driver, Outgoing};
use zonecast_ring::Lease;

use super::handover::key_for_the_kernel;
use crate::counters::IngestError;
use crate::loops::Loop;
use crate::peer::{How, Link, PeerId, Role, State, Step};
use crate::tls::Progress;

/// Steps of a turn that leaves others waiting.
const STEPS_WHILE_BEHIND: u32 = 2;
/// Where it leaves so many, new ones wait: there is not enough for all, and those who watch are to
/// have every segment in time. What few have begun is also done with less, since it stays in the
/// CPU's caches. Measured with 1,667 joins a second beside 1,000 viewers for 30 s, four to six runs
/// of each on a machine that came and went, which could do all of it or two thirds: without this,
/// 27,200 to 50,000 of 50,000 joins, and up to 1,226 segments late for those who watch; with 256,
/// 27,500 to 50,000; with 48, 36,600 to 50,000, and no segment late with either.
const BEHIND_MAX: usize = 48;
/// One turn of so many then still does a step.
const STEP_EVERY: u64 = 8;

impl<D: Driver<Hold = Lease>> Loop<D> {
    /// Something came from the peer: works on it now, or queues it.
    pub(crate) fn handshake_step(&mut self, id: PeerId) -> Step {
        let Some(peer) = self.peers.get_mut(id) else {
            return Step::Stop;
        };
        if peer.finished {
            self.handshake_failed(id);
            return Step::Stop;
        }
        if peer.send.is_some() || peer.inbox.len() == 0 {
            return Step::Stop;
        }
        if peer.role == Role::Encoder {
            return self.handshake_now(id);
        }
        if !peer.queued {
            peer.queued = true;
            self.handshakes.push_back(id);
        }
        Step::Stop
    }

    /// Works on viewers' handshakes, as many as one turn may take: few, while those who are through
    /// with theirs wait to be served.
    pub(crate) fn work_off_handshakes(&mut self) {
        for _ in 0..self.handshake_steps() {
            let Some(id) = self.handshakes.pop_front() else {
                return;
            };
            let Some(peer) = self.peers.get_mut(id) else {
                continue;
            };
            peer.queued = false;
            if peer.state == State::Handshake && self.handshake_now(id) == Step::Again {
                self.advance(id);
            }
        }
    }

    fn handshake_steps(&self) -> u32 {
        let most = self.shared.limits.handshakes_per_turn;
        match self.driver.backlog() {
            0 => most,
            1..BEHIND_MAX => most.min(STEPS_WHILE_BEHIND),
            _ => u32::from(self.counters.turns.get().is_multiple_of(STEP_EVERY)),
        }
    }

    fn handshake_now(&mut self, id: PeerId) -> Step {
        let Some(peer) = self.peers.get_mut(id) else {
            return Step::Stop;
        };
        let Link::Handshake(Some(handshake)) = &mut peer.link else {
            return Step::Stop;
        };
        let mut out = std::mem::take(&mut self.handshake_out);
        out.clear();
        let result = handshake.receive(peer.inbox.sealed_mut(), &mut out);
        peer.inbox.clear();
        let sent = self.send_handshake(id, &out);
        self.handshake_out = out;
        match result {
            _ if !sent => {
                self.terminate(id, How::Abort);
                Step::Stop
            }
            Ok(Progress::NeedMore) => Step::Stop,
            Ok(Progress::Done) => self.handshake_done(id),
            Err(error) => {
                let peer = self.peers.get(id).map(|p| self.driver.peer(p.conn));
                let peer = crate::peer::name(peer.flatten());
                tracing::debug!(%error, peer, "handshake refused");
                self.handshake_failed(id);
                Step::Stop
            }
        }
    }

    /// Sends what the handshake has to say; false when there is no room for it.
    fn send_handshake(&mut self, id: PeerId, out: &[u8]) -> bool {
        if out.is_empty() {
            return true;
        }
        if out.len() > BUFFER_BYTES {
            return false;
        }
        let Some(mut buffer) = self.driver.buffer() else {
            return false;
        };
        buffer[..out.len()].copy_from_slice(out);
        buffer.set(0, out.len());
        self.send(id, Outgoing::Buffer(buffer), false);
        true
    }

    fn handshake_done(&mut self, id: PeerId) -> Step {
        let Some(peer) = self.peers.get_mut(id) else {
            return Step::Stop;
        };
        let Link::Handshake(handshake) = &mut peer.link else {
            return Step::Stop;
        };
        let Some(handshake) = handshake.take() else {
            return Step::Stop;
        };
        match handshake.finish() {
            Ok((mut session, rest)) => {
                let resumed = session.agreed().resumed;
                let listener = &self.shared.listeners[peer.listener];
                let key = key_for_the_kernel(&self.shared, listener, &mut session);
                peer.link = Link::Tls(Box::new(session));
                peer.inbox.refill(&rest);
                let counters = &self.counters;
                let count = if resumed {
                    &counters.handshakes_resumed
                } else {
                    &counters.handshakes_full
                };
                count.add(1);
                peer.kernel_key = key;
                if peer.kernel_key.is_some() {
                    peer.state.go(State::Handover);
                } else {
                    peer.state.go(State::Request);
                    self.begin_request(id);
                }
                Step::Again
            }
            Err(error) => {
                tracing::debug!(%error, "handshake not finished");
                self.handshake_failed(id);
                Step::Stop
            }
        }
    }

    /// Ends the connection, after its alert where one is being sent.
    fn handshake_failed(&mut self, id: PeerId) {
        self.counters.handshakes_failed.add(1);
        let Some(peer) = self.peers.get_mut(id) else {
            return;
        };
        if peer.role == Role::Encoder {
            self.counters.add_ingest_error(IngestError::Tls);
        }
        if peer.send.is_some() {
            self.go(id, State::Draining);
            self.set_draining_deadline(id);
        } else {
            self.terminate(id, How::Close);
        }
    }
}
