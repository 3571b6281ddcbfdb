//! Entity tags: `"epoch-generation"`, never a hash, so that an object that is still being
//! filled has one from its first byte.
//!
//! The epoch is the daemon's (a restart starts a new one), the generation the object's:
//! a name that is used again gets the next. Both in hexadecimal.

use std::fmt;

/// Two numbers of 16 digits, a dash and two quotes.
const TEXT_BYTES_MAX: usize = 35;

/// A strong entity tag in its written form, quotes included.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct ETag {
    text: [u8; TEXT_BYTES_MAX],
    len: u8,
}

impl ETag {
    /// The tag of generation `generation` of an object in epoch `epoch`.
    #[must_use]
    pub fn new(epoch: u64, generation: u64) -> Self {
        let mut tag = Self {
            text: [0; TEXT_BYTES_MAX],
            len: 0,
        };
        tag.push(b'"');
        tag.push_hex(epoch);
        tag.push(b'-');
        tag.push_hex(generation);
        tag.push(b'"');
        tag
    }

    /// The tag as it stands in a head: `"1f-3"`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(self.as_bytes()).expect("only ASCII is ever written into it")
    }

    /// True if an `If-None-Match` value names this tag: `*`, or a list in which it occurs
    /// by weak comparison (RFC 9110 section 13.1.2). A malformed list matches only in its
    /// well-formed beginning, so that the worst outcome is a full response.
    #[must_use]
    pub fn matches_any(&self, if_none_match: &str) -> bool {
        let mut rest = if_none_match.trim_matches([' ', '\t', ',']);
        if rest == "*" {
            return true;
        }
        while let Some((tag, after)) = first_tag(rest) {
            if tag.as_bytes() == self.as_bytes() {
                return true;
            }
            let after = after.trim_start_matches([' ', '\t']);
            let Some(next) = after.strip_prefix(',') else {
                return false;
            };
            rest = next.trim_start_matches([' ', '\t', ',']);
        }
        false
    }

    /// True if an `If-Range` value is this tag by strong comparison. A date never is one.
    #[must_use]
    pub fn matches_strongly(&self, if_range: &str) -> bool {
        if_range.as_bytes() == self.as_bytes()
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.text[..usize::from(self.len)]
    }

    fn push(&mut self, byte: u8) {
        self.text[usize::from(self.len)] = byte;
        self.len += 1;
    }

    fn push_hex(&mut self, value: u64) {
        let digits = (16 - value.leading_zeros() / 4).max(1);
        for place in (0..digits).rev() {
            let digit = (value >> (4 * place)) as usize & 15;
            self.push(b"0123456789abcdef"[digit]);
        }
    }
}

/// The quoted part of the first tag of a list, without `W/`, and what follows it.
fn first_tag(list: &str) -> Option<(&str, &str)> {
    let tag = list.strip_prefix("W/").unwrap_or(list);
    let close = tag.strip_prefix('"')?.find('"')? + 2;
    Some(tag.split_at(close))
}

impl fmt::Display for ETag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for ETag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ETag({self})")
    }
}

#[cfg(test)]
mod tests {
    //! The written form, and what If-None-Match and If-Range make of it.
    use super::ETag;

    #[test]
    fn written_form() {
        assert_eq!(ETag::new(0, 0).as_str(), "\"0-0\"");
        assert_eq!(ETag::new(0x1f, 3).as_str(), "\"1f-3\"");
        assert_eq!(
            ETag::new(u64::MAX, u64::MAX).as_str(),
            "\"ffffffffffffffff-ffffffffffffffff\""
        );
    }

    #[test]
    fn if_none_match() {
        let tag = ETag::new(1, 2);
        for yes in [
            "*",
            " * ",
            "\"1-2\"",
            "W/\"1-2\"",
            "\"0-0\", \"1-2\"",
            "\"a,b\" , W/\"1-2\"",
            ",,\"1-2\"",
            "\"\",\"1-2\"",
            "\"1-2\" junk",
        ] {
            assert!(tag.matches_any(yes), "{yes}");
        }
        for no in [
            "",
            "1-2",
            "\"1-2",
            "\"1-3\"",
            "w/\"1-2\"",
            "\"x\" \"1-2\"",
            "junk, \"1-2\"",
            "*, \"1-3\"",
            "\"\\\"1-2\\\"\"",
            "W/",
            "\"",
        ] {
            assert!(!tag.matches_any(no), "{no}");
        }
    }

    #[test]
    fn if_range() {
        let tag = ETag::new(1, 2);
        assert!(tag.matches_strongly("\"1-2\""));
        for no in ["W/\"1-2\"", "*", "Sun, 06 Nov 1994 08:49:37 GMT", ""] {
            assert!(!tag.matches_strongly(no), "{no}");
        }
    }
}
