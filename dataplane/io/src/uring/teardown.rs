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

const DRAIN_MAX: Duration = Duration::from_millis(if cfg!(test) { 200 } else { 5000 });
const DRAIN_STEP: Duration = Duration::from_millis(20);

impl<H> Drop for UringDriver<H> {
    fn drop(&mut self) {
        if let Some(lender) = self.lender.take() {
            lender.leak();
        }
        let drained = self.drain(Instant::now() + DRAIN_MAX);
        if !(drained && self.receive_ring.unregister(self.queue.ring()).is_ok()) {
            self.leak();
        }
        self.queue.release_files();
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
            self.hand_out(usize::MAX, &mut ended);
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

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use zonecast_numa::{RegionId, Span};

    use super::*;
    use crate::driver::{Conn, Outgoing, Token};
    use crate::uring::UringConfig;
    use crate::uring::operations::Operation;

    fn driver<H>() -> UringDriver<H> {
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

    /// Shows that an operation which the kernel never completes keeps what it owns for ever.
    #[test]
    fn what_the_kernel_keeps_is_never_freed() {
        let mut driver = driver();
        let lease = Rc::new(());
        let (region, offset, len) = (RegionId(0), 0, 1);
        let span = Span {
            region,
            offset,
            len,
        };
        let outgoing = Outgoing::Span {
            span,
            hold: Rc::clone(&lease),
        };
        let conn = Conn(0);
        // It is in the slab, and the kernel has never heard of it.
        driver
            .operations
            .insert(Token(1), Operation::Send { conn, outgoing });
        drop(driver);
        assert_eq!(Rc::strong_count(&lease), 2);
    }

    /// Shows that a driver with nothing but its own read of the eventfd ends at once.
    #[test]
    fn an_idle_driver_ends_at_once() {
        let mut driver = driver::<()>();
        let until = driver.clock.now();
        driver
            .turn_until(Some(until), &mut Vec::new())
            .expect("a turn");
        assert!(driver.wake_armed);
        assert!(driver.drain(Instant::now() + Duration::from_millis(150)));
    }
}
