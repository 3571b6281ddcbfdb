//! HTTP/1.1 on the wire, without I/O: heads and body framing.
//!
//! The tee reads what passes through it with this, and the viewers' client reads
//! responses with it. It is written apart from the daemon's own codec on purpose: a
//! verifier that shares a parser with what it verifies is blind to that parser's
//! mistakes. It is strict where a lenient reader could take a cut or garbled body for
//! a whole one. Nothing here allocates per body byte, and every line and head is bounded.

use std::ops::Range;

use thiserror::Error;

/// Bytes of a head at most; more is an error.
pub const HEAD_BYTES_MAX: usize = 16 * 1024;

const HEADERS_MAX: usize = 64;
const CHUNK_LINE_BYTES_MAX: usize = 256;
const TRAILER_BYTES_MAX: usize = 4096;

/// What makes bytes unreadable as HTTP/1.1.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum WireError {
    /// The head is not HTTP/1.x, or a field of it contradicts another.
    #[error("bad head: {0}")]
    Head(String),
    /// The head is longer than [`HEAD_BYTES_MAX`].
    #[error("head is longer than {HEAD_BYTES_MAX} bytes")]
    HeadTooLong,
    /// A chunk's size line, end or trailer is malformed or too long.
    #[error("bad chunked framing: {0}")]
    Chunk(&'static str),
}

/// How the end of a body is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// There is no body.
    None,
    /// So many bytes.
    Length(u64),
    /// `Transfer-Encoding: chunked`.
    Chunked,
    /// Everything up to the end of the connection (responses only).
    UntilClose,
}

/// The parts of a request's head that an observer needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestHead {
    /// As sent, e.g. `PUT`.
    pub method: String,
    /// The target as sent, with its query.
    pub target: String,
    /// How the body ends.
    pub framing: Framing,
    /// The sender said `Connection: close`, or speaks HTTP/1.0 without keep-alive.
    pub close: bool,
}

/// A response's head.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResponseHead {
    /// 100 to 999.
    pub status: u16,
    /// All fields, in order, names in lower case.
    pub fields: Vec<(String, String)>,
    /// How the body ends, were this the answer to a GET (see [`ResponseHead::framing_for`]).
    pub framing: Framing,
    /// The connection ends after this response.
    pub close: bool,
}

impl ResponseHead {
    /// How the body ends when this answers `method`: a HEAD has none, whatever the fields say.
    #[must_use]
    pub fn framing_for(&self, method: &str) -> Framing {
        if method == "HEAD" {
            Framing::None
        } else {
            self.framing
        }
    }
}

/// Reads a request's head from the start of `input`: the head and its bytes, or `None`
/// when more input is needed.
///
/// # Errors
/// The head is malformed, contradictory or too long.
pub fn request_head(input: &[u8]) -> Result<Option<(RequestHead, usize)>, WireError> {
    let mut fields = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut request = httparse::Request::new(&mut fields);
    let Some(bytes) = complete(request.parse(input), input)? else {
        return Ok(None);
    };
    let common = Common::read(request.headers, request.version == Some(1))?;
    Ok(Some((
        RequestHead {
            method: request.method.unwrap_or_default().to_owned(),
            target: request.path.unwrap_or_default().to_owned(),
            framing: common.framing.unwrap_or(Framing::None),
            close: common.close,
        },
        bytes,
    )))
}

/// Reads a response's head from the start of `input`: the head and its bytes, or `None`
/// when more input is needed.
///
/// # Errors
/// The head is malformed, contradictory or too long.
pub fn response_head(input: &[u8]) -> Result<Option<(ResponseHead, usize)>, WireError> {
    let mut fields = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut response = httparse::Response::new(&mut fields);
    let Some(bytes) = complete(response.parse(input), input)? else {
        return Ok(None);
    };
    let status = response.code.unwrap_or_default();
    let common = Common::read(response.headers, response.version == Some(1))?;
    let framing = match status {
        100..200 | 204 | 304 => Framing::None,
        _ => common.framing.unwrap_or(Framing::UntilClose),
    };
    let fields = response
        .headers
        .iter()
        .map(|field| {
            let value = String::from_utf8_lossy(field.value).into_owned();
            (field.name.to_ascii_lowercase(), value)
        })
        .collect();
    Ok(Some((
        ResponseHead {
            status,
            fields,
            framing,
            close: common.close || framing == Framing::UntilClose,
        },
        bytes,
    )))
}

