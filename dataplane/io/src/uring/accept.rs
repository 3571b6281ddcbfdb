//! Listeners, and the multishot accept on them.
//!
//! One submission accepts any number of connections. When it ends, for want of room or by
//! cancellation, the pipeline hears of it and decides when to submit the next. The connection for
//! which there was no room is closed by the kernel (direct) or here (plain).

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

use io_uring::{cqueue, opcode, types};
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};

use crate::driver::{Completion, Conn, Event, ListenerId, OpId, Token};

use super::UringDriver;
use super::operations::Operation;

/// What the connections of a listener are to the kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Descriptors {
    /// Entries of the ring's own file table: cheaper, uncounted by `ulimit -n`, without an address.
    Direct,
    /// Ordinary file descriptors, for what needs one (splice, addresses, older kernels).
    Plain,
}

pub(super) struct Listener {
    socket: OwnedFd,
    descriptors: Descriptors,
    /// Accepts in flight.
    accepts: u32,
}

impl<H> UringDriver<H> {
    pub(super) fn listener_added(
        &mut self,
        socket: OwnedFd,
        descriptors: Descriptors,
    ) -> io::Result<ListenerId> {
        // io_uring does not wait on a file that is marked non-blocking; it fails with EAGAIN.
        let flags = fcntl_getfl(&socket)?;
        fcntl_setfl(&socket, flags - OFlags::NONBLOCK)?;
        let descriptors = if self.direct_supported {
            descriptors
        } else {
            Descriptors::Plain
        };
        let id = u16::try_from(self.listeners.len()).expect("fewer listeners than 2^16");
        self.listeners.push(Some(Listener {
            socket,
            descriptors,
            accepts: 0,
        }));
        Ok(ListenerId(id))
    }

    pub(super) fn listener_removed(&mut self, id: ListenerId) -> Option<OwnedFd> {
        let listener = self.listeners.get_mut(usize::from(id.0))?.take()?;
        assert_eq!(
            listener.accepts, 0,
            "no accept is in flight on a listener that is removed"
        );
        Some(listener.socket)
    }

    pub(super) fn accept_submitted(&mut self, listener: ListenerId, token: Token) -> OpId {
        self.listener(listener).accepts += 1;
        let operation = Operation::Accept {
            listener,
            ended_by: None,
        };
        let id = self.operations.insert(token, operation);
        self.push_accept(listener, id);
        id
    }

    fn push_accept(&mut self, listener: ListenerId, id: OpId) {
        let listener = self.listener(listener);
        let accept = opcode::AcceptMulti::new(types::Fd(listener.socket.as_raw_fd()));
        let accept = match listener.descriptors {
            Descriptors::Direct => accept.allocate_file_index(true),
            Descriptors::Plain => accept.flags(libc::SOCK_CLOEXEC),
        };
        let entry = accept.build().user_data(id.to_user_data());
        // SAFETY: the entry points at no memory (no address is asked for).
        unsafe { self.queue.push(entry) };
    }

    pub(super) fn accept_done(
        &mut self,
        id: OpId,
        entry: &cqueue::Entry,
        out: &mut Vec<Completion<H>>,
    ) {
        let Some(Operation::Accept { listener, ended_by }) = self.operations.get_mut(id) else {
            unreachable!("the caller has seen that it is an accept")
        };
        let (listener, ended_by) = (*listener, *ended_by);
        if entry.result() >= 0 {
            self.accepted(id, listener, entry.result() as u32, out);
        }
        if cqueue::more(entry.flags()) {
            return;
        }
        if entry.result() >= 0 && ended_by.is_none() {
            // The kernel ends a multishot that found the completion queue full; it goes on.
            return self.push_accept(listener, id);
        }
        let token = self.operations.remove(id).0;
        self.listener(listener).accepts -= 1;
        let error = io::Error::from_raw_os_error(ended_by.unwrap_or(-entry.result()));
        out.push(Completion {
            token,
            event: Event::AcceptEnded(error),
        });
    }

