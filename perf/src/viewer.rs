//! A verifying viewer: follows playlists over one kept connection and compares every
//! object with what the tee saw, never with what the daemon says of it.
//!
//! The rules, each with its finding in the [`Tally`]:
//! - a segment is the newest generation that the tee saw complete before the request, or
//!   one in flight during it (else corrupt or stale, see [`Ledger::judge`]);
//! - a playlist is one that the tee saw, never older than one this viewer had;
//! - a segment's first byte comes before the playlist drops it, and its last within one
//!   target duration of the moment when the viewer first asked for it (else late);
//! - every segment from the first playlist's newest on is obtained (else missing).
//!
//! An answer other than 200 or a broken connection is not a finding: the viewer asks
//! again, as players do, until it is late or the playlist has dropped the segment.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio::time::timeout;

use crate::client::{ClientError, Connection, Response, Target, Want};
use crate::ledger::{Judgement, Ledger, key_of};
use crate::playlist::{self, Playlist, Segment};
use crate::tally::{Kind, Tally};

mod audience;
mod audit;
mod compare;
mod follower;

pub use audience::Audience;
use follower::{Due, Follower, RETRY};

/// A request is given up after so many target durations.
const GIVE_UP_TARGETS: u32 = 3;

/// Who watches what.
#[derive(Clone)]
pub struct Plan {
    /// The viewer's number, for findings.
    pub id: u32,
    /// Where it connects.
    pub target: Target,
    /// The playlists' paths.
    pub playlists: Vec<String>,
    /// It joins so long after the audience starts.
    pub join_after: Duration,
}

/// What came of one viewer and one playlist.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Followed {
    /// The viewer's number.
    pub viewer: u32,
    /// The playlist's path.
    pub playlist: String,
    /// Segments obtained, right or wrong.
    pub segments: u64,
    /// The playlist ended, and the viewer had everything up to its end.
    pub ended: bool,
}

/// One viewer at work.
struct Viewer {
    plan: Plan,
    ledger: Arc<Ledger>,
    tally: Arc<Tally>,
    connection: Option<Connection>,
}

/// Watches until every playlist has ended, or until the moment that `finish` carries.
pub async fn watch(
    plan: Plan,
    ledger: Arc<Ledger>,
    tally: Arc<Tally>,
    mut finish: watch::Receiver<Option<Instant>>,
) -> Vec<Followed> {
    tokio::time::sleep(plan.join_after).await;
    let now = Instant::now();
    let mut followers: Vec<Follower> = plan
        .playlists
        .iter()
        .map(|path| Follower::new(path.clone(), now))
        .collect();
    tally.count(|counts| counts.watching += 1);
    let mut viewer = Viewer {
        plan,
        ledger,
        tally,
        connection: None,
    };
    loop {
        let deadline = *finish.borrow_and_update();
        if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
            break;
        }
        for follower in &mut followers {
            if let Some(due) = follower.due(Instant::now()) {
                viewer.step(follower, due).await;
            }
        }
        let Some(next) = followers.iter().filter_map(Follower::due_at).min() else {
            break;
        };
        let next = deadline.map_or(next, |deadline| next.min(deadline));
        tokio::select! {
            () = tokio::time::sleep_until(next.into()) => {}
            Ok(()) = finish.changed() => {}
        }
    }
    viewer.tally.count(|counts| counts.watching -= 1);
    audit::audit(&viewer, &followers)
}

impl Viewer {
    async fn step(&mut self, follower: &mut Follower, due: Due) {
        match due {
            Due::Playlist => self.playlist(follower).await,
            Due::Init(path) => self.init(follower, &path).await,
            Due::Segment(path, segment) => self.segment(follower, &path, &segment).await,
        }
    }

