//! What a loop asks of its driver, and what the driver answers.
//!
//! A loop submits operations (`accept`, `receive`, `send`, ...) and calls [`Driver::turn`], which
//! hands back what has completed. Nothing here blocks except `turn`, and nothing calls back: the
//! pipeline handles completions after the turn has collected them.
//!
//! Invariants that every driver keeps:
//! - Each operation completes exactly once with its [`Token`] (multishot accept: any number of
//!   [`Event::Accepted`], then one [`Event::AcceptEnded`]), cancelled or not.
//! - What an operation reads from or writes to ([`Buffer`], [`Outgoing`]) belongs to the driver
//!   from the call to the completion, so nobody can drop or change it in between.
//! - A [`Conn`] is valid from its `Accepted` to its `Closed`; its number may be used again after.
//! - Time and randomness come from the driver alone, so that a seed replays a whole run.

use std::io;
use std::net::SocketAddr;
use std::ops::{Add, Sub};
use std::time::Duration;

use zonecast_numa::Span;

use crate::egress::{Epoch, Offload};
use crate::kernel_tls::KernelKey;
use crate::pool::{Buffer, Received};
use crate::wake::Waker;

/// A moment, in nanoseconds since the driver's epoch. Virtual under the simulated driver.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Time(pub u64);

impl Add<Duration> for Time {
    type Output = Time;

    /// Saturates at the end of time (584 years).
    fn add(self, duration: Duration) -> Time {
        let nanoseconds = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        Time(self.0.saturating_add(nanoseconds))
    }
}

impl Sub for Time {
    type Output = Duration;

    /// Zero where `earlier` is the later of the two.
    fn sub(self, earlier: Time) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

/// The pipeline's own name for what it started; the driver carries it and never looks inside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Token(pub u64);

/// One submitted operation. A stale one (completed already) is harmless: cancelling it does nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct OpId {
    pub(crate) slot: u32,
    pub(crate) generation: u32,
}

/// An open connection of one driver; meaningless to any other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Conn(pub u32);

/// Bytes of a message that [`Driver::send_record`] takes: an alert has 2, a KeyUpdate 5.
pub const RECORD_MESSAGE_MAX: usize = 8;

/// How a connection leaves this machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Leaving {
    /// The device's number.
    pub device: u32,
    /// The NUMA node that the device is near; `None` where it has none or nobody knows.
    pub node: Option<u32>,
    /// When its key was set, if the kernel was given one.
    pub seen: Epoch,
}

/// What of the bytes that were lent to a connection is not acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owed {
    /// None.
    Nothing,
    /// So many pieces.
    Pieces(usize),
    /// Some, and of those some that are wanted back.
    Wanted,
}

/// A listening socket of one driver.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ListenerId(pub u16);

/// What a send reads from. `H` keeps a span's bytes alive and unchanged (a ring's lease, say).
#[derive(Debug)]
pub enum Outgoing<H> {
    /// The filled part of a pool buffer.
    Buffer(Buffer),
    /// Bytes of a region, sent from where they are.
    Span {
        /// Where the bytes are, and how many.
        span: Span,
        /// Dropped only when the operation has completed.
        hold: H,
    },
}

impl<H> Outgoing<H> {
    /// How many bytes this would send.
    pub fn len(&self) -> usize {
        match self {
            Outgoing::Buffer(buffer) => buffer.filled().len(),
            Outgoing::Span { span, .. } => span.len as usize,
        }
    }

