//! From the path of a request to what it names: stream, object, and perhaps a token.
//!
//! `/live/{stream}/{path}` is what viewers and encoders use; `/ingest/{token}/{stream}/{path}`
//! is for encoders that can carry a token nowhere else.
//!
//! Nothing is repaired. A path either is the one spelling of a name or is refused: no dot
//! or empty segments, and no percent sequence that hides a byte with a meaning of its own
//! (`/ \ . %`, control bytes). So whoever sits in front of us and decodes once more, or
//! less, cannot come to another name.

use std::fmt;

use crate::{BadRequest, Secret};

/// The longest path of an object within its stream, in decoded bytes.
pub const PATH_BYTES_MAX: usize = 512;
/// The longest stream id.
pub const STREAM_ID_BYTES_MAX: usize = 64;
/// The longest token in a path.
pub const TOKEN_BYTES_MAX: usize = 128;

/// Room for a path that has to be decoded. One a loop is enough.
pub struct PathRoom([u8; PATH_BYTES_MAX]);

impl Default for PathRoom {
    fn default() -> Self {
        Self([0; PATH_BYTES_MAX])
    }
}

/// What a path names.
#[derive(Clone, Copy)]
pub struct LivePath<'a> {
    /// The stream's id; [`is_stream_id`] holds.
    pub stream: &'a str,
    /// The object's path within the stream, decoded: segments between single slashes,
    /// none empty or dots, at most [`PATH_BYTES_MAX`] bytes in all.
    pub path: &'a str,
    /// The token, where the path carried one.
    pub token: Option<Secret<'a>>,
}

/// Reads the path of a request ([`crate::request::Request::path`]).
///
/// # Errors
/// [`BadRequest::NotServed`] for a path of neither form; the other path kinds for one that
/// is refused.
pub fn parse<'a>(raw: &'a str, room: &'a mut PathRoom) -> Result<LivePath<'a>, BadRequest> {
    let (token, rest) = match raw.strip_prefix("/live/") {
        Some(rest) => (None, rest),
        None => {
            let rest = raw.strip_prefix("/ingest/").ok_or(BadRequest::NotServed)?;
            let (token, rest) = rest.split_once('/').ok_or(BadRequest::NotServed)?;
            if !is_token(token) {
                return Err(BadRequest::Token);
            }
            (Some(Secret::new(token)), rest)
        }
    };
    let (stream, raw_path) = rest.split_once('/').ok_or(BadRequest::NotServed)?;
    if !is_stream_id(stream) {
        return Err(BadRequest::StreamId);
    }
    if raw_path.is_empty() {
        return Err(BadRequest::NotServed);
    }
    let path = decode(raw_path, room)?;
    let clean = |segment: &str| !segment.is_empty() && segment != "." && segment != "..";
    if !path.split('/').all(clean) {
        return Err(BadRequest::PathSegment);
    }
    Ok(LivePath {
        stream,
        path,
        token,
    })
}

/// Whether `id` can name a stream: 1 to 64 of `A–Z a–z 0–9 . _ -`, and not `.` or `..`.
#[must_use]
pub fn is_stream_id(id: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    (1..=STREAM_ID_BYTES_MAX).contains(&id.len())
        && id != "."
        && id != ".."
        && id.bytes().all(plain)
}

/// Whether `token` can stand in a path: 1 to 128 of `A–Z a–z 0–9 . _ ~ -`.
#[must_use]
pub fn is_token(token: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._~-".contains(&byte);
    (1..=TOKEN_BYTES_MAX).contains(&token.len()) && token.bytes().all(plain)
}

/// The decoded path: `raw` itself where nothing is encoded, else a copy in `room`.
fn decode<'a>(raw: &'a str, room: &'a mut PathRoom) -> Result<&'a str, BadRequest> {
    if !raw.bytes().all(is_path_byte) {
        return Err(BadRequest::PathSegment);
    }
    if !raw.contains('%') {
        return if raw.len() <= PATH_BYTES_MAX {
            Ok(raw)
        } else {
            Err(BadRequest::PathTooLong)
        };
    }
    let mut bytes = raw.bytes();
    let mut len = 0;
    while let Some(byte) = bytes.next() {
        let decoded = if byte == b'%' {
            escaped(bytes.next(), bytes.next())?
        } else {
            byte
        };
        *room.0.get_mut(len).ok_or(BadRequest::PathTooLong)? = decoded;
        len += 1;
    }
    std::str::from_utf8(&room.0[..len]).map_err(|_| BadRequest::PathEncoding)
}

/// The byte behind a percent sign.
fn escaped(high: Option<u8>, low: Option<u8>) -> Result<u8, BadRequest> {
    let digit = |byte: Option<u8>| byte.and_then(|byte| char::from(byte).to_digit(16));
    let (Some(high), Some(low)) = (digit(high), digit(low)) else {
        return Err(BadRequest::PathEncoding);
    };
    match (high << 4 | low) as u8 {
        b'/' | b'\\' | b'.' | b'%' | 0..=0x1f | 0x7f => Err(BadRequest::PathEncoding),
        byte => Ok(byte),
    }
}

/// What RFC 3986 lets stand in a path, slashes and percent signs included.
fn is_path_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@/%".contains(&byte)
}

impl<'a> LivePath<'a> {
    /// What is in front of the last slash of the path, if there is one.
    #[must_use]
    pub fn folder(&self) -> Option<&'a str> {
        self.path.rsplit_once('/').map(|(folder, _)| folder)
    }

    /// The last segment of the path.
    #[must_use]
    pub fn file_name(&self) -> &'a str {
        self.path
            .rsplit_once('/')
            .map_or(self.path, |(_, name)| name)
    }
}

/// As in the request, decoded, with the token hidden.
impl fmt::Display for LivePath<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let front = if self.token.is_some() {
            "/ingest/…"
        } else {
            "/live"
        };
        write!(f, "{front}/{}/{}", self.stream, self.path)
    }
}

impl fmt::Debug for LivePath<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LivePath({self})")
    }
}

/// A raw path for a log. It shows a path that is plainly a viewer's and hides the rest of
/// any other, since a token may be anywhere in a path that was not understood.
#[derive(Clone, Copy)]
pub struct Redacted<'a>(pub &'a str);

impl fmt::Display for Redacted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let printable = self.0.bytes().all(|byte| byte.is_ascii_graphic());
        if printable && self.0.starts_with("/live/") && !self.0.contains("ingest") {
            f.write_str(self.0)
        } else if self.0.starts_with("/ingest/") {
            f.write_str("/ingest/…")
        } else if matches!(self.0, "/" | "*") {
            f.write_str(self.0)
        } else {
            f.write_str("/…")
        }
    }
}

impl fmt::Debug for Redacted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
