//! One turn: give back, submit, wait, reap.
//!
//! In the steady state that is one `io_uring_enter`, which submits and waits at once; none at all
//! where there is nothing to submit and something to reap.

use std::io;

use io_uring::{cqueue, opcode, types};
use std::os::fd::AsRawFd;

use crate::driver::{Completion, Event, OpId, Time};

use super::UringDriver;
use super::operations::{Operation, UNOBSERVED, WAKE};

/// Completions of one turn at most, besides those that hand buffers back; the rest waits for the
/// next, which does not sleep then.
const REAPED_MAX: usize = 32;
/// The same while bursts are sent: the next one finds its buffer back, and still in the CPU's caches.
const REAPED_IN_BURSTS_MAX: usize = 4;

impl<H> UringDriver<H> {
    pub(super) fn turn_until(
        &mut self,
        until: Option<Time>,
        out: &mut Vec<Completion<H>>,
    ) -> io::Result<()> {
        self.turns += 1;
        self.queued = 0;
        let until = self.tend_lent(until);
        let most = match std::mem::take(&mut self.burst) {
            true => REAPED_IN_BURSTS_MAX,
            false => REAPED_MAX,
        };
        let before = out.len();
        out.append(&mut self.ready);
        loop {
            self.refill();
            self.arm_wake();
            let expired = until.is_some_and(|until| until <= self.clock.read());
            let idle = out.len() == before
                && !expired
                && !self.can_refill()
                && self.later.is_empty()
                && !self.queue.has_completions();
            let entered = self.enter(until, idle);
            let woken = self.waker.wake_up();
            entered?;
            self.reap(out);
            self.hand_out(most, out);
            if out.len() > before || woken || expired {
                break;
            }
        }
        self.clock.read();
        Ok(())
    }

    /// Submits, and where the loop is idle and nobody has woken it, waits.
    fn enter(&mut self, until: Option<Time>, idle: bool) -> io::Result<()> {
        if idle && self.waker.fall_asleep() {
            let limit = until.map(|until| until - self.clock.now());
            self.queue.submit_and_wait(limit)
        } else if self.queue.has_work() {
            self.queue.submit()
        } else {
            Ok(())
        }
    }

    /// Keeps a read of the eventfd in flight, so that a wake-up ends the wait.
    fn arm_wake(&mut self) {
        if self.wake_armed {
            return;
        }
        let Some(eventfd) = self.waker.eventfd() else {
            return;
        };
        let count = self.wake_memory.start().as_ptr();
        let length = size_of::<u64>() as u32;
        let read = opcode::Read::new(types::Fd(eventfd.as_raw_fd()), count, length);
        let entry = read.build().user_data(WAKE);
        // SAFETY: `wake_memory` has `length` bytes that nobody else touches, and lives as long as
        // the driver, whose teardown waits for this read or leaks the memory.
        unsafe { self.queue.push(entry) };
        self.wake_armed = true;
    }

    /// Takes what hands a buffer back to where it belongs; the rest is for [`Self::hand_out`].
    pub(super) fn reap(&mut self, out: &mut Vec<Completion<H>>) {
        let mut reaped = std::mem::take(&mut self.reaped);
        self.queue.reap(&mut reaped);
        for entry in reaped.drain(..) {
            match entry.user_data() {
                WAKE => self.wake_armed = false,
                UNOBSERVED => {}
                user_data => self.done_or_later(OpId::from_user_data(user_data), entry, out),
            }
        }
        self.reaped = reaped;
    }

    /// Takes at most `most` completions to where they belong, oldest first.
    pub(super) fn hand_out(&mut self, most: usize, out: &mut Vec<Completion<H>>) {
        for _ in 0..most {
            let Some(entry) = self.later.pop_front() else {
                break;
            };
            self.done(OpId::from_user_data(entry.user_data()), &entry, out);
        }
    }

    fn done_or_later(&mut self, id: OpId, entry: cqueue::Entry, out: &mut Vec<Completion<H>>) {
        // Not when it is handed out: until then the kernel does not have the buffer either, and
        // receives that waited for it would be tried in vain, turn by turn.
        if cqueue::buffer_select(entry.flags()).is_some() {
            self.receive_ring.picked();
        }
        match self.operations.get_mut(id) {
            Some(Operation::Send { .. } | Operation::ReceiveInto { .. }) => {
                self.done(id, &entry, out);
            }
            _ => self.later.push_back(entry),
        }
    }

    fn done(&mut self, id: OpId, entry: &cqueue::Entry, out: &mut Vec<Completion<H>>) {
        match self
            .operations
            .get_mut(id)
            .expect("the kernel completes what is in flight")
        {
            Operation::Accept { .. } => self.accept_done(id, entry, out),
            Operation::Receive { conn, .. } => {
                let conn = *conn;
                self.receive_done(id, conn, entry, out);
            }
            Operation::ReceiveInto { .. } => self.receive_into_done(id, entry, out),
            Operation::Send { .. } => self.send_done(id, entry, out),
            Operation::Writable { conn } => {
                let conn = *conn;
                let event = Event::Writable(bytes(entry.result()).map(|_| ()));
                self.plain_done(id, conn, event, out);
            }
            Operation::SealInKernel { .. } => self.handover_done(id, entry, out),
            Operation::Record { conn, .. } => {
                let conn = *conn;
                let result = bytes(entry.result());
                self.copying_ended(conn, &result);
                let event = Event::RecordSent(result.map(|_| ()));
                self.plain_done(id, conn, event, out);
            }
            Operation::Shutdown { conn } => {
                let conn = *conn;
                let event = Event::Shutdown(bytes(entry.result()).map(|_| ()));
                self.plain_done(id, conn, event, out);
            }
            Operation::Close { .. } => self.close_done(id, out),
        }
    }
}

/// A completion's result as a count or an error.
pub(super) fn bytes(result: i32) -> io::Result<usize> {
    usize::try_from(result).map_err(|_| io::Error::from_raw_os_error(-result))
}
