//! A request head: from bytes to a [`Request`], strictly.
//!
//! Place in the flow: the first thing done with what a viewer or an encoder sends. The
//! caller keeps the bytes of a head until it is complete and calls [`parse`] again with
//! all of them; the [`Request`] borrows from them.
//!
//! Two passes. `scan` walks the bytes once, finds the end of the head and refuses what no
//! two servers agree on (bare CR and LF, folds, control bytes) or what is too big; it
//! depends on positions only, so a partial head gives either nothing or the verdict of
//! the whole. Only a complete, clean head reaches `httparse`, which makes tokens of it,
//! and `fields`, which gives them their meaning.
//!
//! Invariant: exactly one reading of where the body ends, or a [`BadRequest`].

mod authorization;
mod fields;
mod scan;
mod target;

use std::fmt;
use std::mem::MaybeUninit;

pub use authorization::Authorization;
pub use fields::Field;

use crate::BadRequest;
use crate::etag::ETag;
use crate::path::Redacted;
use crate::range::RangeSpec;
use fields::Fields;

/// The most fields that a head can have, whatever [`HeadLimits`] says.
pub const FIELDS_MAX: usize = 64;

/// How big a head may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeadLimits {
    /// The whole head in bytes, its final empty line included; beyond: 431.
    pub head_bytes_max: usize,
    /// The request line in bytes, without its CR LF; beyond: 414.
    pub request_line_bytes_max: usize,
    /// Fields, at most [`FIELDS_MAX`]; beyond: 431.
    pub fields_max: usize,
}

impl Default for HeadLimits {
    /// 8 KiB, of which 4 KiB request line, in 64 fields: browsers with cookies fit.
    fn default() -> Self {
        Self {
            head_bytes_max: 8192,
            request_line_bytes_max: 4096,
            fields_max: FIELDS_MAX,
        }
    }
}

/// The methods that are told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Method {
    /// GET
    Get,
    /// HEAD
    Head,
    /// PUT
    Put,
    /// POST
    Post,
    /// DELETE
    Delete,
    /// OPTIONS
    Options,
    /// Any other token: 405 or 501.
    Other,
}

/// The versions that are spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Version {
    /// HTTP/1.0
    Http10,
    /// HTTP/1.1
    Http11,
}

/// Where the body ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyKind {
    /// There is none: neither Content-Length nor Transfer-Encoding came.
    None,
    /// This many bytes follow (0 is possible). Not bounded here.
    Length(u64),
    /// Chunks follow: [`crate::chunked::Decoder`].
    Chunked,
}

/// A complete request head. It borrows from the bytes it was parsed from; `Debug` shows
/// no credentials and no query.
#[derive(Clone, Copy)]
pub struct Request<'a> {
    /// The method.
    pub method: Method,
    /// The target as sent; may hold a token: log [`Request::redacted`] instead.
    pub target: &'a str,
    /// The path part of the target, still encoded: begins with `/`, or is `*` (OPTIONS
    /// only). [`crate::path::parse`] reads it.
    pub path: &'a str,
    /// What follows the first `?`, still encoded.
    pub query: Option<&'a str>,
    /// The version of the request; answers are always HTTP/1.1.
    pub version: Version,
    /// The authority of an absolute target, else the Host field: host and port as sent.
    /// Always there in HTTP/1.1.
    pub host: Option<&'a str>,
    /// Whether the peer wants to keep the connection for another request.
    pub keep_alive: bool,
    /// Where the body ends.
    pub body: BodyKind,
    /// The peer waits for `100 Continue` before it sends its body.
    pub expect_continue: bool,
    /// What `Range` asks for; GET only. Use [`Request::range_of`], which honours
    /// `If-Range`.
    pub range: Option<RangeSpec>,
    /// The value of `If-Range`.
    pub if_range: Option<&'a str>,
    /// The value of `If-None-Match`, for [`ETag::matches_any`].
    pub if_none_match: Option<&'a str>,
    /// The value of `Content-Type`.
    pub content_type: Option<&'a str>,
    /// The credentials.
    pub authorization: Option<Authorization<'a>>,
    /// The value of `Origin`.
    pub origin: Option<&'a str>,
    /// The value of `Access-Control-Request-Method`: OPTIONS with it is a preflight.
    pub access_control_request_method: Option<&'a str>,
}

