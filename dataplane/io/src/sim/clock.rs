//! The virtual clock: when it moves, how far, and who is to be turned then.

use std::time::Duration;

use crate::driver::Time;

use super::world::World;

/// A step takes at least this long, so that time passes for a loop that is never idle.
const TICK: Duration = Duration::from_micros(10);

impl World {
    /// See [`super::SimWorld::step_until`].
    pub(super) fn step_until(&mut self, limit: Time) -> Option<Vec<usize>> {
        let soonest = self.soonest().filter(|soonest| *soonest < limit);
        if self.now >= limit || soonest.is_none() {
            if limit != Time(u64::MAX) {
                self.advance_to(limit);
            }
            return None;
        }
        let mut to = soonest?.max(self.now + TICK).min(limit);
        if self.strikes(self.faults.time_jumps, "time jump") {
            let max = self.faults.time_jump_max;
            let leap = self.random.duration(Duration::ZERO, max);
            self.leapt += leap;
            to = to + leap;
        }
        self.advance_to(to);
        Some(self.order())
    }

    /// Moves the clock, and lets everything happen on the way, each at its time.
    pub(super) fn advance_to(&mut self, to: Time) {
        while let Some(due) = self.next_event().filter(|due| *due <= to) {
            self.now = self.now.max(due);
            self.settle();
        }
        self.now = self.now.max(to);
    }

    /// When something can happen next; now, where a loop can run. `None`: never.
    fn soonest(&mut self) -> Option<Time> {
        let mut soonest = self.next_event();
        for at in 0..self.sides.len() {
            let side = &mut self.sides[at];
            if !side.alive {
                continue;
            }
            let wakes = if side.is_runnable(self.now) {
                Some(self.now)
            } else if side.stalled_until > self.now {
                Some(side.stalled_until)
            } else {
                side.until
            };
            soonest = soonest.into_iter().chain(wakes).min();
        }
        soonest
    }

    /// The loops that have something to do, in an order of the seed's; it may leave some waiting.
    fn order(&mut self) -> Vec<usize> {
        let mut order = Vec::new();
        for at in 0..self.sides.len() {
            if !self.sides[at].is_runnable(self.now) {
                continue;
            }
            let stall = self.delay(self.faults.stalls, "stalled loop");
            if stall > Duration::ZERO {
                self.sides[at].stalled_until = self.now + stall;
                self.log
                    .record(self.now, "stalled", at, 0, stall.as_micros() as i64);
            } else {
                order.push(at);
            }
        }
        self.random.shuffle(&mut order);
        order
    }
}
