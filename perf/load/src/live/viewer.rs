//! One live viewer: a player with a connection.

use std::collections::HashMap;
use std::io;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use zonecast_perf::playlist;

use super::answer::{Answer, Asked};
use super::link::Link;
use super::player::{Next, Player};
use super::spec::{LiveSpec, Verify};
use super::tally::{Fault, Group, Tally};
use crate::channel::{Came, Room, is_wrong};
use crate::poll::{Ready, Wait};

mod have;

/// After a connection broke.
const REST: Duration = Duration::from_millis(200);
/// Bytes that a slow reader takes at a time.
const SLOW_BYTES: usize = 16 * 1024;
/// A slow reader's receive buffer: what the kernel takes for it.
const SLOW_BUFFER: usize = 16 * 1024;

/// What all viewers of a thread share while they go on.
pub(crate) struct Shared {
    pub(crate) room: Room,
    pub(crate) tally: Tally,
    /// Of segments that nobody knows: what the first viewer who hashed them got.
    pub(crate) hashes: HashMap<String, (u64, u64)>,
}

/// Who a viewer is.
#[derive(Debug, Clone)]
pub(crate) struct Who {
    pub(crate) arrival: Instant,
    /// Leaves after so many segments.
    pub(crate) segments: Option<u32>,
    pub(crate) resumes: bool,
    pub(crate) slow: bool,
    pub(crate) verifies: bool,
    pub(crate) track: usize,
    pub(crate) from: Option<IpAddr>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Doing {
    Connecting,
    Shaking,
    Asking,
    /// Nothing, until the player wants something.
    Idle,
    /// After a connection broke, until then.
    Resting(Instant),
    Gone,
}

/// See the module's description.
pub(crate) struct Viewer {
    who: Who,
    player: Player,
    pub(crate) link: Option<Link>,
    /// What the poll waits for; `None` for a connection that it does not know yet.
    pub(crate) watched: Option<Wait>,
    /// When the audience will look at it at the latest.
    pub(crate) timer: Option<Instant>,
    doing: Doing,
    answer: Option<Answer>,
    /// What was asked for; a duration for a segment.
    asked: (String, Option<Duration>),
    asked_at: Instant,
    began: bool,
    connected_at: Instant,
    playlist: String,
    had: u32,
    /// A slow reader takes nothing before.
    pause: Option<Instant>,
}

impl Viewer {
    pub(crate) fn new(spec: &LiveSpec, who: Who, now: Instant, shared: &mut Shared) -> Viewer {
        shared.tally.amounts.came += 1;
        let (behind, ahead) = (spec.behind, spec.ahead.is_some());
        let mut viewer = Viewer {
            player: Player::new(now, behind, spec.cushion, spec.start_within, ahead),
            link: None,
            watched: None,
            timer: None,
            doing: Doing::Idle,
            answer: None,
            asked: (String::new(), None),
            asked_at: now,
            began: false,
            connected_at: now,
            playlist: spec.media.tracks[who.track].playlist.clone(),
            had: 0,
            pause: None,
            who,
        };
        viewer.go(spec, now, shared);
        viewer
    }

    pub(crate) fn is_gone(&self) -> bool {
        self.doing == Doing::Gone
    }

    /// One that stays as long as it may.
    pub(crate) fn stays(&self) -> bool {
        self.who.segments.is_none()
    }

    pub(crate) fn leave(&mut self) {
        self.doing = Doing::Gone;
        self.link = None;
    }

    /// What the poll should wait for.
    pub(crate) fn waits_for(&self) -> Wait {
        let wants_write = self.link.as_ref().is_some_and(Link::wants_write);
        match self.doing {
            Doing::Connecting => Wait::Writable,
            _ if wants_write => Wait::Writable,
            _ if self.pause.is_some() => Wait::Nothing,
            _ => Wait::Readable,
        }
    }