/// Reads a request head from the front of `input`, which holds everything received of it.
///
/// `Ok(None)`: more bytes are needed. `Ok(Some((request, n)))`: the head took `n` bytes;
/// the body, or the next request, begins there.
///
/// # Errors
/// [`BadRequest`], as soon as the bytes so far can no longer become an acceptable head.
pub fn parse<'a>(
    input: &'a [u8],
    limits: &HeadLimits,
) -> Result<Option<(Request<'a>, usize)>, BadRequest> {
    let Some(head) = scan::scan(input, limits)? else {
        return Ok(None);
    };
    let version = scan::version(&input[head.start..head.line_end])?;
    let mut room = [const { MaybeUninit::uninit() }; FIELDS_MAX];
    let mut tokens = httparse::Request::new(&mut []);
    let parsed = httparse::ParserConfig::default()
        .parse_request_with_uninit_headers(&mut tokens, &input[head.start..head.end], &mut room)
        .map_err(refused)?;
    let (httparse::Status::Complete(_), Some(method), Some(target)) =
        (parsed, tokens.method, tokens.path)
    else {
        return Err(BadRequest::RequestLine);
    };
    let request = assemble(
        method_of(method),
        target,
        version,
        &Fields::read(tokens.headers)?,
    )?;
    Ok(Some((request, head.end)))
}

fn assemble<'a>(
    method: Method,
    target: &'a str,
    version: Version,
    fields: &Fields<'a>,
) -> Result<Request<'a>, BadRequest> {
    let parts = target::split(target, method)?;
    let host = fields.host(version)?;
    let body = fields.body(version)?;
    let expect = fields.expect_continue()?;
    let range = fields.text(Field::Range)?.and_then(RangeSpec::parse);
    Ok(Request {
        method,
        target,
        path: parts.path,
        query: parts.query,
        version,
        host: parts.authority.or(host),
        keep_alive: fields.keep_alive(version),
        body,
        expect_continue: expect && version == Version::Http11 && body != BodyKind::None,
        range: range.filter(|_| method == Method::Get),
        if_range: fields.text(Field::IfRange)?,
        if_none_match: fields.if_none_match(),
        content_type: fields.text(Field::ContentType)?,
        authorization: fields.text(Field::Authorization)?.map(Authorization::parse),
        origin: fields.text(Field::Origin)?,
        access_control_request_method: fields.text(Field::AccessControlRequestMethod)?,
    })
}

fn method_of(token: &str) -> Method {
    match token {
        "GET" => Method::Get,
        "HEAD" => Method::Head,
        "PUT" => Method::Put,
        "POST" => Method::Post,
        "DELETE" => Method::Delete,
        "OPTIONS" => Method::Options,
        _ => Method::Other,
    }
}

fn refused(error: httparse::Error) -> BadRequest {
    match error {
        httparse::Error::HeaderName | httparse::Error::HeaderValue => BadRequest::FieldLine,
        httparse::Error::TooManyHeaders => BadRequest::TooManyFields,
        _ => BadRequest::RequestLine,
    }
}

impl<'a> Request<'a> {
    /// The range to answer for an object with this tag: none when `If-Range` names
    /// another one (RFC 9110 section 13.1.5).
    #[must_use]
    pub fn range_of(&self, tag: &ETag) -> Option<RangeSpec> {
        self.range.filter(|_| {
            self.if_range
                .is_none_or(|value| tag.matches_strongly(value))
        })
    }

    /// True if the peer already has the object with this tag: answer 304.
    #[must_use]
    pub fn has(&self, tag: &ETag) -> bool {
        self.if_none_match.is_some_and(|list| tag.matches_any(list))
    }

    /// The host without its port.
    #[must_use]
    pub fn host_name(&self) -> Option<&'a str> {
        self.host.map(target::host_name)
    }

    /// True for a CORS preflight.
    #[must_use]
    pub fn is_preflight(&self) -> bool {
        self.method == Method::Options && self.access_control_request_method.is_some()
    }

    /// The target for a log: without token and query.
    #[must_use]
    pub fn redacted(&self) -> Redacted<'a> {
        Redacted(self.path)
    }
}

impl fmt::Debug for Request<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("method", &self.method)
            .field("path", &format_args!("{}", self.redacted()))
            .field("version", &self.version)
            .field("host", &self.host)
            .field("keep_alive", &self.keep_alive)
            .field("body", &self.body)
            .field("range", &self.range)
            .finish_non_exhaustive()
    }
}
