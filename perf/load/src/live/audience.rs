//! Live viewers on one thread: they arrive, follow, leave, and are counted.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::spec::{LiveSpec, Verify};
use super::tally::Tally;
use super::viewer::{Shared, Viewer, Who};
use crate::LoadError;
use crate::channel::Room;
use crate::poll::{Poll, Ready, Wait};

/// Waiting for sockets is never longer than this.
const TURN_MAX: Duration = Duration::from_millis(50);
/// Arrivals of one turn at most, so that those who are there are not kept waiting.
const ARRIVALS_PER_TURN: usize = 16;

/// See the module's description.
pub struct Audience {
    spec: Arc<LiveSpec>,
    began: Instant,
    poll: Poll,
    ready: Vec<Ready>,
    viewers: Vec<Option<Box<Viewer>>>,
    free: Vec<usize>,
    /// When somebody is to be looked at, soonest first.
    timers: BinaryHeap<Reverse<(Instant, usize)>>,
    /// Of each of the arrivals, who comes next.
    coming: Vec<u32>,
    /// This audience is one of so many, and takes every so-manieth viewer.
    share: (u32, u32),
    shared: Shared,
    /// Everybody that ever came.
    came: u64,
    churn_at: Option<Instant>,
    /// Where the next one to leave is looked for.
    churn_from: usize,
    /// The tracks as often as they are to be chosen.
    tracks: Vec<usize>,
}

impl Audience {
    /// An audience of nobody yet; time begins at `began`. `share` is (0, 1) for one thread, and
    /// (0, 2) and (1, 2) for two.
    ///
    /// # Errors
    /// The system has no epoll left.
    pub fn new(
        spec: Arc<LiveSpec>,
        began: Instant,
        share: (u32, u32),
    ) -> Result<Audience, LoadError> {
        let tracks = spec.media.tracks.iter().enumerate();
        let tracks = tracks.flat_map(|(n, track)| vec![n; track.weight as usize]);
        Ok(Audience {
            began,
            poll: Poll::new()?,
            ready: Vec::new(),
            viewers: Vec::new(),
            free: Vec::new(),
            timers: BinaryHeap::new(),
            coming: vec![share.0; spec.arrivals.len()],
            share: (share.0, share.1.max(1)),
            shared: Shared {
                room: Room::new(),
                tally: Tally::default(),
                hashes: HashMap::new(),
            },
            came: 0,
            churn_at: None,
            churn_from: 0,
            tracks: tracks.collect(),
            spec,
        })
    }

    /// Goes on until then.
    ///
    /// # Errors
    /// The system refuses something that is not one viewer's; what a viewer runs into is a
    /// fault in the tally.
    pub fn run(&mut self, until: Instant) -> Result<(), LoadError> {
        loop {
            let now = Instant::now();
            if now >= until {
                return Ok(());
            }
            let arrival = self.arrive(now)?;
            self.churn(now)?;
            let timer = self.tick(now)?;
            let times = [arrival, timer, self.churn_at].into_iter().flatten();
            let next = times.fold(until.min(now + TURN_MAX), Instant::min);
            let mut ready = std::mem::take(&mut self.ready);
            ready.clear();
            let patience = next.saturating_duration_since(Instant::now());
            self.poll.wait(patience, &mut ready)?;
            for &event in &ready {
                self.go_on(event)?;
            }
            self.ready = ready;
        }
    }

    /// What came since this was last called.
    pub fn take(&mut self) -> Tally {
        std::mem::take(&mut self.shared.tally)
    }

    /// Viewers that are there now.
    #[must_use]
    pub fn count(&self) -> usize {
        self.viewers.len() - self.free.len()
    }

    /// Lets those come whose time it is; when the next one comes.
    fn arrive(&mut self, now: Instant) -> Result<Option<Instant>, LoadError> {
        let mut next: Option<Instant> = None;
        for index in 0..self.coming.len() {
            let arrivals = self.spec.arrivals[index];
            for turn in 0.. {
                let one = self.coming[index];
                if one >= arrivals.count {
                    break;
                }
                let time = self.began + arrivals.time_of(one);
                if time > now || turn >= ARRIVALS_PER_TURN {
                    next = Some(next.map_or(time, |next| next.min(time)));
                    break;
                }
                self.coming[index] += self.share.1;
                self.welcome(time, now, arrivals.segments, arrivals.resumes(one))?;
            }
        }
        Ok(next)
    }