    /// When it wants to be looked at again.
    pub(crate) fn wakes(&self, now: Instant) -> Instant {
        let own = match self.doing {
            Doing::Resting(until) => Some(until),
            Doing::Idle => match self.player.next(now) {
                Next::Wait(until) => Some(until),
                _ => Some(now),
            },
            _ => None,
        };
        let times = [own, self.pause];
        let times = times.into_iter().flatten();
        times.fold(self.player.late_at(), Instant::min)
    }

    /// Its socket is ready.
    pub(crate) fn ready(&mut self, spec: &LiveSpec, event: Ready, shared: &mut Shared) {
        let now = Instant::now();
        if let Err(error) = self.further(spec, event, now, shared) {
            self.failed(&error, now, shared);
        }
        self.check_late(now, shared);
    }

    /// Its time has come.
    pub(crate) fn tick(&mut self, spec: &LiveSpec, now: Instant, shared: &mut Shared) {
        self.check_late(now, shared);
        if self.pause.is_some_and(|until| now >= until) {
            self.pause = None;
        }
        match self.doing {
            Doing::Resting(until) if now >= until => {
                self.doing = Doing::Idle;
                self.go(spec, now, shared);
            }
            Doing::Idle => self.go(spec, now, shared),
            _ => {}
        }
    }

    fn group(&self) -> Group {
        match (self.who.slow, self.who.segments) {
            (true, _) => Group::Slow,
            (_, Some(_)) => Group::Crowd,
            _ => Group::Watcher,
        }
    }

    fn fault(&self, shared: &mut Shared, fault: Fault, what: impl FnOnce() -> String) {
        let place = || format!("{}: {}", self.asked.0, what());
        shared.tally.fault(self.group(), fault, place);
    }

    fn check_late(&mut self, now: Instant, shared: &mut Shared) {
        if self.doing != Doing::Gone && self.player.is_late(now) {
            let (number, doing) = (self.player.waits_for(), self.doing);
            self.fault(shared, Fault::Late, || {
                format!("segment {number} is not there in time ({doing:?})")
            });
            // Whoever came for a look, and has seen nothing yet, gives up.
            if !self.stays() && self.had == 0 {
                self.leave();
            }
        }
    }

    /// Does what the player wants next.
    fn go(&mut self, spec: &LiveSpec, now: Instant, shared: &mut Shared) {
        let done = match self.player.next(now) {
            Next::Wait(_) => {
                self.doing = Doing::Idle;
                return;
            }
            Next::Over => {
                shared.tally.amounts.left += 1;
                self.leave();
                return;
            }
            _ if self.link.is_none() => self.connect(spec, now),
            Next::Playlist => {
                let path = self.playlist.clone();
                self.ask(path, None, Asked::Playlist, now)
            }
            Next::Segment {
                number,
                uri,
                duration,
            } => {
                let Some(path) = playlist::resolve(&self.playlist, &uri) else {
                    self.fault(shared, Fault::Wrong, || format!("{uri} cannot be resolved"));
                    self.player.skip();
                    self.doing = Doing::Idle;
                    return;
                };
                let all = self.who.verifies;
                let asked = match spec.verify {
                    Verify::Media(_) => Asked::Segment {
                        track: self.who.track,
                        number,
                        all,
                    },
                    Verify::Agreement(_) => Asked::Foreign { all },
                };
                self.ask(path, Some(duration), asked, now)
            }
        };
        if let Err(error) = done {
            self.failed(&error, now, shared);
        }
    }

    fn connect(&mut self, spec: &LiveSpec, now: Instant) -> io::Result<()> {
        let tls = spec.tls.as_ref();
        let tls = tls.map(|configs| &configs[usize::from(self.who.resumes)]);
        let buffer = self.who.slow.then_some(SLOW_BUFFER);
        self.link = Some(Link::start(self.who.from, spec.target, tls, buffer)?);
        self.watched = None;
        self.connected_at = now;
        self.doing = Doing::Connecting;
        Ok(())
    }

