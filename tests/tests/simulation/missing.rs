//! Whether what an encoder was told to be taken may be missing now.
//!
//! An object ends when it is deleted, when its ring has gone round, when its stream is closed or
//! idle, and when the process is killed (but for what is saved). The book knows when each of these
//! may have happened, and by how much a ring may have moved on at most. Whatever is missing
//! without such a reason was lost.

use std::rc::Rc;
use std::time::Duration;

use zonecast_io::Time;

use super::book::{Book, Upload};
use super::request::Request;

/// What may have ended objects.
pub(crate) struct Past {
    /// Names that were deleted: from when on, and when that was answered.
    pub(crate) deletes: Vec<(Rc<str>, Time, Option<Time>)>,
    /// When streams may have been closed.
    pub(crate) closings: Vec<Time>,
    /// When the process was killed, and when before that everything was last saved.
    pub(crate) kills: Vec<(Time, Time)>,
    /// A stream without an upload for so long gives its objects up.
    pub(crate) stream_idle: Duration,
    pub(crate) ring: RingSize,
}

/// What a track's ring is made of.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RingSize {
    pub(crate) bytes: u64,
    /// Bytes of a chunk at most.
    pub(crate) part_bytes: u64,
}

impl Default for Past {
    fn default() -> Self {
        Self {
            deletes: Vec::new(),
            closings: Vec::new(),
            kills: Vec::new(),
            stream_idle: Duration::from_secs(600),
            ring: RingSize {
                bytes: 1 << 30,
                part_bytes: 1 << 20,
            },
        }
    }
}

impl Past {
    pub(crate) fn killed_since(&self, time: Time) -> bool {
        self.kills.iter().any(|(at, _)| *at >= time)
    }

    /// Whether the upload was taken for good, whatever was killed or closed since.
    pub(crate) fn outlived(&self, upload: &Upload) -> bool {
        let taken = upload.taken().unwrap_or(Time(u64::MAX));
        let mut closings = self.closings.iter();
        if closings.any(|at| upload.begun <= *at && *at <= taken) {
            // It may have gone to a stream that was just being replaced.
            return false;
        }
        let saved = |flushed: Time| {
            let configured = upload.path.starts_with("/live/a/");
            is_init(&upload.path) && configured && upload.taken().is_some_and(|at| at < flushed)
        };
        let mut kills = self.kills.iter();
        kills.all(|(at, flushed)| *at < upload.begun || saved(*flushed))
    }

    /// Whether a stream may be given up as idle while somebody is about to upload to it.
    pub(crate) fn may_idle(&self, leapt: Duration) -> bool {
        self.stream_idle < Duration::from_secs(60) + leapt
    }

    fn deleted(&self, upload: &Upload) -> bool {
        self.deletes.iter().any(|(path, _, answered)| {
            *path == upload.path && answered.is_none_or(|at| at >= upload.begun)
        })
    }
}

impl RingSize {
    /// Bytes and chunks that an upload may have taken of a ring at most, aborted or not.
    fn footprint(self, upload: &Upload) -> (u64, u64) {
        let (bytes, part) = (upload.bytes.len() as u64, self.part());
        let chunk = part.min(64 << 10);
        (bytes + 3 * part, bytes / chunk + 3)
    }

    fn part(self) -> u64 {
        self.part_bytes.min(self.bytes / 4)
    }

    /// Whether so many bytes and chunks may have sent a ring round.
    fn goes_round(self, (bytes, chunks): (u64, u64)) -> bool {
        let slots = (self.bytes / (32 << 10)).clamp(64, 4096);
        // What is freed ahead of need, and a tail that was skipped.
        let room = self.bytes.saturating_sub(2 * self.part());
        bytes >= room || chunks >= slots - slots / 16 - 1
    }
}

impl Book {
    /// An upload of the name was taken before it was asked for.
    pub(crate) fn was_there(&self, request: &Request) -> bool {
        self.newest_taken(request).is_some()
    }

    fn newest_taken(&self, request: &Request) -> Option<&Upload> {
        let taken = |upload: &&Upload| upload.taken().is_some_and(|at| at < request.asked);
        let of_path = self.uploads.iter().filter(|u| u.path == request.path);
        of_path.filter(taken).max_by_key(|upload| upload.begun)
    }

    /// What was asked for was there once, and is not any more.
    ///
    /// # Errors
    /// When there is no reason for that.
    pub(super) fn judge_missing(&self, request: &Request, now: Time) -> Result<(), String> {
        let Some(upload) = self.newest_taken(request) else {
            return Ok(());
        };
        let past = &self.past;
        let idle = now - upload.begun >= past.stream_idle;
        let closed = past.closings.iter().any(|at| *at >= upload.begun);
        let excused = idle || closed || past.deleted(upload) || !past.outlived(upload);
        if excused || self.may_be_lapped(upload) {
            return Ok(());
        }
        let history = self.history(&request.path);
        Err(format!(
            "what was taken is missing: {request:?} ({history})"
        ))
    }

    fn may_be_lapped(&self, upload: &Upload) -> bool {
        if is_pinned(&upload.path) {
            return false;
        }
        let ring = self.past.ring;
        let later = self.uploads.iter().filter(|other| {
            let before = other.answer.is_some_and(|(at, _)| at < upload.begun);
            track(&other.path) == track(&upload.path) && !is_pinned(&other.path) && !before
        });
        let sum = later
            .map(|other| ring.footprint(other))
            .fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
        ring.goes_round(sum)
    }
}

fn is_init(path: &str) -> bool {
    path.ends_with("init.mp4")
}

fn is_pinned(path: &str) -> bool {
    is_init(path) || path.ends_with(".m3u8")
}

/// The folder of a path, which is its track.
fn track(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(folder, _)| folder)
}
