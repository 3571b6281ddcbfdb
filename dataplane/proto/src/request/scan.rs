//! The first pass over a head: where it ends, and whether its lines are clean.
//!
//! Every verdict depends on the bytes up to one position only. That is why a head that
//! arrives byte by byte gets the verdict of the same head in one piece.

use super::{FIELDS_MAX, HeadLimits, Version};
use crate::BadRequest;

/// Where the parts of a complete head are.
pub(super) struct Scanned {
    /// Where the request line begins: behind an empty line, where one came first
    /// (RFC 9112 section 2.2).
    pub(super) start: usize,
    /// Where the request line ends, without its CR LF.
    pub(super) line_end: usize,
    /// Where the head ends, its empty line included.
    pub(super) end: usize,
}

/// Walks `input` up to the end of the head; `None` when that has not arrived yet.
pub(super) fn scan(input: &[u8], limits: &HeadLimits) -> Result<Option<Scanned>, BadRequest> {
    let mut walk = Walk {
        start: 0,
        line_end: 0,
        line_start: 0,
        lines: 0,
    };
    let mut previous = 0;
    for (at, &byte) in input.iter().enumerate() {
        walk.check_room(at, byte, limits)?;
        if previous == b'\r' && byte != b'\n' {
            return Err(BadRequest::BareCr);
        }
        match byte {
            b'\n' if previous != b'\r' => return Err(BadRequest::BareLf),
            b'\n' => {
                if walk.line_done(at)? {
                    return Ok(Some(Scanned {
                        start: walk.start,
                        line_end: walk.line_end,
                        end: at + 1,
                    }));
                }
            }
            b' ' | b'\t' if at == walk.line_start => return Err(walk.leading_space()),
            b'\r' | b'\t' | b' '..=b'~' | 0x80.. => {}
            _ => return Err(BadRequest::ControlByte),
        }
        previous = byte;
    }
    Ok(None)
}

struct Walk {
    start: usize,
    line_end: usize,
    line_start: usize,
    /// Complete lines so far, the request line included.
    lines: usize,
}

impl Walk {
    /// Whether the byte at `at` may still belong to the head.
    fn check_room(&self, at: usize, byte: u8, limits: &HeadLimits) -> Result<(), BadRequest> {
        let in_request_line = self.lines == 0;
        if in_request_line
            && at - self.start >= limits.request_line_bytes_max
            && !matches!(byte, b'\r' | b'\n')
        {
            return Err(BadRequest::RequestLineTooLong);
        }
        if at >= limits.head_bytes_max {
            return Err(if in_request_line {
                BadRequest::RequestLineTooLong
            } else {
                BadRequest::HeadTooLong
            });
        }
        let another_field = at == self.line_start && byte != b'\r';
        if another_field && self.lines > limits.fields_max.min(FIELDS_MAX) {
            return Err(BadRequest::TooManyFields);
        }
        Ok(())
    }

    /// A CR LF ended at `at`; true if it ended the head.
    fn line_done(&mut self, at: usize) -> Result<bool, BadRequest> {
        let empty = at - 1 == self.line_start;
        match (empty, self.lines) {
            (true, 0) if self.start > 0 => return Err(BadRequest::RequestLine),
            (true, 0) => self.start = at + 1,
            (true, _) => return Ok(true),
            (false, 0) => {
                self.line_end = at - 1;
                self.lines = 1;
            }
            (false, _) => self.lines += 1,
        }
        self.line_start = at + 1;
        Ok(false)
    }

    fn leading_space(&self) -> BadRequest {
        if self.lines == 0 {
            BadRequest::RequestLine
        } else {
            BadRequest::ObsFold
        }
    }
}

/// The version at the end of a request line.
pub(super) fn version(line: &[u8]) -> Result<Version, BadRequest> {
    let at = line
        .iter()
        .rposition(|&byte| byte == b' ')
        .ok_or(BadRequest::RequestLine)?;
    match &line[at + 1..] {
        b"HTTP/1.1" => Ok(Version::Http11),
        b"HTTP/1.0" => Ok(Version::Http10),
        [b'H', b'T', b'T', b'P', b'/', major, rest @ ..]
            if major.is_ascii_digit()
                && (rest.is_empty() || matches!(rest, [b'.', minor] if minor.is_ascii_digit())) =>
        {
            Err(BadRequest::Version)
        }
        _ => Err(BadRequest::RequestLine),
    }
}
