//! Response heads, written into the caller's memory.
//!
//! Place in the flow: the last step before bytes go out. The caller fills a
//! [`ResponseHead`] and has it written in front of, or together with, the body. Nothing
//! is allocated, and a value that would break out of its line is refused.

mod cache;
mod writer;

pub use cache::CacheControl;

use crate::date::HttpDate;
use crate::etag::ETag;
use crate::range::ContentRange;
use crate::request::Version;
use crate::{BadRequest, HeadError, Status};
use writer::Writer;

/// Enough for every head whose free texts ([`ResponseHead::content_type`], `allow`,
/// `location`, `realm`, the CORS origin) have together no more than 512 bytes.
pub const HEAD_BYTES_MAX: usize = 2048;

/// The interim response to `Expect: 100-continue`.
pub const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

/// The methods that a viewer can use, for `allow` and CORS.
pub const VIEWER_METHODS: &str = "GET, HEAD, OPTIONS";

/// The methods that an encoder can use, for `allow`.
pub const ENCODER_METHODS: &str = "GET, HEAD, PUT, POST, DELETE, OPTIONS";

/// How the body is framed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Body {
    /// No body and no word of it: the answer to HEAD for an object of unknown length.
    /// What has no body by its status needs nothing else either.
    Unsaid,
    /// `Content-Length`; also for HEAD.
    Length(u64),
    /// `Transfer-Encoding: chunked`; HTTP/1.1 only.
    Chunked,
    /// Until the connection is closed: objects of unknown length over HTTP/1.0. Implies
    /// `Connection: close`.
    UntilClose,
}

/// What is said about the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Connection {
    /// Nothing: HTTP/1.1 keeps it.
    Kept,
    /// `keep-alive`: said to HTTP/1.0 that asked for it.
    KeepAlive,
    /// `close`: no further request is read.
    Close,
}

impl Connection {
    /// What to say to a peer of this version when the connection is kept, or is not.
    #[must_use]
    pub const fn of(version: Version, keep: bool) -> Self {
        match (keep, version) {
            (false, _) => Self::Close,
            (true, Version::Http10) => Self::KeepAlive,
            (true, Version::Http11) => Self::Kept,
        }
    }
}

/// What is said to scripts of other origins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cors<'a> {
    /// Nothing.
    Silent,
    /// They may read the response, its length, range and tag, and its timing.
    Allow(Origin<'a>),
    /// The answer to a preflight: they may GET and HEAD with `Range` and conditions.
    Preflight(Origin<'a>),
}

/// Which origins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin<'a> {
    /// `*`
    Any,
    /// This one, which the caller has checked; adds `Vary: Origin`.
    Only(&'a str),
}

/// A response head. Start from [`ResponseHead::new`] and change what differs.
#[derive(Clone, Copy, Debug)]
pub struct ResponseHead<'a> {
    /// The status.
    pub status: Status,
    /// `Date`; formatted once a second.
    pub date: &'a HttpDate,
    /// How the body is framed. Never written for 1xx, 204 and 304.
    pub body: Body,
    /// `Content-Type`.
    pub content_type: Option<&'a str>,
    /// `ETag`.
    pub etag: Option<ETag>,
    /// `Cache-Control`.
    pub cache: CacheControl,
    /// `Content-Range`, of 206 and 416.
    pub content_range: Option<ContentRange>,
    /// `Accept-Ranges: bytes`.
    pub accept_ranges: bool,
    /// `Connection`.
    pub connection: Connection,
    /// `Retry-After` in seconds.
    pub retry_after_seconds: Option<u32>,
    /// `Allow`, of 405.
    pub allow: Option<&'a str>,
    /// `Location`, of a redirect.
    pub location: Option<&'a str>,
    /// `WWW-Authenticate`, of 401: the realm to name in a Basic and a Bearer challenge.
    pub realm: Option<&'a str>,
    /// What is said to scripts of other origins.
    pub cors: Cors<'a>,
}

impl<'a> ResponseHead<'a> {
    /// A head without a body (`Content-Length: 0`) that says nothing else.
    #[must_use]
    pub fn new(status: Status, date: &'a HttpDate) -> Self {
        Self {
            status,
            date,
            body: Body::Length(0),
            content_type: None,
            etag: None,
            cache: CacheControl::Unsaid,
            content_range: None,
            accept_ranges: false,
            connection: Connection::Kept,
            retry_after_seconds: None,
            allow: None,
            location: None,
            realm: None,
            cors: Cors::Silent,
        }
    }