    async fn playlist(&mut self, follower: &mut Follower) {
        let path = follower.path().to_owned();
        let Some(response) = self.fetch(&path, Want::BODY, follower).await else {
            follower.playlist_failed(Instant::now());
            return;
        };
        self.tally.count(|counts| counts.playlists += 1);
        let key = key_of(&path).unwrap_or_default();
        let Response {
            sha256,
            length,
            last_byte,
            ..
        } = response;
        let judged = self
            .ledger
            .judge_playlist(key, &sha256, length, follower.had(), last_byte);
        let generation = match judged {
            Judgement::Right { generation } => generation,
            wrong => {
                self.report(&path, &response, wrong);
                follower.playlist_failed(Instant::now());
                return;
            }
        };
        let Ok(Playlist::Media(media)) = playlist::parse(&response.body) else {
            self.find(Kind::Corrupt, &path, "not a media playlist".to_owned());
            follower.playlist_failed(Instant::now());
            return;
        };
        let epoch = self.ledger.epoch(key, generation).unwrap_or_default();
        for (epoch, sequence) in follower.playlist_done(Instant::now(), generation, epoch, media) {
            let detail = format!("segment {sequence} of run {epoch} was dropped before it came");
            self.find(Kind::Missing, &path, detail);
        }
    }

    async fn init(&mut self, follower: &mut Follower, path: &str) {
        let map = follower.map();
        let Some(response) = self.object(follower, path).await else {
            return;
        };
        self.tally.count(|counts| counts.inits += 1);
        self.judge(path, &response);
        self.in_time(follower, path, &response, None);
        follower.init_done(map);
    }

    async fn segment(&mut self, follower: &mut Follower, path: &str, segment: &Segment) {
        let Some(response) = self.object(follower, path).await else {
            return;
        };
        if response.status() == 410 {
            self.tally.count(|counts| counts.lapped += 1);
            self.find(
                Kind::Missing,
                path,
                "410: the ring had overtaken it".to_owned(),
            );
            follower.segment_done(false);
            return;
        }
        self.tally.count(|counts| counts.segments += 1);
        self.judge(path, &response);
        self.in_time(follower, path, &response, Some(segment.sequence));
        follower.segment_done(true);
    }

    /// Asks for the follower's due object; without an answer that settles it (200 or 410)
    /// it stays due.
    async fn object(&mut self, follower: &mut Follower, path: &str) -> Option<Response> {
        let asked = follower.asking(Instant::now());
        let response = self.fetch(path, Want::HASH, follower).await;
        if response.is_none() {
            let waited = asked.elapsed();
            if waited > follower.target() && follower.late() {
                self.find(Kind::Late, path, format!("not there after {waited:.1?}"));
            }
            follower.retry(Instant::now());
        }
        response
    }

    /// One GET on the kept connection, or on a new one.
    async fn fetch(&mut self, path: &str, want: Want, follower: &Follower) -> Option<Response> {
        let give_up = follower.target() * GIVE_UP_TARGETS;
        let failed = match timeout(give_up, self.get(path, want)).await {
            Ok(Ok(response)) => {
                self.tally.count(|counts| counts.bytes += response.length);
                match response.status() {
                    200 => return Some(response),
                    410 if !want.keep => return Some(response),
                    _ => None,
                }
            }
            Ok(Err(error)) => Some(error),
            Err(_) => None,
        };
        if self
            .connection
            .as_ref()
            .is_some_and(|connection| !connection.reusable())
        {
            self.connection = None;
        }
        let cut = matches!(failed, Some(ClientError::Truncated { .. }));
        // Before its first upload a playlist cannot be there: waiting for it is no retry.
        let known = key_of(path).is_some_and(|key| !self.ledger.versions(key).is_empty());
        self.tally.count(|counts| {
            counts.cut += u64::from(cut);
            counts.retries += u64::from(known);
        });
        None
    }

    async fn get(&mut self, path: &str, want: Want) -> Result<Response, ClientError> {
        if !self.connection.as_ref().is_some_and(Connection::reusable) {
            self.connection = None;
            self.tally.count(|counts| counts.connects += 1);
            match Connection::open(&self.plan.target).await {
                Ok(connection) => self.connection = Some(connection),
                Err(error) => {
                    tokio::time::sleep(RETRY).await;
                    return Err(error);
                }
            }
        }
        let connection = self.connection.as_mut().expect("opened above");
        connection.get(path, want).await
    }
}
