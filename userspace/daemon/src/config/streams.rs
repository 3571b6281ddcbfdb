//! `[[streams]]`: streams that are known from the start.

use std::path::PathBuf;
use std::str::FromStr;

use serde::de::{Deserialize, Deserializer};
use zonecast_dataplane::StreamConfig;

use super::report::Report;
use super::token_hash::{self, WrittenHash};
use crate::units::{Bytes, Text};

/// What an id looks like, for error messages.
const ID_FORM: &str = "an id of 1 to 64 letters, digits and . _ - (and not \".\" or \"..\")";

/// The largest ring: one region of memory.
pub(super) const RING_MAX: Bytes = Bytes::mib(1024);

/// A stream's id.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct StreamId(String);

impl StreamId {
    /// The id.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for StreamId {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let allowed = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
        let fits = (1..=64).contains(&text.len()) && text != "." && text != "..";
        if fits && text.chars().all(allowed) {
            Ok(Self(text.to_owned()))
        } else {
            Err(format!("{text:?} is not {ID_FORM}"))
        }
    }
}

impl<'de> Deserialize<'de> for StreamId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(Text::new(ID_FORM))
    }
}

/// One table `[[streams]]`.
#[derive(Clone, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stream {
    /// The id, the same on all nodes.
    pub id: StreamId,
    /// File with the token of its encoders.
    #[serde(default)]
    pub token_file: Option<PathBuf>,
    /// SHA-256 of the token of its encoders.
    #[serde(default)]
    pub token_sha256: Option<WrittenHash>,
    /// Its home zone; by default the least loaded one.
    #[serde(default)]
    pub zone: Option<u16>,
    /// Ring memory of each of its tracks.
    #[serde(default = "ring")]
    pub ring: Bytes,
    /// Tracks at most.
    #[serde(default = "tracks_max")]
    pub tracks_max: u16,
    /// The encoder never uses a segment's name twice.
    #[serde(default)]
    pub unique_names: bool,
}

fn ring() -> Bytes {
    Bytes::mib(64)
}

fn tracks_max() -> u16 {
    16
}

impl Stream {
    /// A stream with the defaults.
    #[must_use]
    pub fn called(id: StreamId) -> Self {
        Self {
            id,
            token_file: None,
            token_sha256: None,
            zone: None,
            ring: ring(),
            tracks_max: tracks_max(),
            unique_names: false,
        }
    }

    /// As the data plane wants it; `key` is `streams[N]`, `open` whether a shared token exists.
    pub fn resolve(&self, key: &str, open: bool, report: &mut Report<'_>) -> StreamConfig {
        let token = token_hash::resolve(key, self.token_file.as_ref(), self.token_sha256, report);
        if !open && self.token_file.is_none() && self.token_sha256.is_none() {
            let text = format!(
                "nobody can upload to {:?}: token_file or token_sha256 is needed, or [ingest] open = true",
                self.id.as_str()
            );
            report.error(key, text);
        }
        report.between(&format!("{key}.tracks_max"), self.tracks_max, 1, 1024);
        StreamConfig {
            id: self.id.as_str().to_owned(),
            token,
            zone: self.zone,
            ring_bytes: self.ring.0.min(RING_MAX.0) as u32,
            tracks_max: self.tracks_max,
            unique_names: self.unique_names,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The defaults of the file are the data plane's own.
    #[test]
    fn defaults_agree_with_the_data_plane() {
        let document = crate::config::Document::new(String::new());
        let mut report = Report::new("x".as_ref(), &document);
        let ours = Stream::called("a".parse().unwrap()).resolve("streams[0]", true, &mut report);
        assert_eq!(
            format!("{ours:?}"),
            format!("{:?}", StreamConfig::named("a"))
        );
    }

    /// Ids are what fits in a path unchanged.
    #[test]
    fn ids() {
        for good in ["a", "News_24.hd-1", "...", &"x".repeat(64)] {
            assert!(good.parse::<StreamId>().is_ok(), "{good}");
        }
        for bad in ["", ".", "..", "a/b", "a b", "ä", "a%20", &"x".repeat(65)] {
            assert!(bad.parse::<StreamId>().is_err(), "{bad}");
        }
    }
}