    /// Books what the kernel has accepted: an index of its table, or a new descriptor.
    fn accepted(
        &mut self,
        id: OpId,
        listener: ListenerId,
        result: u32,
        out: &mut Vec<Completion<H>>,
    ) {
        let token = self.operations.token(id);
        let conn = match self.listener(listener).descriptors {
            Descriptors::Direct => Some(self.accepted_direct(result, out)),
            Descriptors::Plain => {
                // SAFETY: the kernel has just made this descriptor for us; nobody else owns it.
                let descriptor = unsafe { OwnedFd::from_raw_fd(result as i32) };
                self.connections.open_plain(descriptor)
            }
        };
        match conn {
            Some(conn) => out.push(Completion {
                token,
                event: Event::Accepted(conn),
            }),
            None => self.end_accept(id, libc::ENFILE),
        }
    }

    /// The kernel may give an index away again before the completion of the close that freed it has
    /// reached us. The pipeline hears of the close first all the same.
    fn accepted_direct(&mut self, index: u32, out: &mut Vec<Completion<H>>) -> Conn {
        let (conn, closing) = self.connections.open_direct(index);
        if let Some(closing) = closing {
            let token = self.operations.token(closing);
            if let Some(Operation::Close { reported, .. }) = self.operations.get_mut(closing) {
                *reported = true;
            }
            out.push(Completion {
                token,
                event: Event::Closed,
            });
        }
        conn
    }

    /// Ends an accept from our side, with `error` as the reason that the pipeline hears.
    fn end_accept(&mut self, id: OpId, error: i32) {
        if let Some(Operation::Accept { ended_by, .. }) = self.operations.get_mut(id)
            && ended_by.replace(error).is_none()
        {
            self.push_cancel(id);
        }
    }

    fn listener(&mut self, id: ListenerId) -> &mut Listener {
        let listener = self
            .listeners
            .get_mut(usize::from(id.0))
            .and_then(Option::as_mut);
        listener.expect("a listener of this driver")
    }
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};
    use std::time::Instant;

    use super::*;
    use crate::driver::Driver;
    use crate::uring::UringConfig;

    fn driver() -> UringDriver<()> {
        let config = UringConfig {
            connections_max: 4,
            send_buffers: 1,
            receive_buffers: 1,
            receive_buffer_bytes: 4096,
            sq_entries: 8,
            regions: None,
            epoch: Instant::now(),
        };
        UringDriver::new(config).expect("io_uring works on a build machine")
    }

    /// Shows that a number which comes again before its close has been heard of is closed first, and
    /// once.
    #[test]
    fn closed_comes_before_accepted() {
        let mut driver = driver();
        let mut out = Vec::new();
        let (conn, None) = driver.connections.open_direct(3) else {
            panic!("it was free")
        };
        driver.close_submitted(conn, Token(7));
        assert_eq!(driver.accepted_direct(3, &mut out), conn);
        assert!(matches!(
            out[..],
            [Completion {
                token: Token(7),
                event: Event::Closed
            }]
        ));
        // The close itself, of an index that the kernel does not know, completes with an error.
        let until = driver.now();
        driver.turn(Some(until), &mut out).expect("a turn");
        assert_eq!(out.len(), 1, "told once");
        driver.connections.assert_idle(conn);
        assert_eq!(driver.operations.len(), 0);
    }

    /// Shows that where direct descriptors cannot be had, a listener that asks for them works with
    /// plain ones.
    #[test]
    fn without_direct_descriptors_plain_ones_are_used() {
        let mut driver = driver();
        driver.direct_supported = false;
        let socket = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = socket.local_addr().expect("it is bound");
        let listener = driver
            .add_listener(socket.into(), Descriptors::Direct)
            .expect("a socket");
        driver.accept(listener, Token(1));
        let client = TcpStream::connect(address).expect("it listens");
        let mut out = Vec::new();
        driver.turn(None, &mut out).expect("a turn");
        let Some(Completion {
            event: Event::Accepted(conn),
            ..
        }) = out.pop()
        else {
            panic!("a connection was expected")
        };
        assert_eq!(
            driver.peer(conn),
            client.local_addr().ok(),
            "only a plain one knows its peer"
        );
    }
}