    fn welcome(
        &mut self,
        arrival: Instant,
        now: Instant,
        segments: Option<u32>,
        resumes: bool,
    ) -> Result<(), LoadError> {
        let number = self.came * u64::from(self.share.1) + u64::from(self.share.0);
        self.came += 1;
        let (Verify::Media(every) | Verify::Agreement(every)) = self.spec.verify;
        let from = &self.spec.from;
        let places = self.tracks.len().max(1) as u64;
        let slow = self.spec.slow / 100.0;
        let is_slow = |n: u64| (n as f64 * slow).floor() as u64;
        let who = Who {
            arrival,
            segments,
            resumes,
            slow: segments.is_none() && is_slow(number + 1) > is_slow(number),
            // Not in step with the tracks, so that each track is verified.
            verifies: (number / places + number % places).is_multiple_of(every.max(1) as u64),
            track: self.tracks[(number % places) as usize],
            from: (!from.is_empty()).then(|| from[number as usize % from.len()]),
        };
        let viewer = Viewer::new(&self.spec, who, now, &mut self.shared);
        let token = self.free.pop().unwrap_or_else(|| {
            self.viewers.push(None);
            self.viewers.len() - 1
        });
        self.viewers[token] = Some(Box::new(viewer));
        self.settle(token)
    }

    /// Lets one leave for another to come, where that is wanted.
    fn churn(&mut self, now: Instant) -> Result<(), LoadError> {
        let count = self.count();
        if self.spec.churn <= 0.0 || count == 0 {
            return Ok(());
        }
        let each = Duration::from_secs_f64(6000.0 / self.spec.churn / count as f64);
        let due = *self.churn_at.get_or_insert(now + each);
        if now < due {
            return Ok(());
        }
        self.churn_at = Some(due + each);
        let places = self.viewers.len();
        let stays = |token: &usize| self.viewers[*token].as_ref().is_some_and(|v| v.stays());
        let mut places = (self.churn_from..self.churn_from + places).map(|n| n % places);
        let Some(token) = places.find(stays) else {
            return Ok(());
        };
        self.churn_from = token + 1;
        if let Some(viewer) = &mut self.viewers[token] {
            viewer.leave();
            self.shared.tally.amounts.left += 1;
        }
        self.settle(token)?;
        self.welcome(now, now, None, true)
    }

    /// Looks at those whose time it is; when the next one's is.
    fn tick(&mut self, now: Instant) -> Result<Option<Instant>, LoadError> {
        while let Some(&Reverse((time, token))) = self.timers.peek() {
            if time > now {
                return Ok(Some(time));
            }
            self.timers.pop();
            // A timer that is not the viewer's own is that of somebody who was here before.
            if let Some(viewer) = &mut self.viewers[token]
                && viewer.timer == Some(time)
            {
                viewer.timer = None;
                viewer.tick(&self.spec, now, &mut self.shared);
                self.settle(token)?;
            }
        }
        Ok(None)
    }

    fn go_on(&mut self, event: Ready) -> Result<(), LoadError> {
        let Some(Some(viewer)) = self.viewers.get_mut(event.token) else {
            return Ok(());
        };
        viewer.ready(&self.spec, event, &mut self.shared);
        self.settle(event.token)
    }

    /// After something has happened to a viewer: what to wait for, and until when.
    fn settle(&mut self, token: usize) -> Result<(), LoadError> {
        let Some(viewer) = &mut self.viewers[token] else {
            return Ok(());
        };
        if viewer.is_gone() {
            // The socket is closed with its viewer, and leaves the epoll by that.
            self.viewers[token] = None;
            self.free.push(token);
            return Ok(());
        }
        let wait: Wait = viewer.waits_for();
        if let Some(link) = &viewer.link {
            match viewer.watched {
                None => self.poll.add(link.socket(), token, wait)?,
                Some(watched) if watched != wait => self.poll.modify(link.socket(), token, wait)?,
                Some(_) => {}
            }
            viewer.watched = Some(wait);
        }
        let wakes = viewer.wakes(Instant::now());
        if viewer.timer.is_none_or(|timer| wakes < timer) {
            viewer.timer = Some(wakes);
            self.timers.push(Reverse((wakes, token)));
        }
        Ok(())
    }
}
