//! A small reader of HLS playlists: what a following viewer and the ledger need to know.
//!
//! Both read the same bytes with it, one as the encoder sent them and one as the daemon
//! served them. Tags that say nothing about which objects to fetch are ignored. Sizes
//! are bounded, since playlists come from peers.

use std::time::Duration;

use thiserror::Error;

/// Segments that one playlist lists at most; more is an error.
pub const SEGMENTS_MAX: usize = 4096;

const DURATION_SECONDS_MAX: f64 = 3600.0;

/// Why bytes are not a playlist.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum PlaylistError {
    /// It does not begin with `#EXTM3U`, or is not text.
    #[error("not an m3u8 playlist")]
    NotAPlaylist,
    /// A tag's value cannot be read.
    #[error("line {line}: bad value in {tag}")]
    BadValue {
        /// From 1.
        line: usize,
        /// The tag's name.
        tag: &'static str,
    },
    /// More than [`SEGMENTS_MAX`] segments.
    #[error("more than {SEGMENTS_MAX} segments")]
    TooManySegments,
}

/// A playlist of either kind.
#[derive(Debug, Clone, PartialEq)]
pub enum Playlist {
    /// Segments of one rendition.
    Media(Media),
    /// The URIs of variants, in order.
    Master(Vec<String>),
}

/// A media playlist.
#[derive(Debug, Clone, PartialEq)]
pub struct Media {
    /// `EXT-X-TARGETDURATION`.
    pub target: Duration,
    /// The media sequence number of the first segment (or of the next one if none is listed).
    pub sequence: u64,
    /// `EXT-X-ENDLIST` is there: nothing will follow.
    pub ended: bool,
    /// The segments, oldest first, without gaps in their sequence.
    pub segments: Vec<Segment>,
}

impl Media {
    /// The media sequence number after the last listed segment.
    #[must_use]
    pub fn next_sequence(&self) -> u64 {
        self.sequence + self.segments.len() as u64
    }

    /// The listed segment with this media sequence number.
    #[must_use]
    pub fn segment(&self, sequence: u64) -> Option<&Segment> {
        let index = usize::try_from(sequence.checked_sub(self.sequence)?).ok()?;
        self.segments.get(index)
    }
}

/// One segment of a media playlist.
#[derive(Debug, Clone, PartialEq)]
pub struct Segment {
    /// As listed; relative to the playlist.
    pub uri: String,
    /// Its media sequence number.
    pub sequence: u64,
    /// `EXTINF`.
    pub duration: Duration,
    /// The `EXT-X-MAP` in force: the init segment's URI.
    pub map: Option<String>,
}

/// Reads a playlist.
///
/// # Errors
/// Not a playlist, a value that cannot be read, or too many segments.
pub fn parse(bytes: &[u8]) -> Result<Playlist, PlaylistError> {
    let text = std::str::from_utf8(bytes).map_err(|_| PlaylistError::NotAPlaylist)?;
    if !text.starts_with("#EXTM3U") {
        return Err(PlaylistError::NotAPlaylist);
    }
    let mut media = Media {
        target: Duration::ZERO,
        sequence: 0,
        ended: false,
        segments: Vec::new(),
    };
    let mut variants = Vec::new();
    let mut duration = None;
    let mut variant_next = false;
    let mut map = None;
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        let bad = |tag| PlaylistError::BadValue {
            line: index + 1,
            tag,
        };
        if let Some(value) = line.strip_prefix("#EXT-X-TARGETDURATION:") {
            let target = seconds(value).ok_or_else(|| bad("EXT-X-TARGETDURATION"))?;
            media.target = target;
        } else if let Some(value) = line.strip_prefix("#EXT-X-MEDIA-SEQUENCE:") {
            media.sequence = value.parse().map_err(|_| bad("EXT-X-MEDIA-SEQUENCE"))?;
        } else if let Some(value) = line.strip_prefix("#EXTINF:") {
            let number = value.split(',').next().unwrap_or_default();
            duration = Some(seconds(number).ok_or_else(|| bad("EXTINF"))?);
        } else if let Some(value) = line.strip_prefix("#EXT-X-MAP:") {
            map = Some(quoted(value, "URI=").ok_or_else(|| bad("EXT-X-MAP"))?);
        } else if line == "#EXT-X-ENDLIST" {
            media.ended = true;
        } else if line.starts_with("#EXT-X-STREAM-INF") {
            variant_next = true;
        } else if !line.is_empty() && !line.starts_with('#') {
            if variants.len() + media.segments.len() >= SEGMENTS_MAX {
                return Err(PlaylistError::TooManySegments);
            }
            if std::mem::take(&mut variant_next) {
                variants.push(line.to_owned());
            } else {
                media.segments.push(Segment {
                    uri: line.to_owned(),
                    sequence: media.segments.len() as u64,
                    duration: duration.take().ok_or_else(|| bad("EXTINF"))?,
                    map: map.clone(),
                });
            }
        }
    }
    if !variants.is_empty() {
        return Ok(Playlist::Master(variants));
    }
    for segment in &mut media.segments {
        segment.sequence += media.sequence;
    }
    Ok(Playlist::Media(media))
}

