//! New connections: on their way, in a listener's backlog, accepted or lost.

use std::time::Duration;

use crate::driver::{ListenerId, OpId};

use super::faults::Faults;
use super::side::Outcome;
use super::socket::{LoopEnd, PeerEnd, Pipe, Reading, Socket, SocketId};
use super::world::{Event, World};

/// Connections that a listener keeps for its accept; more are refused.
const BACKLOG_MAX: usize = 1024;
/// Slow peers read at least so many bytes at a time, so that a run comes to its end.
const SLOW_BYTES_MIN: usize = 64;
/// What ends an accept.
const ERRORS: [i32; 5] = [
    libc::ENFILE,
    libc::EMFILE,
    libc::ENOMEM,
    libc::ENOBUFS,
    libc::ECONNABORTED,
];

impl World {
    /// A peer connects; its bytes may travel at once.
    pub(super) fn connect(&mut self, at: usize, listener: ListenerId) -> SocketId {
        let id = self.sockets.len();
        let windows = (self.window(), self.window());
        let reading = if self.strikes(self.faults.slow_peers, "slow peer") {
            let bytes = SLOW_BYTES_MIN + self.random.up_to(16 << 10);
            let every = self.random.up_to(50) as u64;
            let every = Duration::from_millis(every);
            Reading::Slow { bytes, every }
        } else {
            Reading::Eager
        };
        self.sockets.push(Socket {
            to_loop: Pipe::new(windows.0),
            to_peer: Pipe::new(windows.1),
            near: LoopEnd {
                at,
                listener,
                conn: None,
                receive: None,
                send: None,
                writable: None,
                error: None,
                dead: false,
                shut: false,
                closed: false,
            },
            far: PeerEnd {
                received: Vec::new(),
                reading,
                tick: false,
                gone: false,
            },
        });
        let (min, max) = (self.faults.latency_min, self.faults.latency_max);
        let due = self.now + self.random.duration(min, max);
        self.schedule(due, Event::Connects(id, at, listener));
        if self.random.chance(self.faults.breaks) {
            let due = due + self.random.duration(min, self.faults.break_max);
            self.schedule(due, Event::Breaks(id));
        }
        id
    }

    fn window(&mut self) -> usize {
        let Faults {
            window_min,
            window_max,
            ..
        } = self.faults;
        let spread = window_max.saturating_sub(window_min);
        window_min.max(1) + self.random.below(spread as u64 + 1) as usize
    }

    pub(super) fn connects(&mut self, id: SocketId, at: usize, listener: ListenerId) {
        self.log.record(self.now, "connects", at, id as u64, 0);
        let side = &mut self.sides[at];
        let full = side.listener(listener).backlog.len() >= BACKLOG_MAX;
        if full || !side.alive {
            return self.let_go(id, true);
        }
        side.listener(listener).backlog.push_back(id);
        self.accept_goes_on(at, listener);
    }

    pub(super) fn accept_begins(&mut self, at: usize, op: OpId, listener: ListenerId) {
        self.sides[at].listener(listener).accepts.push_back(op);
        self.accept_goes_on(at, listener);
    }

    /// Accepts what has come, as long as nothing ends the accept.
    fn accept_goes_on(&mut self, at: usize, listener: ListenerId) {
        loop {
            let listening = self.sides[at].listener(listener);
            let Some(op) = listening.accepts.front().copied() else {
                return;
            };
            let Some(id) = listening.backlog.pop_front() else {
                return;
            };
            if self.strikes(self.faults.accept_errors, "accept error") {
                let error = self.random.pick(&ERRORS);
                if self.random.chance(500) {
                    self.let_go(id, true);
                } else {
                    self.sides[at].listener(listener).backlog.push_front(id);
                }
                self.accept_ends(at, listener, op, error);
            } else if let Some(conn) = self.sides[at].table.open(id) {
                self.sockets[id].near.conn = Some(conn);
                self.end_accept(at, listener, op, Outcome::Accepted(conn));
            } else {
                self.count("full table");
                self.let_go(id, true);
                self.accept_ends(at, listener, op, libc::ENFILE);
            }
        }
    }

    /// The accept is over; returns whether it was in flight.
    pub(super) fn accept_ends(
        &mut self,
        at: usize,
        listener: ListenerId,
        op: OpId,
        error: i32,
    ) -> bool {
        let accepts = &mut self.sides[at].listener(listener).accepts;
        let Some(place) = accepts.iter().position(|accept| *accept == op) else {
            return false;
        };
        accepts.remove(place);
        self.end_accept(at, listener, op, Outcome::AcceptEnded(error));
        true
    }
}
