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
    let room = &input[..input.len().min(limits.head_bytes_max)];
    loop {
        walk.check_first_byte(room, limits)?;
        let end = walk.line_start + text_len(&room[walk.line_start..]);
        if walk.lines == 0 && end - walk.start > limits.request_line_bytes_max {
            return Err(BadRequest::RequestLineTooLong);
        }
        match (room.get(end), room.get(end + 1)) {
            (Some(b'\r'), Some(b'\n')) => {
                if walk.line_done(end)? {
                    return Ok(Some(Scanned {
                        start: walk.start,
                        line_end: walk.line_end,
                        end: walk.line_start,
                    }));
                }
            }
            (None, _) | (Some(b'\r'), None) if room.len() == input.len() => return Ok(None),
            (None, _) | (Some(b'\r'), None) => return Err(walk.too_long()),
            (Some(b'\r'), Some(_)) => return Err(BadRequest::BareCr),
            (Some(b'\n'), _) => return Err(BadRequest::BareLf),
            (Some(_), _) => return Err(BadRequest::ControlByte),
        }
    }
}

struct Walk {
    start: usize,
    line_end: usize,
    line_start: usize,
    /// Complete lines so far, the request line included.
    lines: usize,
}

impl Walk {
    /// Whether the first byte of a line may stand there.
    fn check_first_byte(&self, room: &[u8], limits: &HeadLimits) -> Result<(), BadRequest> {
        match room.get(self.line_start) {
            None | Some(b'\r') => Ok(()),
            Some(_) if self.lines > limits.fields_max.min(FIELDS_MAX) => {
                Err(BadRequest::TooManyFields)
            }
            Some(b' ' | b'\t') if self.lines == 0 => Err(BadRequest::RequestLine),
            Some(b' ' | b'\t') => Err(BadRequest::ObsFold),
            Some(_) => Ok(()),
        }
    }

    /// The line's CR LF is at `end`; true if it was the empty line that ends the head.
    fn line_done(&mut self, end: usize) -> Result<bool, BadRequest> {
        let empty = end == self.line_start;
        self.line_start = end + 2;
        match (empty, self.lines) {
            (true, 0) if self.start > 0 => return Err(BadRequest::RequestLine),
            (true, 0) => self.start = self.line_start,
            (true, _) => return Ok(true),
            (false, 0) => {
                self.line_end = end;
                self.lines = 1;
            }
            (false, _) => self.lines += 1,
        }
        Ok(false)
    }

    fn too_long(&self) -> BadRequest {
        if self.lines == 0 {
            BadRequest::RequestLineTooLong
        } else {
            BadRequest::HeadTooLong
        }
    }
}

/// How many bytes in front are neither line ends nor other control bytes; a tab is text.
/// A block at a time, which the compiler turns into vector instructions.
fn text_len(bytes: &[u8]) -> usize {
    const BLOCK: usize = 16;
    let is_control = |byte: &u8| (*byte < b' ') & (*byte != b'\t') | (*byte == 0x7f);
    let clean = |block: &&[u8]| !block.iter().fold(false, |any, byte| any | is_control(byte));
    let front = bytes.chunks_exact(BLOCK).take_while(clean).count() * BLOCK;
    let rest = &bytes[front..];
    front + rest.iter().position(is_control).unwrap_or(rest.len())
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