fn complete(parsed: httparse::Result<usize>, input: &[u8]) -> Result<Option<usize>, WireError> {
    match parsed {
        Ok(httparse::Status::Complete(bytes)) if bytes <= HEAD_BYTES_MAX => Ok(Some(bytes)),
        Ok(httparse::Status::Partial) if input.len() <= HEAD_BYTES_MAX => Ok(None),
        Ok(_) => Err(WireError::HeadTooLong),
        Err(error) => Err(WireError::Head(error.to_string())),
    }
}

/// The fields that requests and responses read alike.
struct Common {
    framing: Option<Framing>,
    close: bool,
}

impl Common {
    fn read(fields: &[httparse::Header<'_>], version_11: bool) -> Result<Common, WireError> {
        let mut length = None;
        let mut chunked = false;
        let mut close = !version_11;
        for field in fields {
            let value = String::from_utf8_lossy(field.value);
            let value = value.trim();
            if field.name.eq_ignore_ascii_case("content-length") {
                let parsed = value
                    .parse::<u64>()
                    .map_err(|_| WireError::Head(format!("Content-Length {value:?}")))?;
                if length.replace(parsed).is_some() {
                    return Err(WireError::Head("several Content-Length".to_owned()));
                }
            } else if field.name.eq_ignore_ascii_case("transfer-encoding") {
                if chunked || !value.eq_ignore_ascii_case("chunked") {
                    return Err(WireError::Head(format!("Transfer-Encoding {value:?}")));
                }
                chunked = true;
            } else if field.name.eq_ignore_ascii_case("connection") {
                let has = |word: &str| {
                    value
                        .split(',')
                        .any(|w| w.trim().eq_ignore_ascii_case(word))
                };
                close = has("close") || (close && !has("keep-alive"));
            }
        }
        let framing = match (chunked, length) {
            (true, Some(_)) => {
                return Err(WireError::Head("both a length and chunked".to_owned()));
            }
            (true, None) => Some(Framing::Chunked),
            (false, length) => length.map(Framing::Length),
        };
        Ok(Common { framing, close })
    }
}

mod body;
pub use body::{Body, Piece};

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// ffmpeg's request line and fields, as it sends them.
    #[test]
    fn reads_an_encoders_head() {
        let wire =
            b"PUT /live/a/index0.m4s HTTP/1.1\r\nTransfer-Encoding: chunked\r\nAccept: */*\r\n\
            Connection: close\r\nHost: localhost\r\nIcy-MetaData: 1\r\n\r\n4\r\n";
        let (head, bytes) = request_head(wire).unwrap().unwrap();
        assert_eq!(head.method, "PUT");
        assert_eq!(head.target, "/live/a/index0.m4s");
        assert_eq!(head.framing, Framing::Chunked);
        assert!(head.close);
        assert_eq!(bytes, wire.len() - 3);
        assert_eq!(request_head(&wire[..40]).unwrap(), None);
    }

    /// Contradictory framing is an error in both directions; a HEAD never has a body.
    #[test]
    fn framing_of_responses() {
        let both = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n";
        assert!(response_head(both).is_err());
        let twice = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nContent-Length: 4\r\n\r\n";
        assert!(response_head(twice).is_err());
        let bare = b"HTTP/1.1 200 OK\r\n\r\n";
        let (head, _) = response_head(bare).unwrap().unwrap();
        assert_eq!(head.framing, Framing::UntilClose);
        assert_eq!(head.framing_for("HEAD"), Framing::None);
        assert!(head.close);
        let none = b"HTTP/1.1 204 No Content\r\nConnection: keep-alive\r\n\r\n";
        let (head, _) = response_head(none).unwrap().unwrap();
        assert_eq!(head.framing, Framing::None);
        assert!(!head.close);
    }
}
