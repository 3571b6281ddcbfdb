//! What the ledger answers with, and how it names objects.

use super::Digest;

/// What the ledger says about a body that a viewer got.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Judgement {
    /// It is this generation, and that was right at the time.
    Right {
        /// The generation served.
        generation: u64,
    },
    /// It is a generation that had been replaced by a complete one before the request.
    Stale {
        /// The generation served.
        generation: u64,
        /// The oldest generation that would have been right.
        wanted: u64,
    },
    /// No generation that was there by then has these bytes.
    Wrong {
        /// What would have been right, if anything: generation, bytes, hash.
        wanted: Option<(u64, u64, Digest)>,
    },
}

/// Counts over all objects since the start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Totals {
    /// Uploads begun.
    pub begun: u64,
    /// Uploads seen to their end.
    pub complete: u64,
    /// Uploads cut off before it.
    pub aborted: u64,
    /// Uploads answered with something other than 2xx.
    pub refused: u64,
    /// Complete uploads whose connection broke without an answer.
    pub lost: u64,
    /// DELETE requests.
    pub deletes: u64,
    /// Body bytes of uploads.
    pub bytes: u64,
    /// Connections with bytes that could not be read as HTTP (relayed all the same).
    pub unreadable: u64,
}

/// Names that last as long as their stream: playlists, manifests, init segments.
pub(super) fn is_pinned(key: &str) -> bool {
    [".m3u8", ".mpd", ".mp4"]
        .iter()
        .any(|end| key.ends_with(end))
}

/// The key of a request's target: `{stream}/{path}` of `/live/{stream}/{path}` or of
/// `/ingest/{token}/{stream}/{path}`, without its query. `None` for other paths.
#[must_use]
pub fn key_of(target: &str) -> Option<&str> {
    let path = target.split(['?', '#']).next().unwrap_or_default();
    let path = match path.strip_prefix("/ingest/") {
        Some(rest) => rest.split_once('/')?.1,
        None => path.strip_prefix("/live/")?,
    };
    let (stream, rest) = path.split_once('/')?;
    (!stream.is_empty() && !rest.is_empty()).then_some(path)
}
