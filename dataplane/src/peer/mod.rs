//! One connection of a loop, viewer's or encoder's: its state, and what it holds.
//!
//! A peer is a slot in the loop's slab. It has at most one receive and one send in flight;
//! [`PeerId`] carries the slot's generation, so that what arrives for an earlier peer of
//! the same slot is refused. What it holds besides depends on its state and lives in the
//! phases' own types.

mod exchange;
mod inbox;
mod link;
mod slab;
mod state;
mod teardown;

use std::collections::VecDeque;
use std::net::SocketAddr;

use zonecast_io::{Conn, KernelKey, OpId, Time};

pub(crate) use exchange::Step;
pub(crate) use inbox::{Inbox, SCRATCH_BYTES};
pub(crate) use link::{Link, Plaintext};
pub(crate) use slab::{PeerId, Slab};
pub(crate) use state::State;
pub(crate) use teardown::How;

use crate::delivery::{Card, Response, Wait};
use crate::egress::EgressZone;
use crate::ingest::Upload;

/// A viewer may be so far ahead with pipelined requests.
const AHEAD_BYTES_MAX: usize = 32 << 10;

/// What a listener's connections may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// GET, HEAD, OPTIONS.
    Viewer,
    /// PUT, POST, DELETE; with a token also GET and HEAD.
    Encoder,
}

/// One connection.
pub(crate) struct Peer {
    pub(crate) conn: Conn,
    /// Index of the listener it came by.
    pub(crate) listener: usize,
    pub(crate) role: Role,
    pub(crate) state: State,
    pub(crate) link: Link,
    pub(crate) inbox: Inbox,
    /// The part of a request head that has come, where it spans several records.
    pub(crate) head: Vec<u8>,
    pub(crate) receive: Option<OpId>,
    pub(crate) send: Option<OpId>,
    /// The sending key, until nothing of the handshake is on its way.
    pub(crate) kernel_key: Option<Box<KernelKey>>,
    /// Whether a card seals it.
    pub(crate) card: Card,
    /// Bytes of rings are lent to it, instead of copied.
    pub(crate) borrows: bool,
    /// Where it leaves, once it was asked about.
    pub(crate) egress: Option<EgressZone>,
    /// The kernel is being given a key.
    pub(crate) handover: Option<OpId>,
    /// The send in flight is a KeyUpdate.
    pub(crate) changing_key: bool,
    /// The wait for room in the socket.
    pub(crate) writable: Option<OpId>,
    /// What the socket did not take of a response's last send, as it is (it may be sealed).
    pub(crate) rest: Option<Box<[u8]>>,
    /// So many records are made for it at once.
    pub(crate) records: u8,
    /// A shutdown is in flight, or was done.
    pub(crate) shut: bool,
    pub(crate) shutting: bool,
    /// The peer sends nothing more.
    pub(crate) finished: bool,
    /// How the socket ends, once the state is Closing.
    pub(crate) how: How,
    /// The socket's close is under way.
    pub(crate) closing: bool,
    /// When the present state has lasted too long.
    pub(crate) deadline: Option<Time>,
    /// It has been answered once.
    pub(crate) answered: bool,
    /// Whoever steers has been told that it is in the wrong zone.
    pub(crate) told_misplaced: bool,
    /// The deadline is that of a request head, from its first byte.
    pub(crate) in_head: bool,
    /// The earliest entry of this peer in the timers.
    pub(crate) timer: Option<Time>,
    /// It waits for a send buffer.
    pub(crate) starved: bool,
    /// It waits for its turn to do a handshake step.
    pub(crate) queued: bool,
    /// Place in the list of those who wait for a stream: the list and the index.
    pub(crate) wait_place: Option<(usize, usize)>,
    pub(crate) wait: Option<Wait>,
    pub(crate) response: Option<Response>,
    /// It is among those whose sends from a ring are looked after.
    pub(crate) looked_after: bool,
    pub(crate) upload: Option<Box<Upload>>,
    /// Answers to uploads, until the encoder is quiet.
    pub(crate) held: VecDeque<Response>,
    /// Bytes drained after the last response.
    pub(crate) drained: usize,
}

impl Peer {
    pub(crate) fn new(conn: Conn, listener: usize, role: Role, link: Link, inbox: Inbox) -> Self {
        let state = if link.is_handshake() {
            State::Handshake
        } else {
            State::Request
        };
        Self {
            conn,
            listener,
            role,
            state,
            link,
            inbox,
            head: Vec::new(),
            receive: None,
            send: None,
            kernel_key: None,
            card: Card::default(),
            borrows: false,
            egress: None,
            handover: None,
            changing_key: false,
            writable: None,
            rest: None,
            records: 1,
            shut: false,
            shutting: false,
            finished: false,
            how: How::Close,
            closing: false,
            deadline: None,
            answered: false,
            told_misplaced: false,
            in_head: false,
            timer: None,
            starved: false,
            queued: false,
            wait_place: None,
            wait: None,
            response: None,
            looked_after: false,
            upload: None,
            held: VecDeque::new(),
            drained: 0,
        }
    }

    /// Whether more may be received. While the driver receives into a peer's own buffer
    /// nothing in it can be worked on: so only when that needs more bytes.
    pub(crate) fn may_receive(&self) -> bool {
        let blocked = self
            .upload
            .as_ref()
            .is_some_and(|u| u.wants && u.room() == 0);
        match self.state {
            State::Closing => false,
            _ if !self.inbox.is_own() => self.inbox.len() < AHEAD_BYTES_MAX,
            State::Request | State::Draining => true,
            State::Upload => !blocked,
            State::Handshake
            | State::Handover
            | State::Waiting
            | State::Response
            | State::Commit => self.inbox.len() == 0,
        }
    }

    /// Whether it waits for nothing but another request, after the ones that it had answered.
    pub(crate) fn is_idle(&self) -> bool {
        self.answered && !self.has_begun_a_request()
    }

    /// Whether a request head has begun to arrive.
    pub(crate) fn has_begun_a_request(&self) -> bool {
        !self.head.is_empty() || self.inbox.len() > 0
    }
}

/// A peer's address for a log line.
pub(crate) fn name(address: Option<SocketAddr>) -> String {
    address.map_or_else(|| "-".to_owned(), |a| a.to_string())
}
