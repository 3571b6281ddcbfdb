//! The table of open connections: which are open, how busy each is, and how the kernel names it.
//!
//! A direct connection's number is its index in the ring's file table, which the kernel assigns. A
//! plain one's is an index of ours, with the top bit set, so that both kinds can be in one loop.

use std::net::SocketAddr;
use std::os::fd::{AsRawFd, IntoRawFd, OwnedFd, RawFd};

use crate::driver::{Conn, OpId};
use crate::egress::Epoch;

const PLAIN: u32 = 1 << 31;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Free,
    Open,
    Closing(OpId),
}

struct Connection {
    state: State,
    /// Operations submitted and not yet completed.
    in_flight: u16,
    /// Present in an open connection with a plain descriptor.
    plain: Option<OwnedFd>,
    /// The kernel seals what is sent, since then.
    kernel_seals: Option<Epoch>,
}

impl Connection {
    const FREE: Connection = Connection {
        state: State::Free,
        in_flight: 0,
        plain: None,
        kernel_seals: None,
    };
}

/// How the kernel names a connection.
#[derive(Debug, Clone, Copy)]
pub(super) enum Target {
    Direct(u32),
    Plain(RawFd),
}

/// Builds an entry for either kind of descriptor: `$fd` stands for the one that it is.
macro_rules! on_target {
    ($target:expr, $fd:ident => $entry:expr) => {
        match $target {
            $crate::uring::connections::Target::Direct(index) => {
                let $fd = io_uring::types::Fixed(index);
                $entry
            }
            $crate::uring::connections::Target::Plain(raw) => {
                let $fd = io_uring::types::Fd(raw);
                $entry
            }
        }
    };
}
pub(super) use on_target;

/// All connections of a driver.
pub(super) struct Connections {
    direct: Vec<Connection>,
    plain: Vec<Connection>,
    plain_free: Vec<u32>,
}

impl Connections {
    /// With room for so many of each kind.
    pub(super) fn new(direct_max: u32, plain_max: u32) -> Connections {
        let table = |count: u32| (0..count).map(|_| Connection::FREE).collect();
        Connections {
            direct: table(direct_max),
            plain: table(plain_max),
            plain_free: (0..plain_max).rev().collect(),
        }
    }

    /// Books a connection that the kernel has put at `index` of its table. Where an earlier one at
    /// that index was closing, that is over: its operation is returned.
    pub(super) fn open_direct(&mut self, index: u32) -> (Conn, Option<OpId>) {
        let connection = &mut self.direct[index as usize];
        let closing = match connection.state {
            State::Free => None,
            State::Closing(operation) => Some(operation),
            State::Open => unreachable!("the kernel gives a table index to one file at a time"),
        };
        connection.state = State::Open;
        connection.kernel_seals = None;
        connection.in_flight = 0;
        (Conn(index), closing)
    }

    /// Books a connection with a plain descriptor; `None` (and it is closed) when the table is full.
    pub(super) fn open_plain(&mut self, descriptor: OwnedFd) -> Option<Conn> {
        let index = self.plain_free.pop()?;
        let connection = &mut self.plain[index as usize];
        assert_eq!(connection.state, State::Free, "a free slot is empty");
        connection.state = State::Open;
        connection.plain = Some(descriptor);
        connection.kernel_seals = None;
        Some(Conn(index | PLAIN))
    }

    /// Books one more operation on an open connection, and says how to name it to the kernel.
    ///
    /// # Panics
    /// When the connection is not open.
    pub(super) fn begin(&mut self, conn: Conn) -> Target {
        let connection = self.get_mut(conn);
        assert_eq!(connection.state, State::Open, "{conn:?} is open");
        connection.in_flight += 1;
        self.target(conn)
    }

    /// Books the end of an operation.
    pub(super) fn end(&mut self, conn: Conn) {
        let connection = self.get_mut(conn);
        assert!(connection.in_flight > 0, "an operation ends once");
        connection.in_flight -= 1;
    }

    /// What must be so before a connection is closed.
    ///
    /// # Panics
    /// When it is not open, or anything is in flight on it.
    pub(super) fn assert_idle(&self, conn: Conn) {
        let connection = self.get(conn);
        assert_eq!(connection.state, State::Open, "{conn:?} is open");
        let busy = connection.in_flight;
        assert_eq!(
            busy, 0,
            "nothing is in flight on {conn:?} when it is closed"
        );
    }

    /// Marks an idle connection as closing by `operation`; from here on nothing else can begin on
    /// it. A plain descriptor leaves the table: the operation closes it.
    pub(super) fn begin_close(&mut self, conn: Conn, operation: OpId) -> Target {
        self.assert_idle(conn);
        let connection = self.get_mut(conn);
        connection.state = State::Closing(operation);
        match connection.plain.take() {
            Some(descriptor) => Target::Plain(descriptor.into_raw_fd()),
            None => Target::Direct(conn.0),
        }
    }

    /// Books the end of a close; the number can be used again.
    pub(super) fn end_close(&mut self, conn: Conn) {
        let connection = self.get_mut(conn);
        assert!(
            matches!(connection.state, State::Closing(_)),
            "{conn:?} was closing"
        );
        connection.state = State::Free;
        if conn.0 & PLAIN != 0 {
            self.plain_free.push(conn.0 & !PLAIN);
        }
    }

    /// From here on the kernel seals what is sent.
    pub(super) fn set_kernel_seals(&mut self, conn: Conn, since: Epoch) {
        self.get_mut(conn).kernel_seals = Some(since);
    }

    pub(super) fn kernel_seals(&self, conn: Conn) -> bool {
        self.get(conn).kernel_seals.is_some()
    }

    /// Since when, or the beginning.
    pub(super) fn sealed_since(&self, conn: Conn) -> Epoch {
        self.get(conn).kernel_seals.unwrap_or_default()
    }

    /// How the kernel names an open connection.
    pub(super) fn target(&self, conn: Conn) -> Target {
        match &self.get(conn).plain {
            Some(descriptor) => Target::Plain(descriptor.as_raw_fd()),
            None => Target::Direct(conn.0),
        }
    }

    /// The descriptor of an open connection, where it has a plain one.
    pub(super) fn descriptor(&self, conn: Conn) -> Option<&OwnedFd> {
        self.get(conn).plain.as_ref()
    }

    pub(super) fn peer(&self, conn: Conn) -> Option<SocketAddr> {
        let address = rustix::net::getpeername(self.descriptor(conn)?).ok()??;
        SocketAddr::try_from(address).ok()
    }

    pub(super) fn local(&self, conn: Conn) -> Option<SocketAddr> {
        let address = rustix::net::getsockname(self.descriptor(conn)?).ok()?;
        SocketAddr::try_from(address).ok()
    }

    fn get(&self, conn: Conn) -> &Connection {
        match conn.0 & PLAIN {
            0 => &self.direct[conn.0 as usize],
            _ => &self.plain[(conn.0 & !PLAIN) as usize],
        }
    }

    fn get_mut(&mut self, conn: Conn) -> &mut Connection {
        match conn.0 & PLAIN {
            0 => &mut self.direct[conn.0 as usize],
            _ => &mut self.plain[(conn.0 & !PLAIN) as usize],
        }
    }
}