    fn ask(
        &mut self,
        path: String,
        duration: Option<Duration>,
        asked: Asked,
        now: Instant,
    ) -> io::Result<()> {
        let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n");
        self.answer = Some(Answer::new(asked));
        self.asked = (path, duration);
        self.asked_at = now;
        self.began = false;
        self.doing = Doing::Asking;
        match &mut self.link {
            Some(link) => link.send(request.as_bytes()),
            None => Err(io::ErrorKind::NotConnected.into()),
        }
    }

    fn further(
        &mut self,
        spec: &LiveSpec,
        event: Ready,
        now: Instant,
        shared: &mut Shared,
    ) -> io::Result<()> {
        let Some(link) = &mut self.link else {
            return Ok(());
        };
        match self.doing {
            Doing::Connecting => {
                if !event.writable {
                    return Ok(());
                }
                link.connected()?;
                link.flush()?;
                self.doing = Doing::Shaking;
            }
            Doing::Shaking => {
                if event.readable && link.shake(&mut shared.room)? == Came::End {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
                link.flush()?;
            }
            Doing::Asking => {
                if event.writable && link.wants_write() {
                    link.flush()?;
                }
                return match event.readable {
                    true => self.receive(spec, now, shared),
                    false => Ok(()),
                };
            }
            // A server may close a connection that is idle.
            Doing::Idle => {
                if event.readable && link.idle(&mut shared.room)? {
                    self.link = None;
                }
                return Ok(());
            }
            Doing::Resting(_) | Doing::Gone => return Ok(()),
        }
        if !link.is_shaking() {
            if spec.tls.is_some() {
                shared.tally.amounts.handshakes += 1;
                shared.tally.amounts.resumed += u64::from(link.resumed());
                let took = now.duration_since(self.connected_at);
                Tally::note(&mut shared.tally.handshake, took);
            }
            self.go(spec, now, shared);
        }
        Ok(())
    }

    fn receive(&mut self, spec: &LiveSpec, now: Instant, shared: &mut Shared) -> io::Result<()> {
        let (Some(link), Some(answer)) = (&mut self.link, &mut self.answer) else {
            return Ok(());
        };
        let max = if self.who.slow {
            SLOW_BYTES
        } else {
            usize::MAX
        };
        let read = link.receive(&mut shared.room, answer, &spec.media, max)?;
        shared.tally.amounts.wire_bytes += read.wire_bytes;
        if self.who.slow {
            let seconds = read.wire_bytes as f64 * 8.0 / spec.slow_rate.max(1.0);
            self.pause = Some(now + Duration::from_secs_f64(seconds));
        }
        if answer.status() == 200 && !self.began {
            self.began = true;
            if self.asked.1.is_some() {
                let took = now.duration_since(self.asked_at);
                Tally::note(&mut shared.tally.first_byte, took);
                self.note_live_first(spec, now, shared);
            }
        }
        match read.ended {
            Some(ended) => {
                if ended.close || read.closed {
                    self.link = None;
                }
                self.ended(spec, ended, shared);
                Ok(())
            }
            None if read.closed => Err(io::ErrorKind::UnexpectedEof.into()),
            None => Ok(()),
        }
    }

    /// The connection cannot go on.
    fn failed(&mut self, error: &io::Error, now: Instant, shared: &mut Shared) {
        let what = || error.to_string();
        if is_wrong(error) {
            self.fault(shared, Fault::Wrong, what);
            if self.doing == Doing::Asking {
                match self.asked.1 {
                    Some(_) => self.player.skip(),
                    None => self.player.not_listed(now),
                }
            }
        } else {
            let doing = self.doing;
            self.fault(shared, Fault::Broken, || format!("{error} ({doing:?})"));
        }
        self.link = None;
        self.answer = None;
        self.pause = None;
        self.doing = Doing::Resting(now + REST);
    }
}