fn seconds(text: &str) -> Option<Duration> {
    let value: f64 = text.trim().parse().ok()?;
    (0.0..=DURATION_SECONDS_MAX)
        .contains(&value)
        .then(|| Duration::from_secs_f64(value))
}

fn quoted(attributes: &str, name: &str) -> Option<String> {
    let (_, rest) = attributes.split_once(name)?;
    let (value, _) = rest.strip_prefix('"')?.split_once('"')?;
    Some(value.to_owned())
}

/// The path that `uri` names, seen from a playlist at `base` (an absolute path): relative
/// names, absolute paths and `http(s)` URLs. Queries and fragments are dropped. `None`
/// where it leaves the tree.
#[must_use]
pub fn resolve(base: &str, uri: &str) -> Option<String> {
    let uri = uri.split(['?', '#']).next().unwrap_or_default();
    let absolute = uri
        .strip_prefix("http://")
        .or_else(|| uri.strip_prefix("https://"))
        .map(|rest| rest.find('/').map_or("/", |at| &rest[at..]));
    let joined = match absolute {
        Some(path) => path.to_owned(),
        None if uri.starts_with('/') => uri.to_owned(),
        None => {
            let base = base.split(['?', '#']).next().unwrap_or_default();
            let (folder, _) = base.rsplit_once('/')?;
            format!("{folder}/{uri}")
        }
    };
    let mut parts: Vec<&str> = Vec::new();
    for part in joined.split('/').skip(1) {
        match part {
            "." => {}
            ".." => {
                parts.pop()?;
            }
            part => parts.push(part),
        }
    }
    Some(format!("/{}", parts.join("/")))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// ffmpeg's fMP4 playlist, with its init segment and window.
    #[test]
    fn reads_ffmpegs_media_playlist() {
        let text = b"#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-TARGETDURATION:2\n#EXT-X-MEDIA-SEQUENCE:5\n\
            #EXT-X-INDEPENDENT-SEGMENTS\n#EXT-X-MAP:URI=\"init.mp4\"\n#EXTINF:2.000000,\nindex5.m4s\n\
            #EXTINF:1.920000,\nindex6.m4s\n#EXT-X-ENDLIST\n";
        let Playlist::Media(media) = parse(text).unwrap() else {
            panic!("not a media playlist")
        };
        assert_eq!(media.target, Duration::from_secs(2));
        assert_eq!(media.sequence, 5);
        assert_eq!(media.next_sequence(), 7);
        assert!(media.ended);
        let last = media.segment(6).unwrap();
        assert_eq!(last.uri, "index6.m4s");
        assert_eq!(last.map.as_deref(), Some("init.mp4"));
        assert_eq!(media.segment(7), None);
        assert_eq!(media.segment(4), None);
    }

    /// A master playlist lists variants; rubbish and numbers out of range are errors.
    #[test]
    fn tells_master_from_media_from_rubbish() {
        let master = b"#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nlow/live.m3u8\n";
        assert_eq!(
            parse(master).unwrap(),
            Playlist::Master(vec!["low/live.m3u8".to_owned()])
        );
        assert_eq!(parse(b"<html>"), Err(PlaylistError::NotAPlaylist));
        assert!(parse(b"#EXTM3U\n#EXTINF:-1,\na.ts\n").is_err());
        assert!(parse(b"#EXTM3U\n#EXTINF:NaN,\na.ts\n").is_err());
        assert!(parse(b"#EXTM3U\na.ts\n").is_err());
    }

    /// URIs resolve against the playlist, and cannot leave the tree.
    #[test]
    fn resolves_uris() {
        let base = "/live/a/video/live.m3u8";
        assert_eq!(resolve(base, "i0.ts?x=1").unwrap(), "/live/a/video/i0.ts");
        assert_eq!(resolve(base, "../init.mp4").unwrap(), "/live/a/init.mp4");
        assert_eq!(resolve(base, "/live/b/i.ts").unwrap(), "/live/b/i.ts");
        assert_eq!(
            resolve(base, "https://h:1/live/c.ts").unwrap(),
            "/live/c.ts"
        );
        assert_eq!(resolve(base, "../../../../x"), None);
    }
}
