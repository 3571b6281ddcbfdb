//! What all viewers found, counted as it happens: the summary shows it and the verdict
//! rests on it. The first [`FINDINGS_MAX`] findings are kept in words.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Findings that are kept in words; all are counted.
pub const FINDINGS_MAX: usize = 256;

/// What can be wrong with an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Bytes that no upload had.
    Corrupt,
    /// Bytes of a generation that had been replaced before the request, or a playlist
    /// older than one this viewer had.
    Stale,
    /// A listed segment that was not obtained.
    Missing,
    /// A segment obtained too late.
    Late,
}

impl fmt::Display for Kind {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Kind::Corrupt => "corrupt",
            Kind::Stale => "stale",
            Kind::Missing => "missing",
            Kind::Late => "late",
        })
    }
}

/// One thing that was wrong.
#[derive(Debug, Clone)]
pub struct Finding {
    /// Since the tally began.
    pub at: Duration,
    /// The viewer's number.
    pub viewer: u32,
    /// What.
    pub kind: Kind,
    /// The object's path.
    pub object: String,
    /// Expected and found.
    pub detail: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Finding {
            at,
            viewer,
            kind,
            object,
            detail,
        } = self;
        write!(
            out,
            "{:8.3} s  viewer {viewer}  {kind}  {object}: {detail}",
            at.as_secs_f64()
        )
    }
}

/// The counts, over all viewers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Viewers that are watching now.
    pub watching: u64,
    /// Segments obtained and compared.
    pub segments: u64,
    /// Init segments obtained and compared.
    pub inits: u64,
    /// Playlists obtained and compared.
    pub playlists: u64,
    /// Body bytes received.
    pub bytes: u64,
    /// See [`Kind::Corrupt`].
    pub corrupt: u64,
    /// See [`Kind::Stale`].
    pub stale: u64,
    /// See [`Kind::Missing`].
    pub missing: u64,
    /// See [`Kind::Late`].
    pub late: u64,
    /// Responses cut off in mid-body (asked for again).
    pub cut: u64,
    /// 410 answers: the ring had overtaken this viewer.
    pub lapped: u64,
    /// Other answers than 200, broken or slow connections (asked again).
    pub retries: u64,
    /// Connections made.
    pub connects: u64,
}

impl Counts {
    /// Nothing is wrong.
    #[must_use]
    pub fn clean(&self) -> bool {
        self.corrupt + self.stale + self.missing + self.late == 0
    }
}

/// See the module's description. Shared by `Arc`.
#[derive(Debug)]
pub struct Tally {
    began: Instant,
    inner: Mutex<(Counts, Vec<Finding>)>,
}

impl Tally {
    /// An empty tally.
    #[must_use]
    pub fn new() -> Arc<Tally> {
        Arc::new(Tally {
            began: Instant::now(),
            inner: Mutex::default(),
        })
    }

    fn lock(&self) -> MutexGuard<'_, (Counts, Vec<Finding>)> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts something.
    pub fn count(&self, add: impl FnOnce(&mut Counts)) {
        add(&mut self.lock().0);
    }

    /// Counts and keeps a finding.
    pub fn find(&self, viewer: u32, kind: Kind, object: &str, detail: String) {
        let at = self.began.elapsed();
        let mut inner = self.lock();
        let count = match kind {
            Kind::Corrupt => &mut inner.0.corrupt,
            Kind::Stale => &mut inner.0.stale,
            Kind::Missing => &mut inner.0.missing,
            Kind::Late => &mut inner.0.late,
        };
        *count += 1;
        if inner.1.len() < FINDINGS_MAX {
            inner.1.push(Finding {
                at,
                viewer,
                kind,
                object: object.to_owned(),
                detail,
            });
        }
    }

    /// The counts now.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.lock().0
    }

    /// The findings that are kept, in order.
    #[must_use]
    pub fn findings(&self) -> Vec<Finding> {
        self.lock().1.clone()
    }
}
