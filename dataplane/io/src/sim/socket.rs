//! A connection between a peer and a loop: two pipes, and what each end knows.

use std::collections::VecDeque;
use std::time::Duration;

use crate::driver::{Conn, ListenerId, OpId, Time};

use super::receive::ReceiveOp;
use super::send::SendOp;

/// A connection of the world's, whoever ends it. Never used again.
pub(super) type SocketId = usize;

/// How a direction of a connection has ended, as its receiver sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// More may come.
    Open,
    /// In order: everything has come.
    Finished,
    /// By a reset: there may be bytes that never come.
    Reset,
}

/// Which end of a connection something goes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Toward {
    Loop,
    Peer,
}

/// What travels through a pipe, in order.
pub(super) enum Piece {
    Bytes(Box<[u8]>),
    Finish,
    Reset,
}

/// What has come out of a pipe at once.
#[derive(Default)]
pub(super) struct Arrival {
    pub(super) bytes: bool,
    pub(super) finished: bool,
    pub(super) reset: bool,
}

/// One direction of a connection. What is under way and what has arrived share one window.
pub(super) struct Pipe {
    under_way: VecDeque<(Time, Piece)>,
    under_way_bytes: usize,
    arrived: VecDeque<u8>,
    /// The first end that arrived.
    end: End,
    /// The end that was put in, if any; nothing but a reset follows it.
    closed: End,
    last_due: Time,
    pub(super) window: usize,
    /// Bytes that were ever put in.
    pub(super) carried: u64,
}

impl Pipe {
    pub(super) fn new(window: usize) -> Pipe {
        Pipe {
            under_way: VecDeque::new(),
            under_way_bytes: 0,
            arrived: VecDeque::new(),
            end: End::Open,
            closed: End::Open,
            last_due: Time(0),
            window,
            carried: 0,
        }
    }

    /// How many bytes can be put in.
    pub(super) fn room(&self) -> usize {
        if self.closed != End::Open {
            return 0;
        }
        let used = self.under_way_bytes + self.arrived.len();
        self.window.saturating_sub(used)
    }

    /// Puts a piece in that arrives at `due`, or later where what went before does; returns when.
    /// `None`: the direction has ended, and it is lost.
    pub(super) fn put(&mut self, due: Time, piece: Piece) -> Option<Time> {
        match (&piece, self.closed) {
            (Piece::Bytes(bytes), End::Open) => {
                self.under_way_bytes += bytes.len();
                self.carried += bytes.len() as u64;
            }
            (Piece::Finish, End::Open) => self.closed = End::Finished,
            (Piece::Reset, End::Open | End::Finished) => self.closed = End::Reset,
            _ => return None,
        }
        self.last_due = self.last_due.max(due);
        self.under_way.push_back((self.last_due, piece));
        Some(self.last_due)
    }

    /// Whether an end has been put in, of whichever kind.
    pub(super) fn is_closed(&self) -> bool {
        self.closed != End::Open
    }

    /// Whether a reset has been put in.
    pub(super) fn is_reset(&self) -> bool {
        self.closed == End::Reset
    }

    /// How many pieces are under way.
    pub(super) fn pieces(&self) -> usize {
        self.under_way.len()
    }

    /// Loses all that is under way but for the first `keep` pieces.
    pub(super) fn lose(&mut self, keep: usize) {
        for (_, piece) in self.under_way.drain(keep..) {
            if let Piece::Bytes(bytes) = piece {
                self.under_way_bytes -= bytes.len();
            }
        }
    }

    /// Loses all that is under way, and takes nothing more: what would come behind a hole never
    /// arrives.
    pub(super) fn break_off(&mut self) {
        self.lose(0);
        self.closed = End::Reset;
    }

    /// Moves what is due by `now` to where it can be read.
    pub(super) fn arrive(&mut self, now: Time) -> Arrival {
        let mut arrival = Arrival::default();
        while self.under_way.front().is_some_and(|(due, _)| *due <= now) {
            match self.under_way.pop_front() {
                Some((_, Piece::Bytes(bytes))) => {
                    self.under_way_bytes -= bytes.len();
                    self.arrived.extend(&bytes);
                    arrival.bytes = true;
                }
                Some((_, Piece::Finish)) => arrival.finished = true,
                Some((_, Piece::Reset)) => arrival.reset = true,
                None => {}
            }
            if self.end == End::Open && arrival.finished {
                self.end = End::Finished;
            } else if self.end == End::Open && arrival.reset {
                self.end = End::Reset;
            }
        }
        arrival
    }

    /// How many bytes can be read now.
    pub(super) fn readable(&self) -> usize {
        self.arrived.len()
    }

    /// Reads at most `max` bytes.
    pub(super) fn take(&mut self, max: usize) -> Vec<u8> {
        let count = max.min(self.arrived.len());
        let rest = self.arrived.split_off(count);
        std::mem::replace(&mut self.arrived, rest).into()
    }

    /// The end, once everything before it has been read.
    pub(super) fn end(&self) -> End {
        if self.arrived.is_empty() {
            self.end
        } else {
            End::Open
        }
    }

    /// Loses what has arrived and nobody has read.
    pub(super) fn clear(&mut self) {
        self.arrived = VecDeque::new();
    }
}

/// How a peer reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reading {
    /// All that comes, at once.
    Eager,
    /// Nothing: the window fills.
    Paused,
    /// So many bytes, so often.
    Slow { bytes: usize, every: Duration },
}

/// The loop's end.
pub(super) struct LoopEnd {
    pub(super) at: usize,
    pub(super) listener: ListenerId,
    pub(super) conn: Option<Conn>,
    pub(super) receive: Option<ReceiveOp>,
    pub(super) send: Option<SendOp>,
    /// A wait for room to send.
    pub(super) writable: Option<OpId>,
    /// What the next operation to look hears; each error is heard once (`sk_err`).
    pub(super) error: Option<i32>,
    /// Reset: receives end, sends fail.
    pub(super) dead: bool,
    pub(super) shut: bool,
    pub(super) closed: bool,
}

/// The peer's end.
pub(super) struct PeerEnd {
    pub(super) received: Vec<u8>,
    pub(super) reading: Reading,
    /// A read of a slow peer's is planned.
    pub(super) tick: bool,
    /// It has reset or let go of the connection.
    pub(super) gone: bool,
}

/// See the module's description.
pub(super) struct Socket {
    pub(super) to_loop: Pipe,
    pub(super) to_peer: Pipe,
    pub(super) near: LoopEnd,
    pub(super) far: PeerEnd,
}

impl Socket {
    pub(super) fn pipe(&mut self, toward: Toward) -> &mut Pipe {
        match toward {
            Toward::Loop => &mut self.to_loop,
            Toward::Peer => &mut self.to_peer,
        }
    }

    /// Whether both directions have ended in order, as far as the network knows.
    pub(super) fn is_orderly(&self) -> bool {
        let ended = self.to_peer.is_closed() && self.to_loop.is_closed();
        let reset = self.to_peer.is_reset() || self.to_loop.is_reset();
        ended && !reset && !self.near.dead
    }

    /// The receive in flight, if it is the one with this name.
    pub(super) fn receive_named(&self, op: OpId) -> Option<ReceiveOp> {
        self.near.receive.filter(|receive| receive.op == op)
    }
}
