//! Byte ranges (RFC 9110 section 14): one a request, of a whole or of an open object.
//!
//! A field that is not understood, or asks for several ranges, is as if it were absent:
//! the answer is the whole object with 200.

use std::fmt;
use std::ops::Range;

/// What a `Range` field asks for. Positions are inclusive, as in the field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RangeSpec {
    /// `bytes=a-`
    From(u64),
    /// `bytes=a-b`, `a <= b`
    FromTo(u64, u64),
    /// `bytes=-n`: the last `n` bytes
    Suffix(u64),
}

/// A range of an object whose length is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Resolved {
    /// Answer 200 with everything (a suffix of an empty object).
    Whole,
    /// Answer 206 with these bytes; never empty, within the object.
    Part(Range<u64>),
    /// Answer 416 with `bytes */len`.
    Unsatisfiable,
}

/// A range of an object that is still being filled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OpenResolved {
    /// Answer 200 with everything: where a suffix begins is not known yet.
    Whole,
    /// Wait for these bytes, then answer 206 with `bytes a-b/*`. Should the object end
    /// earlier, [`RangeSpec::resolve`] it.
    Part(Range<u64>),
    /// Everything from this byte on. A `Content-Range` needs a last byte, so this is
    /// answered when the object is complete, or with what is there by then.
    From(u64),
}

impl RangeSpec {
    /// Reads a field value. `None`: answer as if there were no such field.
    #[must_use]
    pub fn parse(value: &str) -> Option<Self> {
        let (unit, set) = value.split_once('=')?;
        if !unit.trim().eq_ignore_ascii_case("bytes") {
            return None;
        }
        let (first, last) = set.trim_matches([' ', '\t']).split_once('-')?;
        match (first.is_empty(), last.is_empty()) {
            (true, _) => Some(Self::Suffix(number(last)?)),
            (false, true) => Some(Self::From(number(first)?)),
            (false, false) => {
                let (first, last) = (number(first)?, number(last)?);
                (first <= last).then_some(Self::FromTo(first, last))
            }
        }
    }

    /// What it means for an object of `len` bytes.
    #[must_use]
    pub fn resolve(self, len: u64) -> Resolved {
        let part = match self {
            Self::Suffix(0) => return Resolved::Unsatisfiable,
            Self::Suffix(_) if len == 0 => return Resolved::Whole,
            Self::Suffix(count) => len.saturating_sub(count)..len,
            Self::From(first) => first..len,
            Self::FromTo(first, last) => first..len.min(last.saturating_add(1)),
        };
        if part.start < part.end {
            Resolved::Part(part)
        } else {
            Resolved::Unsatisfiable
        }
    }

    /// What it means for an object whose length is not known yet.
    #[must_use]
    pub fn resolve_open(self) -> OpenResolved {
        match self {
            Self::Suffix(_) => OpenResolved::Whole,
            Self::From(first) => OpenResolved::From(first),
            Self::FromTo(first, u64::MAX) => OpenResolved::From(first),
            Self::FromTo(first, last) => OpenResolved::Part(first..last + 1),
        }
    }
}

/// Decimal digits only, and no overflow (`str::parse` would also take a plus sign).
fn number(digits: &str) -> Option<u64> {
    let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    plain.then(|| digits.parse().ok()).flatten()
}

/// The value of a `Content-Range` field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ContentRange {
    /// `bytes first-last/length`, or `/*` while the length is not known.
    Part {
        /// The first byte.
        first: u64,
        /// The last byte, inclusive.
        last: u64,
        /// The length of the whole object; `None` while it is open.
        length: Option<u64>,
    },
    /// `bytes */length`, of a 416.
    Unsatisfied {
        /// The length of the whole object.
        length: u64,
    },
}

impl ContentRange {
    /// That of a 206 with `part` of an object of `length` bytes (`None`: open).
    ///
    /// # Panics
    /// If `part` is empty: no such field can be written.
    #[must_use]
    pub fn of(part: &Range<u64>, length: Option<u64>) -> Self {
        assert!(part.start < part.end, "an empty part has no Content-Range");
        Self::Part {
            first: part.start,
            last: part.end - 1,
            length,
        }
    }
}

impl fmt::Display for ContentRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Part {
                first,
                last,
                length: Some(length),
            } => write!(f, "bytes {first}-{last}/{length}"),
            Self::Part {
                first,
                last,
                length: None,
            } => write!(f, "bytes {first}-{last}/*"),
            Self::Unsatisfied { length } => write!(f, "bytes */{length}"),
        }
    }
}

#[cfg(test)]
mod tests {
    //! Each form of the field, and what it resolves to at the edges of an object.
    use super::{ContentRange, OpenResolved, RangeSpec, Resolved};

    #[test]
    fn forms() {
        for (value, spec) in [
            ("bytes=0-", Some(RangeSpec::From(0))),
            ("Bytes=7-9", Some(RangeSpec::FromTo(7, 9))),
            ("bytes= 7-9 ", Some(RangeSpec::FromTo(7, 9))),
            ("bytes=-5", Some(RangeSpec::Suffix(5))),
            ("bytes=5-5", Some(RangeSpec::FromTo(5, 5))),
            (
                "bytes=0-18446744073709551615",
                Some(RangeSpec::FromTo(0, u64::MAX)),
            ),
            ("bytes=0-18446744073709551616", None),
            ("bytes=9-7", None),
            ("bytes=-", None),
            ("bytes=", None),
            ("bytes", None),
            ("items=0-1", None),
            ("bytes=0-1,3-4", None),
            ("bytes=+1-2", None),
            ("bytes=--1", None),
            ("bytes=1-2-3", None),
        ] {
            assert_eq!(RangeSpec::parse(value), spec, "{value}");
        }
    }

    #[test]
    fn edges_of_a_whole_object() {
        use RangeSpec::{From, FromTo, Suffix};
        for (spec, len, resolved) in [
            (From(0), 10, Resolved::Part(0..10)),
            (From(9), 10, Resolved::Part(9..10)),
            (From(10), 10, Resolved::Unsatisfiable),
            (From(0), 0, Resolved::Unsatisfiable),
            (FromTo(0, 0), 10, Resolved::Part(0..1)),
            (FromTo(5, 100), 10, Resolved::Part(5..10)),
            (FromTo(5, u64::MAX), 10, Resolved::Part(5..10)),
            (FromTo(10, 11), 10, Resolved::Unsatisfiable),
            (Suffix(3), 10, Resolved::Part(7..10)),
            (Suffix(30), 10, Resolved::Part(0..10)),
            (Suffix(0), 10, Resolved::Unsatisfiable),
            (Suffix(1), 0, Resolved::Whole),
        ] {
            assert_eq!(spec.resolve(len), resolved, "{spec:?} of {len}");
        }
    }

    #[test]
    fn open_objects() {
        assert_eq!(RangeSpec::Suffix(1).resolve_open(), OpenResolved::Whole);
        assert_eq!(RangeSpec::From(4).resolve_open(), OpenResolved::From(4));
        assert_eq!(
            RangeSpec::FromTo(4, 7).resolve_open(),
            OpenResolved::Part(4..8)
        );
        assert_eq!(
            RangeSpec::FromTo(4, u64::MAX).resolve_open(),
            OpenResolved::From(4)
        );
        assert_eq!(ContentRange::of(&(4..8), None).to_string(), "bytes 4-7/*");
        assert_eq!(
            ContentRange::of(&(4..8), Some(9)).to_string(),
            "bytes 4-7/9"
        );
        assert_eq!(
            ContentRange::Unsatisfied { length: 9 }.to_string(),
            "bytes */9"
        );
    }
}
