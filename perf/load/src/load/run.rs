//! Running at the load's pace.

use std::cmp::Reverse;
use std::io;
use std::time::{Duration, Instant};

use super::Load;
use crate::viewer::Phase;
use crate::{LoadError, Pace};

impl Load {
    /// Goes on for a time. Requests that are under way when it ends go on when it is called
    /// again.
    ///
    /// # Errors
    /// See [`LoadError`].
    pub fn run(&mut self, lasting: Duration) -> Result<(), LoadError> {
        let began = Instant::now();
        let end = began + lasting;
        self.running = true;
        self.start_pace(began)?;
        loop {
            let now = Instant::now();
            if now >= end {
                self.running = false;
                return Ok(());
            }
            let soonest = self.ask_what_is_due(now)?;
            self.turn(soonest.map_or(end, |soonest| soonest.min(end)))?;
        }
    }

    /// Lets viewers that wait for nothing begin, each in its way.
    fn start_pace(&mut self, now: Instant) -> Result<(), LoadError> {
        match self.spec.pace {
            Pace::Closed => {
                for token in 0..self.viewers.len() {
                    if self.viewers[token].phase == Phase::Idle {
                        self.try_ask(token, now)?;
                    }
                }
            }
            Pace::Every(interval) if self.due.is_empty() => {
                let count = self.viewers.len().max(1) as u32;
                let step = interval / count;
                let first = (0..count).map(|n| Reverse((now + step * n, n as usize)));
                self.due.extend(first);
            }
            Pace::Every(_) | Pace::Once | Pace::Stalled => {}
        }
        Ok(())
    }

    /// Asks for what should be asked by now; returns when something is due next.
    fn ask_what_is_due(&mut self, now: Instant) -> Result<Option<Instant>, LoadError> {
        let Some(interval) = self.paced() else {
            return Ok(None);
        };
        while let Some(&Reverse((due, token))) = self.due.peek() {
            if due > now {
                return Ok(Some(due));
            }
            self.due.pop();
            self.due.push(Reverse((due + interval, token)));
            let viewer = &mut self.viewers[token];
            match viewer.phase {
                Phase::Idle => self.try_ask(token, due)?,
                Phase::Broken => self.counts.missed += 1,
                _ if viewer.owed.is_some() => self.counts.missed += 1,
                _ => {
                    viewer.owed = Some(due);
                    self.counts.behind += 1;
                }
            }
        }
        Ok(None)
    }

    fn try_ask(&mut self, token: usize, due: Instant) -> Result<(), LoadError> {
        match self.ask(token, due) {
            Ok(()) => Ok(()),
            Err(error) => self.broke(token, error),
        }
    }

    /// What a viewer does that has a whole response.
    pub(super) fn after_response(&mut self, token: usize, now: Instant) -> io::Result<()> {
        let viewer = &mut self.viewers[token];
        match self.spec.pace {
            Pace::Closed if self.running => self.ask(token, now),
            Pace::Every(_) => match viewer.owed.take() {
                Some(due) => self.ask(token, due),
                None => Ok(()),
            },
            Pace::Closed | Pace::Once | Pace::Stalled => Ok(()),
        }
    }
}