    /// Whether there is nothing to send.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// The end (or, for accept, one result) of an operation.
#[derive(Debug)]
pub struct Completion<H> {
    /// The token that the operation was submitted with.
    pub token: Token,
    /// What happened.
    pub event: Event<H>,
}

/// What happened to an operation.
#[derive(Debug)]
pub enum Event<H> {
    /// A new connection; the accept goes on.
    Accepted(Conn),
    /// The accept is over (table full, cancelled, failed): submit another one later.
    AcceptEnded(io::Error),
    /// Bytes that came in; empty means that the peer has finished sending.
    Received(io::Result<Received>),
    /// How many bytes came into the given buffer; 0 means that the peer has finished sending.
    ReceivedInto {
        /// Bytes written from the given offset on.
        result: io::Result<usize>,
        /// The buffer given to [`Driver::receive_into`]; its filled range is as it was.
        buffer: Buffer,
    },
    /// How many bytes the socket took; fewer than asked for after an error or a cancellation.
    Sent {
        /// Bytes taken from the front.
        result: io::Result<usize>,
        /// What was being sent, handed back.
        outgoing: Outgoing<H>,
    },
    /// The socket takes bytes again, or has failed: the next send tells.
    Writable(io::Result<()>),
    /// The kernel seals what is sent from here on; or it does not, and nothing has changed.
    SealedByKernel(io::Result<()>),
    /// A control record of [`Driver::send_record`] is sent.
    RecordSent(io::Result<()>),
    /// Our sending side is shut.
    Shutdown(io::Result<()>),
    /// The connection is gone and its number is free.
    Closed,
}

/// The completion engine of one loop: io_uring, or the seeded simulation of it.
pub trait Driver {
    /// What keeps a span's bytes alive while they are being sent.
    type Hold;

    /// The time, read once a turn.
    fn now(&self) -> Time;

    /// A pseudo-random number, for jitter and sampling; never for secrets.
    fn random(&mut self) -> u64;

    /// Accepts connections on `listener` until [`Event::AcceptEnded`].
    fn accept(&mut self, listener: ListenerId, token: Token) -> OpId;

    /// Receives once, into a buffer that the driver provides when there is something to receive.
    /// While all of them are taken the operation waits inside the driver, first come first served.
    fn receive(&mut self, conn: Conn, token: Token) -> OpId;

    /// Receives once, into `buffer[at..]`.
    ///
    /// # Panics
    /// When `at` is not inside the buffer.
    fn receive_into(&mut self, conn: Conn, buffer: Buffer, at: usize, token: Token) -> OpId;

    /// Sends all of `outgoing`. `more` says that further bytes follow at once, so that the kernel
    /// may wait for them before it sends a short packet.
    fn send(
        &mut self,
        conn: Conn,
        outgoing: Outgoing<Self::Hold>,
        more: bool,
        token: Token,
    ) -> OpId;

    /// Sends what the socket takes of `buffer` now, without waiting for room: [`Event::Sent`] with
    /// 0 where it takes nothing.
    fn send_now(&mut self, conn: Conn, buffer: Buffer, more: bool, token: Token) -> OpId;

    /// Waits until the socket takes bytes: [`Event::Writable`]. Submitted behind a
    /// [`Driver::send_now`] it looks at the socket when that send is over.
    fn writable(&mut self, conn: Conn, token: Token) -> OpId;

    /// Has the kernel seal what is sent on `conn` from here on, with `key`; for a connection that it
    /// seals already, with `key` instead of the one that it has. Nothing may be sent meanwhile:
    /// [`Event::SealedByKernel`] ends it.
    fn seal_in_kernel(&mut self, conn: Conn, key: Box<KernelKey>, token: Token) -> OpId;

    /// Sends one record of the given type (an alert, a handshake message) on a connection that the
    /// kernel seals, behind everything that was sent before: [`Event::RecordSent`] when all of it is
    /// the socket's.
    ///
    /// # Panics
    /// When the message is longer than [`RECORD_MESSAGE_MAX`].
    fn send_record(&mut self, conn: Conn, record_type: u8, message: &[u8], token: Token) -> OpId;

    /// By which device a connection leaves now.
    ///
    /// # Errors
    /// Why the driver cannot tell.
    fn leaving(&mut self, conn: Conn) -> io::Result<Leaving>;

    /// Who seals a connection's records, as was decided when its key was set.
    ///
    /// # Errors
    /// Why the driver cannot tell.
    fn offload(&mut self, conn: Conn) -> io::Result<Offload>;

