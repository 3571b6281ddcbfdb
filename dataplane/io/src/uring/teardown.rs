//! The end of a driver: nothing that the kernel may still touch is freed.
//!
//! Everything is cancelled and reaped first. Should the kernel keep an operation beyond
//! `DRAIN_MAX` (which it does not for sockets, but nothing here depends on that), the memory that
//! operations own is leaked on purpose: a leak in a process that is about to end is harmless, a
//! write to freed memory is not.

use std::time::{Duration, Instant};

use io_uring::{opcode, types};

use super::UringDriver;
use super::operations::UNOBSERVED;

const DRAIN_MAX: Duration = Duration::from_secs(5);
const DRAIN_STEP: Duration = Duration::from_millis(20);

impl<H> Drop for UringDriver<H> {
    fn drop(&mut self) {
        let drained = self.drain(Instant::now() + DRAIN_MAX);
        if !(drained && self.receive_ring.unregister(self.queue.ring()).is_ok()) {
            self.leak();
        }
    }
}

impl<H> UringDriver<H> {
    /// Cancels and reaps until nothing is in flight; false if that is not so by `deadline`.
    fn drain(&mut self, deadline: Instant) -> bool {
        let mut ended = Vec::new();
        loop {
            while let Some(id) = self.starved.pop_front() {
                if self.operations.get_mut(id).is_some() {
                    self.cancel_starved(id);
                }
            }
            self.ready.clear();
            if self.operations.len() == 0 && !self.wake_armed {
                return true;
            }
            if Instant::now() >= deadline {
                return false;
            }
            let everything = types::CancelBuilder::any();
            let entry = opcode::AsyncCancel2::new(everything)
                .build()
                .user_data(UNOBSERVED);
            // SAFETY: the entry points at no memory.
            unsafe { self.queue.push(entry) };
            if self.queue.submit_and_wait(Some(DRAIN_STEP)).is_err() {
                return false;
            }
            self.reap(&mut ended);
            ended.clear();
        }
    }

    /// Keeps for ever whatever an operation in flight may point at.
    fn leak(&mut self) {
        std::mem::forget(self.operations.take_all());
        std::mem::forget(self.regions.take());
        std::mem::forget(self.wake_memory.clone());
        self.receive_ring.leak();
    }
}
