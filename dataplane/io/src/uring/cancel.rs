//! Ending an operation early.
//!
//! The kernel finds it by its `user_data`, and then it completes like any other. One that only
//! waits in the driver is completed here.

use std::io;

use io_uring::{opcode, squeue};

use crate::driver::{Completion, Event, OpId};

use super::UringDriver;
use super::operations::{Operation, UNOBSERVED};

impl<H> UringDriver<H> {
    pub(super) fn cancel_submitted(&mut self, id: OpId) {
        match self.operations.get_mut(id) {
            // It has completed, or it cannot be stopped.
            None | Some(Operation::Close { .. } | Operation::Shutdown { .. }) => {}
            Some(Operation::Receive { starved: true, .. }) => self.cancel_starved(id),
            Some(_) => self.push_cancel(id),
        }
    }

    /// Asks the kernel to end an operation.
    pub(super) fn push_cancel(&mut self, id: OpId) {
        let cancel = opcode::AsyncCancel::new(id.to_user_data()).build();
        let entry = cancel
            .flags(squeue::Flags::SKIP_SUCCESS)
            .user_data(UNOBSERVED);
        // SAFETY: the entry points at no memory.
        unsafe { self.queue.push(entry) };
    }

    /// Completes a receive that waits for a buffer. Its name stays in `starved`, where it is stale.
    pub(super) fn cancel_starved(&mut self, id: OpId) {
        let (token, Operation::Receive { conn, .. }) = self.operations.remove(id) else {
            unreachable!("the caller has seen that it is a receive")
        };
        self.connections.end(conn);
        let error = io::Error::from_raw_os_error(libc::ECANCELED);
        self.ready.push(Completion {
            token,
            event: Event::Received(Err(error)),
        });
    }
}
