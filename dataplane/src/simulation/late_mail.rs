//! Mail that is under way: what a loop was told reaches it later than all else that it hears.
//!
//! A stalled loop hears everything late and does nothing; one whose mail is late goes on with its
//! peers meanwhile, which brings other orders of events about.

use std::time::Duration;

use zonecast_io::Time;

use super::Simulation;

/// Until when each loop's mail is under way.
pub(super) struct LateMail {
    until: Vec<Option<Time>>,
}

impl LateMail {
    pub(super) fn of(loops: usize) -> Self {
        Self {
            until: vec![None; loops],
        }
    }
}

impl Simulation {
    /// Lets mail be late, or come; returns when the next comes.
    pub(super) fn delay_mail(&mut self) -> Time {
        let now = self.world.now();
        let mut soonest = Time(u64::MAX);
        for at in 0..self.late_mail.until.len() {
            match self.late_mail.until[at] {
                Some(until) if until <= now => {
                    self.late_mail.until[at] = None;
                    self.life.boxes[at].set_late(false);
                }
                None if self.config.late_mail > 0 => self.delay_mail_of(at),
                _ => {}
            }
            let until = self.late_mail.until[at];
            soonest = until.map_or(soonest, |until| soonest.min(until));
        }
        soonest
    }

    fn delay_mail_of(&mut self, at: usize) {
        let random = self.world.random();
        if random % 1000 >= u64::from(self.config.late_mail) {
            return;
        }
        let most = self.config.mail_delay_max.as_nanos() as u64;
        let delay = Duration::from_nanos((random >> 10) % most.max(1));
        self.late_mail.until[at] = Some(self.world.now() + delay);
        self.life.boxes[at].set_late(true);
        self.see("late mail");
    }

    /// From now on no mail is late any more.
    pub fn end_late_mail(&mut self) {
        self.config.late_mail = 0;
    }
}
