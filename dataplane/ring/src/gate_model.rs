//! The model checker on the gate alone: every order of its steps, and every value that the
//! memory model lets a load see.
//!
//! One reader takes leases on the first chunk of a slot; the owner revokes it and, when it
//! is quiet, writes the second one over it. The payload is a cell that the checker watches:
//! a read and a write of it that are not ordered are an error. Each way of getting the
//! gate wrong is run too, and must be caught, or the model would prove nothing.

use std::panic::{AssertUnwindSafe, catch_unwind};

use loom::cell::UnsafeCell;
use loom::sync::Arc;
use loom::thread;

use crate::error::Lapped;
use crate::gate;
use crate::state::{Phase, State};
use crate::sync::{AtomicU32, AtomicU64, Ordering};

struct Slot {
    state: AtomicU64,
    count: AtomicU32,
    /// The sequence of the chunk that is really there.
    payload: UnsafeCell<u64>,
}

/// The steps of the gate, right or wrong.
#[derive(Clone, Copy)]
struct Steps {
    lease: fn(&Slot) -> Result<(), Lapped>,
    give_back: fn(&Slot),
    /// Revokes, and says whether the slot is quiet.
    reuse: fn(&Slot) -> bool,
}

const RIGHT: Steps = Steps {
    lease: |slot| gate::lease(&slot.state, &slot.count, 1),
    give_back: |slot| gate::give_back(&slot.count),
    reuse: |slot| {
        gate::revoke(&slot.state, word(1, Phase::Revoked));
        gate::idle(&slot.count)
    },
};

fn word(sequence: u64, phase: Phase) -> State {
    State { sequence, phase }
}

/// The reader takes a lease, and a second one under it, as viewers of one loop do, and then
/// one more with none held.
fn read(slot: &Slot, steps: Steps) {
    let check = || {
        // SAFETY: loom's cell reports an access that is not ordered before it happens.
        let there = slot.payload.with(|payload| unsafe { *payload });
        assert_eq!(there, 1, "another chunk's bytes under a lease");
    };
    if (steps.lease)(slot).is_ok() {
        check();
        if (steps.lease)(slot).is_ok() {
            (steps.give_back)(slot);
        }
        check();
        (steps.give_back)(slot);
    }
    if (steps.lease)(slot).is_ok() {
        check();
        (steps.give_back)(slot);
    }
}

/// The owner tries twice to reuse the slot.
fn reuse(slot: &Slot, steps: Steps) -> bool {
    for _ in 0..2 {
        if (steps.reuse)(slot) {
            // SAFETY: as in `read`.
            slot.payload.with_mut(|payload| unsafe { *payload = 2 });
            let open = word(2, Phase::Open).pack();
            slot.state.store(open, Ordering::Release);
            return true;
        }
    }
    false
}

fn model(steps: Steps) {
    loom::model(move || {
        let slot = Arc::new(Slot {
            state: AtomicU64::new(word(1, Phase::Complete).pack()),
            count: AtomicU32::new(0),
            payload: UnsafeCell::new(1),
        });
        let reader = {
            let slot = Arc::clone(&slot);
            thread::spawn(move || read(&slot, steps))
        };
        let reused = reuse(&slot, steps);
        reader.join().expect("the reader does not panic");
        // When all is given back, the slot is quiet, and a stale name stays refused.
        assert!(reused || gate::idle(&slot.count));
        assert!((steps.lease)(&slot).is_err());
    });
}

/// Whether the checker finds an execution in which these steps go wrong.
fn is_caught(steps: Steps) -> bool {
    catch_unwind(AssertUnwindSafe(|| model(steps))).is_err()
}

/// In no order does a reader see another chunk's bytes, or race with the owner's write.
#[test]
fn a_lease_keeps_the_bytes() {
    model(RIGHT);
}

/// Looking before counting: the owner may reuse the slot in between.
#[test]
fn a_lease_counted_after_the_look_is_caught() {
    let lease = |slot: &Slot| {
        gate::admitted(&slot.state, 1)?;
        gate::announce(&slot.count);
        Ok(())
    };
    assert!(is_caught(Steps { lease, ..RIGHT }));
}

/// Counting without a fence: the count may become visible after the look.
#[test]
fn a_lease_without_its_fence_is_caught() {
    let lease = |slot: &Slot| {
        let held = slot.count.load(Ordering::Relaxed);
        slot.count.store(held + 1, Ordering::Relaxed);
        gate::admitted(&slot.state, 1).inspect_err(|_| gate::give_back(&slot.count))
    };
    assert!(is_caught(Steps { lease, ..RIGHT }));
}

/// Looking at the counts before revoking: a reader may come in between.
#[test]
fn a_look_before_the_revocation_is_caught() {
    let reuse = |slot: &Slot| {
        let idle = gate::idle(&slot.count);
        gate::revoke(&slot.state, word(1, Phase::Revoked));
        idle
    };
    assert!(is_caught(Steps { reuse, ..RIGHT }));
}

/// Revoking without a fence: the revocation may become visible after the look.
#[test]
fn a_revocation_without_its_fence_is_caught() {
    let reuse = |slot: &Slot| {
        let revoked = word(1, Phase::Revoked).pack();
        slot.state.store(revoked, Ordering::Release);
        gate::idle(&slot.count)
    };
    assert!(is_caught(Steps { reuse, ..RIGHT }));
}

/// Giving back without release: the last reads may come after the reuse.
#[test]
fn a_lease_given_back_without_release_is_caught() {
    let give_back = |slot: &Slot| {
        let held = slot.count.load(Ordering::Relaxed);
        slot.count.store(held - 1, Ordering::Relaxed);
    };
    assert!(is_caught(Steps { give_back, ..RIGHT }));
}
