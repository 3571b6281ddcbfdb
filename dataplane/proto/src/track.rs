//! Which track an object belongs to, by its path alone.
//!
//! The folder of the path, where it has one; else the number that a pattern finds in the
//! name; else `main`. Encoders name things differently, so the patterns can be set for a
//! stream.

use std::str::FromStr;

use thiserror::Error;

/// The track of an object that nothing else says anything about.
pub const MAIN: &str = "main";

/// What ffmpeg's DASH muxer calls its files.
const DEFAULT_PATTERN: &str = "(init|chunk)-stream{N}";

/// A pattern that cannot be read; the text says why.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("track pattern {pattern:?}: {reason}")]
pub struct BadPattern {
    pattern: String,
    reason: &'static str,
}

/// The pattern for the beginning of a file name: text, alternatives in parentheses, and
/// exactly one `{N}`, which stands for all the digits there, the name of the track.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Pattern(Vec<Part>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    /// One of these texts.
    Text(Vec<String>),
    /// One or more digits.
    Number,
}

/// The patterns of a stream, tried in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrackPatterns(Vec<Pattern>);

impl Default for TrackPatterns {
    /// `(init|chunk)-stream{N}`.
    fn default() -> Self {
        Self::new([DEFAULT_PATTERN]).expect("the default pattern is well-formed (tested)")
    }
}

impl TrackPatterns {
    /// Reads patterns, each for the beginning of a file name.
    ///
    /// # Errors
    /// [`BadPattern`] for the first that is malformed.
    pub fn new<'p>(patterns: impl IntoIterator<Item = &'p str>) -> Result<Self, BadPattern> {
        patterns
            .into_iter()
            .map(str::parse)
            .collect::<Result<_, _>>()
            .map(Self)
    }

    /// The track of the object at `path` (decoded, within its stream). It borrows from the
    /// path; nothing is allocated.
    #[must_use]
    pub fn track_of<'a>(&self, path: &'a str) -> &'a str {
        if let Some((folder, _)) = path.rsplit_once('/') {
            return folder;
        }
        self.0
            .iter()
            .find_map(|pattern| pattern.number(path))
            .unwrap_or(MAIN)
    }
}

impl Pattern {
    /// The digits at `{N}` if `name` begins as the pattern says.
    fn number<'a>(&self, name: &'a str) -> Option<&'a str> {
        matched(&self.0, name, None)
    }
}

/// Matches the beginning of `text` with `parts`; `number` is what `{N}` stood for so far.
/// The depth is the pattern's, which the operator wrote.
fn matched<'a>(parts: &[Part], text: &'a str, number: Option<&'a str>) -> Option<&'a str> {
    match parts.split_first() {
        None => number,
        Some((Part::Text(texts), parts)) => texts
            .iter()
            .find_map(|start| matched(parts, text.strip_prefix(start.as_str())?, number)),
        Some((Part::Number, parts)) => {
            let end = text
                .find(|c: char| !c.is_ascii_digit())
                .unwrap_or(text.len());
            let (digits, rest) = text.split_at(end);
            if digits.is_empty() {
                None
            } else {
                matched(parts, rest, Some(digits))
            }
        }
    }
}

impl FromStr for Pattern {
    type Err = BadPattern;

    fn from_str(pattern: &str) -> Result<Self, BadPattern> {
        let bad = |reason| BadPattern {
            pattern: pattern.to_owned(),
            reason,
        };
        let (before, after) = pattern.split_once("{N}").ok_or(bad("it has no {N}"))?;
        if pattern.contains('/') {
            return Err(bad(
                "a slash; patterns are for names, folders come first anyway",
            ));
        }
        let mut parts = texts(before).map_err(bad)?;
        parts.push(Part::Number);
        parts.extend(texts(after).map_err(bad)?);
        Ok(Self(parts))
    }
}

/// Text and `(a|b)` groups, one after the other.
fn texts(mut text: &str) -> Result<Vec<Part>, &'static str> {
    let mut parts = Vec::new();
    while !text.is_empty() {
        let (part, rest) = match text.strip_prefix('(') {
            Some(group) => {
                let (group, rest) = group.split_once(')').ok_or("a group is not closed")?;
                (
                    group.split('|').map(str::to_owned).collect::<Vec<_>>(),
                    rest,
                )
            }
            None => {
                let (plain, rest) = text.split_at(text.find('(').unwrap_or(text.len()));
                (vec![plain.to_owned()], rest)
            }
        };
        if part
            .iter()
            .any(|text| text.is_empty() || text.contains(['(', ')', '{', '}']))
        {
            return Err("an empty alternative, a stray bracket, or a second {N}");
        }
        parts.push(Part::Text(part));
        text = rest;
    }
    Ok(parts)
}

#[cfg(test)]
mod tests {
    //! Tracks of what the usual encoders send, and patterns of one's own.
    use super::TrackPatterns;

    #[test]
    fn default_tracks() {
        let patterns = TrackPatterns::default();
        for (path, track) in [
            ("init-stream0.m4s", "0"),
            ("chunk-stream12-00001.m4s", "12"),
            ("chunk-stream.m4s", "main"),
            ("rechunk-stream1.m4s", "main"),
            ("index7.ts", "main"),
            ("v0/index7.ts", "v0"),
            ("a/b/chunk-stream3-1.m4s", "a/b"),
            ("", "main"),
        ] {
            assert_eq!(patterns.track_of(path), track, "{path}");
        }
    }

    #[test]
    fn own_patterns() {
        let patterns = TrackPatterns::new(["(v|vid)eo-{N}(.|_)", "q{N}"]).expect("well-formed");
        assert_eq!(patterns.track_of("video-3_1.ts"), "3");
        assert_eq!(patterns.track_of("video-3-1.ts"), "main");
        assert_eq!(patterns.track_of("q10-1.ts"), "10");
        assert_eq!(
            TrackPatterns::new([]).expect("none is fine").track_of("q1"),
            "main"
        );
        for bad in [
            "", "x", "(a{N}", "a)b{N}", "{N}{N}", "a/{N}", "(a|){N}", "{M}{N}",
        ] {
            assert!(TrackPatterns::new([bad]).is_err(), "{bad}");
        }
    }
}
