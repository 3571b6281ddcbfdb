//! New connections: each listener has a multishot accept, armed again after it ended.

use std::time::Duration;

use zonecast_io::{Conn, Driver, ListenerId, OpId, Time, Token};
use zonecast_ring::Lease;

use super::Loop;
use crate::peer::{Inbox, Link, Peer, Role};
use crate::tls::Handshake;

/// How long an accept that ended (a full descriptor table, mostly) is left alone.
const BACK_OFF: Duration = Duration::from_millis(50);

/// The accepts of one loop.
pub(super) struct Accepts {
    listeners: Vec<Accept>,
}

struct Accept {
    /// Index among all listeners.
    listener: usize,
    socket: ListenerId,
    op: Option<OpId>,
    again_at: Option<Time>,
}

impl Accepts {
    pub(super) fn new(listeners: Vec<(usize, ListenerId)>) -> Self {
        let accept = |(listener, socket)| Accept {
            listener,
            socket,
            op: None,
            again_at: Some(Time(0)),
        };
        Self {
            listeners: listeners.into_iter().map(accept).collect(),
        }
    }
}

/// Listeners' tokens have generation 0, which no peer has.
fn token(at: usize) -> Token {
    Token(at as u64)
}

impl<D: Driver<Hold = Lease>> Loop<D> {
    /// Arms what is not armed and may be.
    pub(super) fn arm_accepts(&mut self) {
        if self.draining.is_some() {
            return;
        }
        let now = self.driver.now();
        for (at, accept) in self.accepts.listeners.iter_mut().enumerate() {
            if accept.again_at.is_some_and(|t| t <= now) {
                accept.op = Some(self.driver.accept(accept.socket, token(at)));
                accept.again_at = None;
            }
        }
    }

    /// Stops accepting for good.
    pub(super) fn end_accepts(&mut self) {
        for accept in &mut self.accepts.listeners {
            accept.again_at = None;
            if let Some(op) = accept.op {
                self.driver.cancel(op);
            }
        }
    }

    /// When an accept is to be armed again.
    pub(super) fn next_accept(&self) -> Option<Time> {
        self.accepts
            .listeners
            .iter()
            .filter_map(|a| a.again_at)
            .min()
    }

    /// An accept has ended by itself.
    pub(super) fn accept_ended(&mut self, token: Token, error: &std::io::Error) {
        let again_at = self.driver.now() + BACK_OFF;
        let accept = &mut self.accepts.listeners[token.0 as usize];
        accept.op = None;
        if self.draining.is_none() {
            let listener = &self.shared.listeners[accept.listener].name;
            tracing::debug!(%listener, %error, "accept ended; armed again soon");
            accept.again_at = Some(again_at);
        }
    }

    /// A new connection.
    pub(super) fn accepted(&mut self, token: Token, conn: Conn) {
        let at = self.accepts.listeners[token.0 as usize].listener;
        let listener = &self.shared.listeners[at];
        let role = listener.role;
        let link = match &listener.acceptor {
            None => Some(Link::Plain),
            Some(acceptor) => Handshake::new(acceptor)
                .inspect_err(|error| tracing::error!(%error, "no handshake can begin"))
                .ok()
                .map(|handshake| Link::Handshake(Some(Box::new(handshake)))),
        };
        let short = role == Role::Viewer && self.shared.socket_memory.is_short();
        // One that was accepted as a drain began is served like those before it.
        let link = link.filter(|_| !short && listener.enter());
        let Some(link) = link else {
            self.counters.accepts_refused.add(1);
            self.driver.abort(conn, Token(u64::MAX));
            return;
        };
        let (limits, now) = (listener.limits, self.driver.now());
        let is_handshake = link.is_handshake();
        let wait = if is_handshake {
            limits.handshake_timeout
        } else {
            limits.header_timeout
        };
        let peer = Box::new(Peer::new(conn, at, role, link, Inbox::carry()));
        let id = self.peers.insert(peer);
        self.set_deadline(id, Some(now + wait));
        if self.draining.is_some() && !is_handshake {
            self.end_unless_asked(id);
        }
        self.count_peer(role, true);
        self.want_more(id);
    }
}
