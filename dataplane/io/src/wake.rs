//! Ending a loop's wait from another thread.
//!
//! One word says what the loop does: `AWAKE`, `ASLEEP` in the kernel, or `NOTIFIED` (somebody has
//! called [`Waker::wake`] since the last look). Only the wake-up that finds the loop asleep pays for
//! a system call; any number of others before the loop's next look are one.
//!
//! No wake-up is lost: every change is a read-modify-write of the one word, so of `wake` and
//! `fall_asleep` one is first. If it is `wake`, `fall_asleep` fails and the loop does not wait; if
//! it is `fall_asleep`, `wake` sees `ASLEEP` and writes the eventfd, which the ring is reading.
//! The same word orders memory: what was written before `wake` is visible after `wake_up`.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

const AWAKE: u8 = 0;
const ASLEEP: u8 = 1;
const NOTIFIED: u8 = 2;

/// Wakes one loop. Clone it, send it anywhere; it may outlive the loop.
#[derive(Debug, Clone)]
pub struct Waker {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    state: AtomicU8,
    /// Absent under the simulated driver, whose loops never sleep in a kernel.
    eventfd: Option<OwnedFd>,
}

impl Waker {
    /// Makes the loop's current (or else its next) turn end without waiting any longer.
    pub fn wake(&self) {
        if self.shared.state.swap(NOTIFIED, Ordering::SeqCst) != ASLEEP {
            return;
        }
        if let Some(eventfd) = &self.shared.eventfd {
            // The counter is far from its limit (it is written once a sleep), so this cannot block;
            // and if the loop is gone, nobody is there to be told.
            let _ = rustix::io::write(eventfd, &1u64.to_ne_bytes());
        }
    }

    /// A waker whose loop sleeps in a read of `eventfd`.
    pub(crate) fn with_eventfd(eventfd: OwnedFd) -> Waker {
        Waker::from_parts(Some(eventfd))
    }

    /// A waker that only remembers that it was called, for a loop that never sleeps in a kernel.
    pub fn without_kernel() -> Waker {
        Waker::from_parts(None)
    }

    fn from_parts(eventfd: Option<OwnedFd>) -> Waker {
        let state = AtomicU8::new(AWAKE);
        Waker {
            shared: Arc::new(Shared { state, eventfd }),
        }
    }

    /// Called by the loop alone, just before it waits. False: there was a wake-up, do not wait.
    pub(crate) fn fall_asleep(&self) -> bool {
        self.shared
            .state
            .compare_exchange(AWAKE, ASLEEP, Ordering::SeqCst, Ordering::SeqCst)
            .is_ok()
    }

    /// Called by the loop alone, after it has waited or instead of it. True: there was a wake-up.
    pub(crate) fn wake_up(&self) -> bool {
        self.shared.state.swap(AWAKE, Ordering::SeqCst) == NOTIFIED
    }

    /// What the ring reads from while the loop sleeps.
    pub(crate) fn eventfd(&self) -> Option<BorrowedFd<'_>> {
        self.shared.eventfd.as_ref().map(AsFd::as_fd)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Shows that a wake-up before the sleep prevents it, and that it counts once.
    #[test]
    fn an_early_wake_up_prevents_the_sleep() {
        let waker = Waker::without_kernel();
        waker.wake();
        waker.wake();
        assert!(!waker.fall_asleep());
        assert!(waker.wake_up());
        assert!(waker.fall_asleep());
        assert!(!waker.wake_up());
    }

    /// Shows that only the wake-up that finds the loop asleep writes the eventfd.
    #[test]
    fn wake_ups_of_one_sleep_are_one_write() {
        use rustix::event::{EventfdFlags, eventfd};
        let waker = Waker::with_eventfd(
            eventfd(0, EventfdFlags::NONBLOCK).expect("an eventfd can be made"),
        );
        let written = |waker: &Waker| {
            let mut count = [0; 8];
            let fd = waker.eventfd().expect("it was made with one");
            rustix::io::read(fd, &mut count).map(|_| u64::from_ne_bytes(count))
        };
        waker.wake();
        assert_eq!(written(&waker), Err(rustix::io::Errno::AGAIN));
        assert!(waker.wake_up() && waker.fall_asleep());
        waker.wake();
        waker.wake();
        assert_eq!(written(&waker), Ok(1));
        assert!(waker.wake_up());
    }
}
