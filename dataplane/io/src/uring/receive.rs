//! Receiving: into a buffer that the kernel picks when something comes, or into one of the caller's.
//!
//! The first kind polls before it picks, so that an idle connection holds no buffer. When all are
//! taken it fails with ENOBUFS; it then waits in `starved` and is submitted again, oldest first, at
//! most as many at a time as there are buffers.

use std::io;
use std::ptr;

use io_uring::{cqueue, opcode, squeue};

use crate::driver::{Completion, Conn, Event, OpId, Token};
use crate::pool::{Buffer, Received};

use super::buffer_ring;
use super::connections::on_target;
use super::operations::Operation;
use super::{UringDriver, bytes};

/// IORING_RECVSEND_POLL_FIRST: wait until the socket is readable before anything else.
const POLL_FIRST: u16 = 1;

impl<H> UringDriver<H> {
    pub(super) fn receive_submitted(&mut self, conn: Conn, token: Token) -> OpId {
        self.connections.begin(conn);
        let operation = Operation::Receive {
            conn,
            starved: false,
        };
        let id = self.operations.insert(token, operation);
        self.push_receive(conn, id);
        id
    }

    fn push_receive(&mut self, conn: Conn, id: OpId) {
        let entry = on_target!(self.connections.target(conn), fd => {
            opcode::Recv::new(fd, ptr::null_mut(), 0)
                .ioprio(POLL_FIRST)
                .buf_group(buffer_ring::GROUP)
                .build()
        });
        let entry = entry
            .flags(squeue::Flags::BUFFER_SELECT)
            .user_data(id.to_user_data());
        // SAFETY: the entry points at no memory; what it draws on is the registered buffer ring.
        unsafe { self.queue.push(entry) };
    }

    pub(super) fn receive_done(
        &mut self,
        id: OpId,
        conn: Conn,
        entry: &cqueue::Entry,
        out: &mut Vec<Completion<H>>,
    ) {
        let slot = cqueue::buffer_select(entry.flags()).map(|index| self.receive_ring.taken(index));
        if entry.result() == -libc::ENOBUFS {
            if let Some(Operation::Receive { starved, .. }) = self.operations.get_mut(id) {
                *starved = true;
            }
            self.starved.push_back(id);
            self.starved_count += 1;
            return;
        }
        let result = bytes(entry.result()).map(|len| match slot {
            Some(slot) if len > 0 => Received::new(slot, len),
            _ => Received::finished(),
        });
        let token = self.operations.remove(id).0;
        self.connections.end(conn);
        out.push(Completion {
            token,
            event: Event::Received(result),
        });
    }

    /// Gives buffers back to the kernel, and submits receives that waited for them.
    pub(super) fn refill(&mut self) {
        self.receive_ring.refill();
        let mut room = self.receive_ring.available();
        while room > 0 {
            let Some(id) = self.starved.pop_front() else {
                return;
            };
            let Some(Operation::Receive { conn, starved }) = self.operations.get_mut(id) else {
                // It was cancelled while it waited.
                continue;
            };
            *starved = false;
            let conn = *conn;
            self.push_receive(conn, id);
            room -= 1;
        }
    }

    /// Whether there are receives that wait although there are buffers.
    pub(super) fn can_refill(&self) -> bool {
        !self.starved.is_empty() && self.receive_ring.available() > 0
    }

    pub(super) fn receive_into_submitted(
        &mut self,
        conn: Conn,
        buffer: Buffer,
        at: usize,
        token: Token,
    ) -> OpId {
        assert!(at < buffer.len(), "{at} is inside the buffer");
        // SAFETY: `at` is inside the buffer, as just asserted.
        let address = unsafe { buffer.address().add(at) }.as_ptr();
        let length = (buffer.len() - at) as u32;
        let target = self.connections.begin(conn);
        let operation = Operation::ReceiveInto { conn, buffer };
        let id = self.operations.insert(token, operation);
        let entry = on_target!(target, fd => opcode::Recv::new(fd, address, length).build());
        // SAFETY: the buffer, with at least `length` bytes from `address` on, is in the slab until
        // the completion is reaped, and nobody reads it there.
        unsafe { self.queue.push(entry.user_data(id.to_user_data())) };
        id
    }

    pub(super) fn receive_into_done(
        &mut self,
        id: OpId,
        entry: &cqueue::Entry,
        out: &mut Vec<Completion<H>>,
    ) {
        let (token, Operation::ReceiveInto { conn, buffer }) = self.operations.remove(id) else {
            unreachable!("the caller has seen that it is a receive into a buffer")
        };
        self.connections.end(conn);
        let result: io::Result<usize> = bytes(entry.result());
        out.push(Completion {
            token,
            event: Event::ReceivedInto { result, buffer },
        });
    }
}
