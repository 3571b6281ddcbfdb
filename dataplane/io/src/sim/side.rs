//! What the world knows of one loop: its listeners and connections, what it has submitted, what it
//! is to be told, and whether it has a reason to run.

use std::collections::VecDeque;
use std::rc::Rc;

use crate::driver::{Conn, ListenerId, OpId, Time};
use crate::pool::{BUFFER_BYTES, BURST_BYTES, Pool, Received};
use crate::wake::Waker;

use super::config::SimConfig;
use super::slab::Target;
use super::socket::SocketId;
use super::table::Table;

/// So few that a loop is often without one.
const BURSTS: u32 = 2;

/// What a loop asks for between two turns; it begins with the next turn, in order.
pub(super) enum Submission {
    Accept(ListenerId),
    /// Into a provided buffer, or (`Some`) into one of the caller's with so much room.
    Receive(SocketId, Option<usize>),
    /// `None`: a span that lies in no region.
    Send(SocketId, Option<Rc<[u8]>>),
    /// Only what there is room for.
    SendNow(SocketId, Rc<[u8]>),
    Writable(SocketId),
    SealInKernel,
    Shutdown(SocketId),
    Close(SocketId, Conn),
    Abort(SocketId, Conn),
    Cancel(Target),
}

/// How an operation has ended. Errors are `errno` values.
pub(super) enum Outcome {
    /// The accept goes on.
    Accepted(Conn),
    AcceptEnded(i32),
    Received(Result<Received, i32>),
    ReceivedInto(Result<Vec<u8>, i32>),
    Sent(Result<usize, i32>),
    Writable(Result<(), i32>),
    SealedByKernel(Result<(), i32>),
    Shutdown(Result<(), i32>),
    Closed(Conn),
}

impl Outcome {
    /// For the log: what, and with which number (a count, or a negative `errno`).
    pub(super) fn described(&self) -> (&'static str, i64) {
        let count = |result: Result<usize, i32>| match result {
            Ok(count) => count as i64,
            Err(errno) => -i64::from(errno),
        };
        match self {
            Outcome::Accepted(conn) => ("accepted", i64::from(conn.0)),
            Outcome::AcceptEnded(errno) => ("accept ended", -i64::from(*errno)),
            Outcome::Received(result) => {
                let result = result.as_ref().map(|received| received.len());
                ("received", count(result.map_err(|errno| *errno)))
            }
            Outcome::ReceivedInto(result) => {
                let result = result.as_ref().map(Vec::len);
                ("received into", count(result.map_err(|errno| *errno)))
            }
            Outcome::Sent(result) => ("sent", count(*result)),
            Outcome::Writable(result) => ("writable", count(result.map(|()| 0))),
            Outcome::SealedByKernel(result) => ("sealed", count(result.map(|()| 0))),
            Outcome::Shutdown(result) => ("shut", count(result.map(|()| 0))),
            Outcome::Closed(conn) => ("closed", i64::from(conn.0)),
        }
    }
}

/// A listening socket.
#[derive(Default)]
pub(super) struct Listener {
    /// Accepts in flight; the first one serves.
    pub(super) accepts: VecDeque<OpId>,
    /// Connections that no accept has taken yet.
    pub(super) backlog: VecDeque<SocketId>,
    /// When the last completion of an accept is due: they keep their order.
    pub(super) last_due: Time,
}

/// See the module's description.
pub(super) struct Side {
    pub(super) alive: bool,
    pub(super) waker: Waker,
    /// A wake-up that the world has seen and the loop has not, or a reason of the world's own.
    pub(super) woken: bool,
    /// The last turn ended for a reason, so another one follows.
    pub(super) again: bool,
    /// Until when the loop's last turn wanted to wait. At first the beginning of time.
    pub(super) until: Option<Time>,
    /// Not to be turned before this.
    pub(super) stalled_until: Time,
    /// The pipeline's pool looks empty until then.
    pub(super) withheld_until: Time,
    pub(super) listeners: Vec<Listener>,
    pub(super) table: Table,
    pub(super) submitted: VecDeque<(OpId, Submission)>,
    /// What the next turn hands out.
    pub(super) ready: VecDeque<(OpId, Outcome)>,
    /// Receives that wait for a buffer, oldest first; may name sockets that wait no more.
    pub(super) starved: VecDeque<SocketId>,
    pub(super) send_pool: Rc<Pool>,
    pub(super) burst_pool: Rc<Pool>,
    pub(super) receive_pool: Rc<Pool>,
}

impl Side {
    pub(super) fn new(config: &SimConfig) -> Side {
        Side {
            alive: true,
            waker: Waker::without_kernel(),
            woken: false,
            again: false,
            until: Some(Time(0)),
            stalled_until: Time(0),
            withheld_until: Time(0),
            listeners: Vec::new(),
            table: Table::new(config.connections_max),
            submitted: VecDeque::new(),
            ready: VecDeque::new(),
            starved: VecDeque::new(),
            send_pool: Pool::new(config.send_buffers, BUFFER_BYTES),
            burst_pool: Pool::new(BURSTS, BURST_BYTES),
            receive_pool: Pool::new(config.receive_buffers, config.receive_buffer_bytes),
        }
    }

    /// Whether a turn at `now` has something to do.
    pub(super) fn is_runnable(&mut self, now: Time) -> bool {
        self.notice_wake_up();
        self.alive
            && self.stalled_until <= now
            && (self.woken
                || self.again
                || self.until.is_some_and(|until| until <= now)
                || !self.ready.is_empty()
                || !self.submitted.is_empty()
                || self.can_refill())
    }

    /// Looks for a wake-up as a loop does that is about to sleep.
    fn notice_wake_up(&mut self) {
        let slept = self.waker.fall_asleep();
        if !slept || self.waker.wake_up() {
            self.woken = true;
        }
    }

    /// Whether there are receives that wait although there are buffers.
    pub(super) fn can_refill(&self) -> bool {
        !self.starved.is_empty() && self.receive_pool.free_count() > 0
    }

    pub(super) fn listener(&mut self, id: ListenerId) -> &mut Listener {
        let listener = self.listeners.get_mut(usize::from(id.0));
        listener.expect("a listener of this loop")
    }
}
