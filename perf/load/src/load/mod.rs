//! All viewers of a load, on one epoll.
//!
//! [`Load::open`] connects them and lets each have one response; [`Load::run`] goes on at the
//! load's pace for a time, as often as one likes; [`Load::take_counts`] says what came since it
//! was last asked; [`Load::finish`] lets what was asked come, and makes sure that nothing else
//! does.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io;
use std::time::{Duration, Instant};

use crate::channel::{Room, is_wrong};
use crate::poll::{Poll, Ready, Wait};
use crate::sizes::Sizes;
use crate::viewer::{Phase, Viewer};
use crate::{Counts, LoadError, Pace, Spec};

mod finish;
mod open;
mod run;

/// Waiting for sockets is never longer than this, so that ends of phases are seen.
const TURN_MAX: Duration = Duration::from_millis(100);

/// A load under way.
pub struct Load {
    spec: Spec,
    poll: Poll,
    viewers: Vec<Viewer>,
    room: Room,
    counts: Counts,
    /// What responses take on the wire.
    sizes: Sizes,
    /// When viewers ask next, soonest first ([`Pace::Every`]).
    due: BinaryHeap<Reverse<(Instant, usize)>>,
    ready: Vec<Ready>,
    /// Inside [`Load::run`]: viewers of a closed loop ask again.
    running: bool,
}

impl Load {
    /// What came since this was last called, or since the load was opened.
    pub fn take_counts(&mut self) -> Counts {
        std::mem::take(&mut self.counts)
    }

    /// Viewers whose connection has not broken.
    #[must_use]
    pub fn alive(&self) -> usize {
        let alive = |viewer: &&Viewer| viewer.phase != Phase::Broken;
        self.viewers.iter().filter(alive).count()
    }

    /// Body bytes for bytes on the wire, heads and seals taken off in proportion.
    #[must_use]
    pub fn body_bytes(&self, wire_bytes: u64) -> f64 {
        let size = self.spec.objects.size() as f64;
        self.sizes
            .mean()
            .map_or(0.0, |each| wire_bytes as f64 * size / each)
    }

    /// One turn: waits for sockets until `until` at most, and goes on with those that can.
    fn turn(&mut self, until: Instant) -> Result<(), LoadError> {
        let patience = until.saturating_duration_since(Instant::now());
        let mut ready = std::mem::take(&mut self.ready);
        ready.clear();
        self.poll.wait(patience.min(TURN_MAX), &mut ready)?;
        for &event in &ready {
            if let Err(error) = self.go_on(event) {
                self.broke(event.token, error)?;
            }
        }
        self.ready = ready;
        Ok(())
    }

    /// Goes on with one viewer whose socket is ready.
    fn go_on(&mut self, event: Ready) -> io::Result<()> {
        let Some(viewer) = self.viewers.get_mut(event.token) else {
            return Ok(());
        };
        match viewer.phase {
            Phase::Connecting | Phase::Shaking => self.open_further(event),
            Phase::Waiting => self.receive(event),
            Phase::Idle => viewer.receive_nothing(&mut self.room),
            Phase::Stalled | Phase::Broken => Ok(()),
        }
    }

    fn receive(&mut self, event: Ready) -> io::Result<()> {
        let Some(viewer) = self.viewers.get_mut(event.token) else {
            return Ok(());
        };
        if event.writable && viewer.channel.wants_write() {
            viewer.channel.flush()?;
            self.watch(event.token)?;
            return Ok(());
        }
        let step = viewer.receive(&self.spec, &mut self.room, &mut self.sizes)?;
        self.counts.wire_bytes += step.wire_bytes;
        if step.began.is_none() && step.ended.is_none() {
            return Ok(());
        }
        let now = Instant::now();
        if let Some(due) = step.began {
            Counts::note(&mut self.counts.first_byte, now.duration_since(due));
        }
        if let Some(ended) = step.ended {
            Counts::note(&mut self.counts.last_byte, now.duration_since(ended.due));
            self.counts.responses += 1;
            self.counts.verified += u64::from(ended.compared);
            self.after_response(event.token, now)?;
        }
        Ok(())
    }

    /// Asks, for a request that was due at `due`.
    fn ask(&mut self, token: usize, due: Instant) -> io::Result<()> {
        let Some(viewer) = self.viewers.get_mut(token) else {
            return Ok(());
        };
        viewer.ask(&self.spec, due, &self.sizes)?;
        if viewer.channel.wants_write() {
            self.watch(token)?;
        }
        Ok(())
    }

    /// Waits for what the viewer's channel needs.
    fn watch(&self, token: usize) -> io::Result<()> {
        let channel = &self.viewers[token].channel;
        let wait = match channel.wants_write() {
            true => Wait::Writable,
            false => Wait::Readable,
        };
        let watched = self.poll.modify(channel.socket(), token, wait);
        watched.map_err(io::Error::other)
    }

    /// Deals with a viewer whose connection cannot go on.
    fn broke(&mut self, connection: usize, error: io::Error) -> Result<(), LoadError> {
        if is_wrong(&error) {
            let what = error.to_string();
            return Err(LoadError::Wrong { connection, what });
        }
        if !self.spec.may_break {
            return Err(LoadError::Broke { connection, error });
        }
        let viewer = &mut self.viewers[connection];
        viewer.phase = Phase::Broken;
        self.counts.broken += 1;
        self.counts.broken_how.get_or_insert(error.to_string());
        self.poll.remove(viewer.channel.socket())
    }

    fn too_slow(&self, what: &str, limit: Duration) -> LoadError {
        let doing = |phase| self.viewers.iter().filter(|v| v.phase == phase).count();
        let what = format!(
            "{what} ({} viewers: {} connecting, {} shaking hands, {} waiting)",
            self.viewers.len(),
            doing(Phase::Connecting),
            doing(Phase::Shaking),
            doing(Phase::Waiting)
        );
        LoadError::TooSlow { what, limit }
    }

    fn paced(&self) -> Option<Duration> {
        match self.spec.pace {
            Pace::Every(interval) => Some(interval),
            Pace::Closed | Pace::Once | Pace::Stalled => None,
        }
    }
}