    /// Whether connections may leave otherwise than when this was last asked.
    fn leaving_changed(&mut self) -> bool;

    /// Whether a device has been down after a connection was seen to leave by it.
    fn was_down(&self, leaving: Leaving) -> bool;

    /// From here on [`Driver::lend`] may be used for a connection that a network card seals.
    ///
    /// # Errors
    /// Why the driver cannot lend to it; one that lends to nobody need not say more.
    fn may_lend(&mut self, _conn: Conn) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Sends what the socket takes of `span` now, without a copy: the card reads the bytes where they
    /// lie, when it sends them and when it sends them again. How many bytes were taken; 0 where there
    /// is no room. `hold` is kept until the peer has acknowledged them and the card let go of them.
    /// `more` says that further bytes are there to follow: they may wait for them, to fill a record.
    ///
    /// # Errors
    /// Those of sending; nothing was taken then.
    fn lend(
        &mut self,
        _conn: Conn,
        _span: Span,
        _hold: Self::Hold,
        _more: bool,
    ) -> io::Result<usize> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// What of the bytes that were lent to a connection is not acknowledged, and whether any of that is
    /// wanted back, by what keeps it.
    ///
    /// # Errors
    /// When the driver cannot tell what is acknowledged: the connection is to be aborted.
    fn owed(
        &mut self,
        _conn: Conn,
        _is_wanted: impl FnMut(&Self::Hold) -> bool,
    ) -> io::Result<Owed> {
        Ok(Owed::Nothing)
    }

    /// Finishes our sending side; the peer sees the end of the stream.
    fn shutdown(&mut self, conn: Conn, token: Token) -> OpId;

    /// Closes the connection; [`Event::Closed`] follows. Where bytes that were lent to it are not yet
    /// acknowledged the close waits for that, and in the end becomes an abort.
    ///
    /// # Panics
    /// When anything else is still in flight on the connection.
    fn close(&mut self, conn: Conn, token: Token);

    /// Closes the connection with a reset, so that a cut response never looks complete. A close that
    /// waits becomes one.
    /// A Unix socket has no reset: there the peer sees the end of the stream.
    ///
    /// # Panics
    /// When anything else is still in flight on the connection.
    fn abort(&mut self, conn: Conn, token: Token);

    /// Asks for an early end of `op`. It still completes: with `ECANCELED`, or with its result if
    /// that came first (for a send: the bytes taken so far), and with its buffer.
    fn cancel(&mut self, op: OpId);

    /// A buffer for sealing, sending or receiving into; `None` when the pool is empty.
    fn buffer(&mut self) -> Option<Buffer>;

    /// How many buffers are left in the pool.
    fn buffers_free(&self) -> usize;

    /// A larger buffer ([`BURST_BYTES`](crate::BURST_BYTES)) for [`Driver::send_now`] alone. There are
    /// few; each comes back in the turn that sends it, and `None` says that all are on their way.
    fn burst(&mut self) -> Option<Buffer>;

    /// The peer's address, where the driver can know it (an inet socket with a plain descriptor).
    fn peer(&self, conn: Conn) -> Option<SocketAddr>;

    /// The address that the peer connected to, where the driver can know it, as for [`Driver::peer`].
    fn local(&self, _conn: Conn) -> Option<SocketAddr> {
        None
    }

    /// Submits what is new, waits for a completion, a wake-up or `until` (`None`: no limit), and
    /// appends everything that has completed to `out`. Does not wait where there is something already.
    ///
    /// # Errors
    /// When the driver itself fails; the loop cannot go on after that.
    fn turn(
        &mut self,
        until: Option<Time>,
        out: &mut Vec<Completion<Self::Hold>>,
    ) -> io::Result<()>;

    /// Completions that the last turn has left for the next.
    fn backlog(&self) -> usize {
        0
    }

    /// A handle by which other threads end this loop's wait.
    fn waker(&self) -> Waker;
}
