//! The submission and completion queues: what goes to the kernel, and what comes back.
//!
//! Invariant: entries reach the kernel in the order in which they were pushed. Those that the
//! submission queue has no room for, even after a submission, wait in `backlog`.

use std::collections::VecDeque;
use std::io;
use std::time::Duration;

use io_uring::{IoUring, cqueue, squeue, types};

/// IORING_ENTER_GETEVENTS: run what the kernel has deferred to this thread.
const ENTER_GETEVENTS: u32 = 1;

/// How often in a row the kernel may be out of memory for our entries before the driver gives up.
const REFUSALS_MAX: u32 = 10_000;

/// The two queues of a ring, with their system call.
pub(super) struct Queue {
    ring: IoUring,
    backlog: VecDeque<squeue::Entry>,
    enters: u64,
    refusals: u32,
}

impl Queue {
    pub(super) fn new(ring: IoUring) -> Queue {
        let entries = ring.params().sq_entries() as usize;
        Queue {
            ring,
            backlog: VecDeque::with_capacity(entries),
            enters: 0,
            refusals: 0,
        }
    }

    pub(super) fn ring(&self) -> &IoUring {
        &self.ring
    }

    /// How many times the kernel was entered.
    pub(super) fn enters(&self) -> u64 {
        self.enters
    }

    /// Queues an entry for the next submission, or makes one where the queue is full.
    ///
    /// # Safety
    /// What the entry points at must stay valid, and for a receive unused, until its completion.
    pub(super) unsafe fn push(&mut self, entry: squeue::Entry) {
        self.flush_backlog();
        if self.backlog.is_empty() {
            if self.try_push(&entry) {
                return;
            }
            // What fails here fails again in the turn, which reports it.
            let _ = self.submit();
            if self.try_push(&entry) {
                return;
            }
        }
        self.backlog.push_back(entry);
    }

    /// Whether the kernel is to be entered even by a turn that does not wait: there is something to
    /// submit, or something that the kernel has deferred to this thread.
    pub(super) fn has_work(&mut self) -> bool {
        let submission = self.ring.submission();
        let deferred = submission.taskrun() || submission.cq_overflow();
        deferred || !submission.is_empty() || !self.backlog.is_empty()
    }

    /// Whether there are completions to reap without a system call.
    pub(super) fn has_completions(&mut self) -> bool {
        !self.ring.completion().is_empty()
    }

    /// Submits, runs deferred work, and does not wait.
    pub(super) fn submit(&mut self) -> io::Result<()> {
        loop {
            let queued = self.ring.submission().len() as u32;
            self.enters += 1;
            // SAFETY: a plain enter without argument; the entries are valid by `push`'s contract.
            let entered = unsafe {
                self.ring
                    .submitter()
                    .enter::<libc::sigset_t>(queued, 0, ENTER_GETEVENTS, None)
            };
            self.entered(entered)?;
            if !self.flush_backlog() {
                return Ok(());
            }
        }
    }

    /// Submits and waits for a completion, for `limit` at most (`None`: for ever). May come back
    /// early, and empty-handed.
    pub(super) fn submit_and_wait(&mut self, limit: Option<Duration>) -> io::Result<()> {
        if !self.backlog.is_empty() {
            // More entries than one submission takes: the last of them go along with the wait.
            self.submit()?;
        }
        let limit = limit.map(types::Timespec::from);
        let mut arguments = types::SubmitArgs::new();
        if let Some(limit) = &limit {
            arguments = arguments.timespec(limit);
        }
        self.enters += 1;
        let entered = self.ring.submitter().submit_with_args(1, &arguments);
        self.entered(entered)
    }

    /// Moves what has completed into `reaped`.
    pub(super) fn reap(&mut self, reaped: &mut Vec<cqueue::Entry>) {
        reaped.extend(self.ring.completion());
    }

    /// Closes the connections in the ring's file table now; after the ring itself is closed the kernel
    /// does it when it comes to it.
    pub(super) fn release_files(&self) {
        // It fails only where there is no table.
        let _ = self.ring.submitter().unregister_files();
    }

    /// Sorts out what the system call said. Neither a timeout nor a signal is an error, and a kernel
    /// that cannot take entries now (completions to be reaped first, no memory) is asked again.
    fn entered(&mut self, entered: io::Result<usize>) -> io::Result<()> {
        let Err(error) = entered else {
            self.refusals = 0;
            return Ok(());
        };
        match error.raw_os_error() {
            Some(libc::ETIME | libc::EINTR) => Ok(()),
            Some(libc::EBUSY | libc::EAGAIN) if self.refusals < REFUSALS_MAX => {
                self.refusals += 1;
                std::thread::yield_now();
                Ok(())
            }
            _ => Err(error),
        }
    }

    /// Moves entries from the backlog to the submission queue; true if any went.
    fn flush_backlog(&mut self) -> bool {
        let mut moved = false;
        while let Some(entry) = self.backlog.pop_front() {
            if !self.try_push(&entry) {
                self.backlog.push_front(entry);
                break;
            }
            moved = true;
        }
        moved
    }

    fn try_push(&mut self, entry: &squeue::Entry) -> bool {
        // SAFETY: the caller of `push` vouches for the entry.
        unsafe { self.ring.submission().push(entry) }.is_ok()
    }
}

#[cfg(test)]
mod tests {
    use io_uring::opcode;

    use super::*;

    /// Shows that entries which had to wait, because the kernel took none, go out in their order.
    #[test]
    fn the_backlog_keeps_its_order() {
        let mut queue = Queue::new(IoUring::new(4).expect("io_uring works on a build machine"));
        let nop = |number| opcode::Nop::new().build().user_data(number);
        queue.backlog.extend((0..20).map(nop));
        // SAFETY: a nop points at nothing.
        unsafe { queue.push(nop(20)) };
        assert!(queue.has_work());
        queue.submit_and_wait(None).expect("the kernel takes nops");
        let mut reaped = Vec::new();
        queue.reap(&mut reaped);
        while reaped.len() < 21 {
            queue.submit_and_wait(None).expect("the kernel takes nops");
            queue.reap(&mut reaped);
        }
        let order: Vec<u64> = reaped.iter().map(cqueue::Entry::user_data).collect();
        assert_eq!(order, (0..21).collect::<Vec<u64>>());
        assert!(!queue.has_work());
    }
}
