//! Closing a connection: in order, or with a reset.
//!
//! A reset is a close with a linger time of zero (`tcp_close` in net/ipv4/tcp.c). On a direct
//! descriptor the option is set by a socket command (Linux 6.7) linked before the close.

use std::time::Duration;

use io_uring::{opcode, squeue, types};
use rustix::net::sockopt::set_socket_linger;

use crate::driver::{Completion, Conn, Event, OpId, Token};

use super::UringDriver;
use super::connections::{Target, on_target};
use super::operations::{Operation, UNOBSERVED};

/// What the kernel reads when it sets the option: on, zero seconds. It lives as long as the process.
static NO_LINGER: libc::linger = libc::linger {
    l_onoff: 1,
    l_linger: 0,
};

/// The entry that sets a linger time of zero on a socket.
pub(super) fn no_linger_entry(target: Target) -> squeue::Entry {
    let value = (&raw const NO_LINGER).cast();
    let length = size_of::<libc::linger>() as u32;
    let (level, option) = (libc::SOL_SOCKET as u32, libc::SO_LINGER as u32);
    on_target!(target, fd => opcode::SetSockOpt::new(fd, level, option, value, length).build())
        .user_data(UNOBSERVED)
}

impl<H> UringDriver<H> {
    pub(super) fn close_submitted(&mut self, conn: Conn, token: Token) {
        self.connections.assert_idle(conn);
        let operation = Operation::Close {
            conn,
            reported: false,
        };
        let id = self.operations.insert(token, operation);
        let entry = match self.connections.begin_close(conn, id) {
            Target::Direct(index) => opcode::Close::new(types::Fixed(index)).build(),
            Target::Plain(descriptor) => opcode::Close::new(types::Fd(descriptor)).build(),
        };
        // SAFETY: the entry points at no memory, and what it closes has left the table.
        unsafe { self.queue.push(entry.user_data(id.to_user_data())) };
    }

    pub(super) fn abort_submitted(&mut self, conn: Conn, token: Token) {
        self.connections.assert_idle(conn);
        self.stop_waiting_to_close(conn);
        if let Some(descriptor) = self.connections.descriptor(conn) {
            // It fails only on what is no socket, which a connection always is.
            let _ = set_socket_linger(descriptor, Some(Duration::ZERO));
        } else {
            let option = no_linger_entry(Target::Direct(conn.0));
            // SAFETY: the entry points at a static. The link orders it before the close, which
            // takes place whether or not the option could be set.
            unsafe { self.queue.push(option.flags(squeue::Flags::IO_HARDLINK)) };
        }
        self.close_submitted(conn, token);
    }

    /// A close has no result worth knowing: whatever it says, the descriptor is gone.
    pub(super) fn close_done(&mut self, id: OpId, out: &mut Vec<Completion<H>>) {
        let (token, Operation::Close { conn, reported }) = self.operations.remove(id) else {
            unreachable!("the caller has seen that it is a close")
        };
        if reported {
            return;
        }
        self.connections.end_close(conn);
        self.lending_ended(conn);
        out.push(Completion {
            token,
            event: Event::Closed,
        });
    }
}
