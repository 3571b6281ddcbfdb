//! The fields that are read, and what they say together.
//!
//! A field that is read may come once. A second one, even with the same value, is
//! refused: which of the two another server would believe is not ours to guess. Lists
//! (`Connection`, `If-None-Match`) are the exception. Fields that are not read may hold
//! anything that `scan` let through.

use std::fmt;

use super::{BodyKind, Version, target};
use crate::BadRequest;

macro_rules! fields {
    ($($name:ident $text:literal,)*) => {
        /// A request field that is read.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Field {
            $(#[doc = $text] $name,)*
        }

        impl Field {
            const ALL: &'static [Field] = &[$(Field::$name,)*];

            /// The field's name.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Field::$name => $text,)* }
            }
        }
    };
}

fields! {
    Host "Host",
    ContentLength "Content-Length",
    TransferEncoding "Transfer-Encoding",
    ContentType "Content-Type",
    Authorization "Authorization",
    Expect "Expect",
    Range "Range",
    IfRange "If-Range",
    IfNoneMatch "If-None-Match",
    Origin "Origin",
    AccessControlRequestMethod "Access-Control-Request-Method",
    Connection "Connection",
}

const COUNT: usize = Field::ALL.len();

impl Field {
    fn of(name: &str) -> Option<Self> {
        Self::ALL
            .iter()
            .copied()
            .find(|field| field.name().eq_ignore_ascii_case(name))
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The values of one head.
pub(super) struct Fields<'a> {
    values: [Option<&'a [u8]>; COUNT],
    close: bool,
    keep_alive: bool,
    /// Several `If-None-Match` lines are one list, which would have to be put together.
    /// It is rare: the condition is dropped, and the answer is the whole object.
    if_none_match_split: bool,
}

impl<'a> Fields<'a> {
    /// Sorts the lines of a head.
    pub(super) fn read(lines: &[httparse::Header<'a>]) -> Result<Self, BadRequest> {
        let mut fields = Self {
            values: [None; COUNT],
            close: false,
            keep_alive: false,
            if_none_match_split: false,
        };
        for line in lines {
            let Some(field) = Field::of(line.name) else {
                continue;
            };
            if field == Field::Connection {
                fields.connection(line.value);
                continue;
            }
            if fields.values[field as usize].replace(line.value).is_some() {
                if field != Field::IfNoneMatch {
                    return Err(BadRequest::Repeated(field));
                }
                fields.if_none_match_split = true;
            }
        }
        Ok(fields)
    }

    fn connection(&mut self, value: &[u8]) {
        for option in value.split(|&byte| byte == b',') {
            let option = option.trim_ascii();
            self.close |= option.eq_ignore_ascii_case(b"close");
            self.keep_alive |= option.eq_ignore_ascii_case(b"keep-alive");
        }
    }

    /// A value as text without the white space around it.
    pub(super) fn text(&self, field: Field) -> Result<Option<&'a str>, BadRequest> {
        self.values[field as usize]
            .map(|value| ascii(value).ok_or(BadRequest::Invalid(field)))
            .transpose()
    }

    /// A condition that is not ASCII is none of ours, and dropped.
    pub(super) fn if_none_match(&self) -> Option<&'a str> {
        let value = self.values[Field::IfNoneMatch as usize];
        value.filter(|_| !self.if_none_match_split).and_then(ascii)
    }

    /// The host; RFC 9112 section 3.2 demands it of HTTP/1.1.
    pub(super) fn host(&self, version: Version) -> Result<Option<&'a str>, BadRequest> {
        match self.text(Field::Host)? {
            Some(host) if target::is_authority(host) => Ok(Some(host)),
            Some(_) => Err(BadRequest::Invalid(Field::Host)),
            None if version == Version::Http11 => Err(BadRequest::MissingHost),
            None => Ok(None),
        }
    }

    /// Where the body ends (RFC 9112 section 6.3, and stricter: what that section lets a
    /// server repair is refused here).
    pub(super) fn body(&self, version: Version) -> Result<BodyKind, BadRequest> {
        let coding = self.text(Field::TransferEncoding)?;
        let length = self.text(Field::ContentLength)?;
        match (coding, length) {
            (None, None) => Ok(BodyKind::None),
            (None, Some(length)) => number(length)
                .map(BodyKind::Length)
                .ok_or(BadRequest::Invalid(Field::ContentLength)),
            (Some(_), Some(_)) => Err(BadRequest::LengthAndCoding),
            (Some(coding), None) if version == Version::Http10 || coding.is_empty() => {
                Err(BadRequest::Invalid(Field::TransferEncoding))
            }
            (Some(coding), None) if coding.eq_ignore_ascii_case("chunked") => Ok(BodyKind::Chunked),
            (Some(_), None) => Err(BadRequest::TransferCoding),
        }
    }

    /// Whether the peer waits for 100; any other expectation is refused.
    pub(super) fn expect_continue(&self) -> Result<bool, BadRequest> {
        match self.text(Field::Expect)? {
            None => Ok(false),
            Some(value) if value.eq_ignore_ascii_case("100-continue") => Ok(true),
            Some(_) => Err(BadRequest::Expectation),
        }
    }

    /// Whether the connection may be used again (RFC 9112 section 9.3).
    pub(super) fn keep_alive(&self, version: Version) -> bool {
        !self.close && (version == Version::Http11 || self.keep_alive)
    }
}

fn ascii(value: &[u8]) -> Option<&str> {
    std::str::from_utf8(value.trim_ascii())
        .ok()
        .filter(|text| text.is_ascii())
}

/// Decimal digits only, without overflow.
fn number(digits: &str) -> Option<u64> {
    let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    plain.then(|| digits.parse().ok()).flatten()
}
