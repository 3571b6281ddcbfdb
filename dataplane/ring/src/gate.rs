//! The gate between readers and the reuse of their bytes: who may pass, decided without
//! a lock.
//!
//! It is the order of hazard pointers (Michael, "Hazard Pointers: Safe Memory Reclamation
//! for Lock-Free Objects", 2004), with a count in place of a pointer:
//!
//! | reader                              | owner                               |
//! |-------------------------------------|-------------------------------------|
//! | 1. count the lease in its own row   | 1. write "revoked" into the state   |
//! | 2. `fence(SeqCst)`                  | 2. `fence(SeqCst)`                  |
//! | 3. read the state: still readable?  | 3. read the counts: all zero?       |
//!
//! The two fences have an order. If the reader's is first, the owner's step 3 sees the
//! count and the chunk is not quiet; if the owner's is first, the reader's step 3 sees the
//! revocation and the lease is refused. Never do both sides go ahead. The fences are
//! explicit because a SeqCst access alone orders only SeqCst accesses among themselves, and
//! the model checker gives it no more than acquire and release.
//!
//! Giving a lease back is a release store, which the owner's acquire load of zero pairs
//! with: all reads under the lease come before any write of the reuse.
//!
//! Each count has a single writer, the loop whose row it is in, so that it needs no
//! read-modify-write, and no cache line is shared by two loops that take leases.

use crate::error::Lapped;
use crate::state::{Phase, State};
use crate::sync::{AtomicU32, AtomicU64, Ordering, fence};

/// Reader, steps 1 and 2. Only the loop whose row `count` is in may call this.
pub(crate) fn announce(count: &AtomicU32) {
    let held = count.load(Ordering::Relaxed);
    let more = held.checked_add(1).expect("fewer leases than 2^32");
    count.store(more, Ordering::Relaxed);
    // With a lease held already, the slot cannot be reused until this loop's count is zero
    // again, whoever is first: the fence that the first lease paid covers this one.
    if held == 0 {
        fence(Ordering::SeqCst);
    }
}

/// Reader, step 3.
pub(crate) fn admitted(state: &AtomicU64, sequence: u64) -> Result<(), Lapped> {
    let now = State::unpack(state.load(Ordering::Acquire));
    readable(now, sequence).map(|_| ())
}

/// Whether the chunk may be read in this state of its slot, and whether it is complete.
pub(crate) fn readable(now: State, sequence: u64) -> Result<bool, Lapped> {
    if now.sequence != sequence {
        return Err(Lapped::Overwritten);
    }
    match now.phase {
        Phase::Open => Ok(false),
        Phase::Complete => Ok(true),
        Phase::Aborted => Err(Lapped::Aborted),
        Phase::Free | Phase::Revoked => Err(Lapped::Overwritten),
    }
}

/// Ends a lease, or the attempt at one. Only the loop whose row `count` is in may call this.
pub(crate) fn give_back(count: &AtomicU32) {
    let held = count.load(Ordering::Relaxed);
    let fewer = held.checked_sub(1).expect("a lease was counted");
    count.store(fewer, Ordering::Release);
}

/// All of the reader's side: after `Ok` the slot's bytes stay until [`give_back`].
pub(crate) fn lease(state: &AtomicU64, count: &AtomicU32, sequence: u64) -> Result<(), Lapped> {
    announce(count);
    admitted(state, sequence).inspect_err(|_| give_back(count))
}

/// Owner, steps 1 and 2: no new lease on what is in the slot.
pub(crate) fn revoke(state: &AtomicU64, revoked: State) {
    debug_assert!(matches!(revoked.phase, Phase::Revoked | Phase::Aborted));
    state.store(revoked.pack(), Ordering::Release);
    fence(Ordering::SeqCst);
}

/// Owner, step 3, of one loop: whether it holds no lease. An answer of `true` is final only
/// after [`revoke`]; before, it is a guess.
pub(crate) fn idle(count: &AtomicU32) -> bool {
    count.load(Ordering::Acquire) == 0
}
