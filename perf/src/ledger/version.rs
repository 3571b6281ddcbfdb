//! One upload's record, and the rule by which a body is judged right, stale or wrong.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use super::{Judgement, SETTLE_MAX};

/// A SHA-256 hash.
pub type Digest = [u8; 32];

/// Generations that are kept of one object; older ones are forgotten.
const VERSIONS_MAX: usize = 1024;
/// Bodies (of playlists and manifests) that are kept of one object.
const BODIES_MAX: usize = 32;

/// One upload of an object.
#[derive(Debug, Clone)]
pub struct Version {
    /// Counted over all objects: a later upload has a higher one.
    pub generation: u64,
    /// When its request's head passed the tee.
    pub started: Instant,
    /// How far it got.
    pub state: State,
    /// What the daemon said to it, even before its end.
    pub answer: Answer,
}

/// How far an upload got.
#[derive(Debug, Clone)]
pub enum State {
    /// Bytes are still coming.
    Open,
    /// Cut off before its end.
    Aborted {
        /// When.
        at: Instant,
    },
    /// Seen whole.
    Complete {
        /// When its last byte passed.
        at: Instant,
        /// Of its body.
        sha256: Digest,
        /// Bytes of its body.
        length: u64,
        /// The body, of recent playlists and manifests.
        body: Option<Arc<[u8]>>,
    },
}

/// What the daemon said to an upload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// Nothing yet.
    Pending,
    /// This status, at this time.
    Status(u16, Instant),
    /// The connection broke first.
    Lost(Instant),
}

impl Version {
    /// From when on the daemon has no excuse for serving an older generation.
    #[must_use]
    pub fn settled(&self) -> Option<Instant> {
        let State::Complete { at, .. } = self.state else {
            return None;
        };
        let latest = at + SETTLE_MAX;
        match self.answer {
            Answer::Pending => Some(latest),
            Answer::Status(200..300, answered) => Some(answered.clamp(at, latest)),
            Answer::Status(..) | Answer::Lost(_) => None,
        }
    }

    /// One line of a log.
    pub(super) fn describe(&self, key: &str, origin: Instant) -> String {
        let since = |at: Instant| at.saturating_duration_since(origin).as_secs_f64();
        let state = match &self.state {
            State::Open => "open".to_owned(),
            State::Aborted { at } => format!("cut off at {:.3}", since(*at)),
            State::Complete {
                at, sha256, length, ..
            } => {
                format!(
                    "to {:.3}, {length} bytes, {}",
                    since(*at),
                    hex(&sha256[..8])
                )
            }
        };
        let answer = match self.answer {
            Answer::Pending => "no answer".to_owned(),
            Answer::Status(status, at) => format!("{status} at {:.3}", since(at)),
            Answer::Lost(at) => format!("lost at {:.3}", since(at)),
        };
        let (generation, started) = (self.generation, since(self.started));
        format!("{generation:>6}  {started:9.3}  {key}: {state}; {answer}\n")
    }

    fn has(&self, wanted_sha256: &Digest, wanted_length: u64) -> bool {
        match &self.state {
            State::Complete { sha256, length, .. } => {
                sha256 == wanted_sha256 && *length == wanted_length
            }
            State::Open | State::Aborted { .. } => false,
        }
    }
}

/// All that is remembered of one key.
#[derive(Debug, Default)]
pub(super) struct Object {
    versions: VecDeque<Version>,
    pub(super) deleted_at: Option<Instant>,
}

impl Object {
    pub(super) fn versions(&self) -> impl Iterator<Item = &Version> {
        self.versions.iter()
    }

    /// The newest generation: the order in which objects were last written.
    pub(super) fn touched(&self) -> u64 {
        self.versions.back().map_or(0, |version| version.generation)
    }

    pub(super) fn begin(&mut self, generation: u64, at: Instant) {
        if self.versions.len() == VERSIONS_MAX {
            self.versions.pop_front();
        }
        self.versions.push_back(Version {
            generation,
            started: at,
            state: State::Open,
            answer: Answer::Pending,
        });
        self.deleted_at = None;
    }

    pub(super) fn set(&mut self, generation: u64, state: State) {
        if let Some(version) = self.version_mut(generation) {
            version.state = state;
        }
        let kept = self
            .versions
            .iter_mut()
            .rev()
            .filter_map(|version| match &mut version.state {
                State::Complete { body, .. } if body.is_some() => Some(body),
                _ => None,
            });
        for body in kept.skip(BODIES_MAX) {
            *body = None;
        }
    }

    /// Keeps the answer; says whether the upload was whole by then.
    pub(super) fn answered(&mut self, generation: u64, answer: Answer) -> bool {
        let Some(version) = self.version_mut(generation) else {
            return false;
        };
        version.answer = answer;
        matches!(version.state, State::Complete { .. })
    }

    fn version_mut(&mut self, generation: u64) -> Option<&mut Version> {
        self.versions
            .iter_mut()
            .rev()
            .find(|version| version.generation == generation)
    }

    /// The newest generation with these bytes whose upload had begun by `finished`.
    pub(super) fn newest_with(
        &self,
        sha256: &Digest,
        length: u64,
        finished: Instant,
    ) -> Option<u64> {
        self.versions
            .iter()
            .rev()
            .find(|version| version.has(sha256, length) && version.started <= finished)
            .map(|version| version.generation)
    }

    /// The segment rule: the newest generation that had settled before `asked`, or any one
    /// that was in flight between `asked` and `finished`.
    pub(super) fn judge(
        &self,
        sha256: &Digest,
        length: u64,
        asked: Instant,
        finished: Instant,
    ) -> Judgement {
        let wanted = self
            .versions
            .iter()
            .rev()
            .find(|version| version.settled().is_some_and(|at| at <= asked));
        let wanted_generation = wanted.map_or(0, |version| version.generation);
        match self.newest_with(sha256, length, finished) {
            Some(generation) if generation >= wanted_generation => Judgement::Right { generation },
            Some(generation) => Judgement::Stale {
                generation,
                wanted: wanted_generation,
            },
            None => Judgement::Wrong {
                wanted: wanted.and_then(|version| match &version.state {
                    State::Complete { sha256, length, .. } => {
                        Some((version.generation, *length, *sha256))
                    }
                    State::Open | State::Aborted { .. } => None,
                }),
            },
        }
    }
}

/// The first bytes of a hash, for people.
#[must_use]
pub fn hex(digest: &[u8]) -> String {
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}