    /// An answer that must not be stored: every 4xx and 5xx, and 204 to an encoder.
    #[must_use]
    pub fn empty(status: Status, date: &'a HttpDate) -> Self {
        Self {
            cache: CacheControl::NoStore,
            ..Self::new(status, date)
        }
    }

    /// The answer to a request that could not be read; the connection closes behind it.
    #[must_use]
    pub fn refusal(error: BadRequest, date: &'a HttpDate) -> Self {
        Self {
            connection: Connection::Close,
            ..Self::empty(error.status(), date)
        }
    }

    /// The answer to a CORS preflight.
    #[must_use]
    pub fn preflight(origin: Origin<'a>, date: &'a HttpDate) -> Self {
        Self {
            cors: Cors::Preflight(origin),
            ..Self::new(Status::NoContent, date)
        }
    }

    /// Writes the head, its final empty line included, to the front of `out` and returns
    /// its length. On error `out` holds a part of it.
    ///
    /// # Errors
    /// [`HeadError`]: it does not fit, or a text could break out of its line.
    pub fn write(&self, out: &mut [u8]) -> Result<usize, HeadError> {
        let mut writer = Writer::new(out);
        writer.raw(self.status.line().as_bytes())?;
        writer.line("Date", self.date.as_bytes())?;
        self.write_connection(&mut writer)?;
        self.write_body(&mut writer)?;
        writer.text_if("Content-Type", self.content_type)?;
        if let Some(range) = self.content_range {
            writer.content_range(range)?;
        }
        if self.accept_ranges {
            writer.line("Accept-Ranges", b"bytes")?;
        }
        if let Some(tag) = &self.etag {
            writer.line("ETag", tag.as_bytes())?;
        }
        self.cache.write(&mut writer)?;
        if let Some(seconds) = self.retry_after_seconds {
            writer.number("Retry-After", u64::from(seconds))?;
        }
        writer.text_if("Allow", self.allow)?;
        writer.text_if("Location", self.location)?;
        self.write_challenge(&mut writer)?;
        self.write_cors(&mut writer)?;
        writer.raw(b"\r\n")?;
        Ok(writer.written())
    }

    fn write_connection(&self, writer: &mut Writer<'_>) -> Result<(), HeadError> {
        match (self.connection, self.body) {
            (Connection::Close, _) | (_, Body::UntilClose) => writer.line("Connection", b"close"),
            (Connection::KeepAlive, _) => writer.line("Connection", b"keep-alive"),
            (Connection::Kept, _) => Ok(()),
        }
    }

    fn write_body(&self, writer: &mut Writer<'_>) -> Result<(), HeadError> {
        match self.body {
            _ if self.status.is_bodiless() => Ok(()),
            Body::Length(length) => writer.number("Content-Length", length),
            Body::Chunked => writer.line("Transfer-Encoding", b"chunked"),
            Body::Unsaid | Body::UntilClose => Ok(()),
        }
    }

    fn write_challenge(&self, writer: &mut Writer<'_>) -> Result<(), HeadError> {
        let Some(realm) = self.realm else {
            return Ok(());
        };
        writer.quoted(
            "WWW-Authenticate",
            "Basic realm=",
            realm,
            ", charset=\"UTF-8\"",
        )?;
        writer.quoted("WWW-Authenticate", "Bearer realm=", realm, "")
    }

    fn write_cors(&self, writer: &mut Writer<'_>) -> Result<(), HeadError> {
        let (Cors::Allow(origin) | Cors::Preflight(origin)) = self.cors else {
            return Ok(());
        };
        let value = match origin {
            Origin::Any => "*",
            Origin::Only(origin) => origin,
        };
        writer.text_if("Access-Control-Allow-Origin", Some(value))?;
        if let Cors::Preflight(_) = self.cors {
            writer.line("Access-Control-Allow-Methods", VIEWER_METHODS.as_bytes())?;
            writer.line(
                "Access-Control-Allow-Headers",
                b"Range, If-Range, If-None-Match",
            )?;
            writer.line("Access-Control-Max-Age", b"86400")?;
        } else {
            writer.line(
                "Access-Control-Expose-Headers",
                b"Content-Length, Content-Range, ETag, Date, Retry-After",
            )?;
            writer.text_if("Timing-Allow-Origin", Some(value))?;
        }
        match origin {
            Origin::Any => Ok(()),
            Origin::Only(_) => writer.line("Vary", b"Origin"),
        }
    }
}
