//! A body's framing, byte by byte: where its data lies in what was received, and when it
//! is whole. A body is whole only when [`Body::done`] says so; input that ends earlier is
//! a truncated body, which the callers report and never hash as a whole one.

use super::{CHUNK_LINE_BYTES_MAX, Framing, Range, TRAILER_BYTES_MAX, WireError};

/// What one call of [`Body::decode`] found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// Input bytes that are used up, framing and data.
    pub consumed: usize,
    /// Where in the input the body's data lies; may be empty.
    pub data: Range<usize>,
}

/// A body being received.
#[derive(Debug, Clone)]
pub struct Body {
    state: State,
    line_bytes: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Length(u64),
    UntilClose,
    Size { value: u64, digits: u8 },
    Extension(u64),
    SizeEnd(u64),
    Data(u64),
    DataReturn,
    DataEnd,
    Trailer,
    TrailerLine,
    LastEnd,
    Done,
}

impl Body {
    /// A body that ends as `framing` says.
    #[must_use]
    pub fn new(framing: Framing) -> Body {
        let state = match framing {
            Framing::None | Framing::Length(0) => State::Done,
            Framing::Length(bytes) => State::Length(bytes),
            Framing::Chunked => State::Size {
                value: 0,
                digits: 0,
            },
            Framing::UntilClose => State::UntilClose,
        };
        Body {
            state,
            line_bytes: 0,
        }
    }

    /// The body is whole.
    #[must_use]
    pub fn done(&self) -> bool {
        self.state == State::Done
    }

    /// Bytes of data that must still come, where that is known.
    #[must_use]
    pub fn remaining(&self) -> Option<u64> {
        match self.state {
            State::Length(bytes) => Some(bytes),
            State::Done => Some(0),
            _ => None,
        }
    }

    /// The connection ended: whole if nothing was missing, which only a body that lasts
    /// until then can claim.
    #[must_use]
    pub fn ended_by_close(&self) -> bool {
        matches!(self.state, State::Done | State::UntilClose)
    }

    /// Reads `input` up to the end of the next run of data, of the body, or of the input.
    /// Call again with what is left until the input is used up or the body is done.
    ///
    /// # Errors
    /// The framing is malformed; the body cannot go on.
    pub fn decode(&mut self, input: &[u8]) -> Result<Piece, WireError> {
        let mut at = 0;
        while at < input.len() {
            match self.state {
                State::Done => break,
                State::UntilClose => {
                    return Ok(Piece {
                        consumed: input.len(),
                        data: at..input.len(),
                    });
                }
                State::Length(left) => {
                    let end = run(at, left, input.len());
                    let left = left - (end - at) as u64;
                    self.state = if left == 0 {
                        State::Done
                    } else {
                        State::Length(left)
                    };
                    return Ok(Piece {
                        consumed: end,
                        data: at..end,
                    });
                }
                State::Data(left) => {
                    let end = run(at, left, input.len());
                    let left = left - (end - at) as u64;
                    self.state = if left == 0 {
                        State::DataReturn
                    } else {
                        State::Data(left)
                    };
                    return Ok(Piece {
                        consumed: end,
                        data: at..end,
                    });
                }
                _ => {
                    self.state = self.framing_byte(input[at])?;
                    at += 1;
                }
            }
        }
        Ok(Piece {
            consumed: at,
            data: at..at,
        })
    }

    /// One byte of chunk framing: the state after it.
    fn framing_byte(&mut self, byte: u8) -> Result<State, WireError> {
        self.line_bytes += 1;
        let limit = match self.state {
            State::Trailer | State::TrailerLine | State::LastEnd => TRAILER_BYTES_MAX,
            _ => CHUNK_LINE_BYTES_MAX,
        };
        if self.line_bytes > limit {
            return Err(WireError::Chunk("a line is too long"));
        }
        Ok(match (self.state, byte) {
            (State::Size { value, digits }, _) if byte.is_ascii_hexdigit() => {
                if digits == 15 {
                    return Err(WireError::Chunk("a size is too large"));
                }
                let digit = char::from(byte).to_digit(16).unwrap_or_default();
                State::Size {
                    value: value * 16 + u64::from(digit),
                    digits: digits + 1,
                }
            }
            (State::Size { digits: 0, .. }, _) => return Err(WireError::Chunk("no size")),
            (State::Size { value, .. }, b';') => State::Extension(value),
            (State::Size { value, .. } | State::Extension(value), b'\r') => State::SizeEnd(value),
            (State::Extension(value), 0x20..=0x7e | b'\t') => State::Extension(value),
            (State::SizeEnd(value), b'\n') => {
                self.line_bytes = 0;
                if value == 0 {
                    State::Trailer
                } else {
                    State::Data(value)
                }
            }
            (State::DataReturn, b'\r') => State::DataEnd,
            (State::DataEnd, b'\n') => {
                self.line_bytes = 0;
                State::Size {
                    value: 0,
                    digits: 0,
                }
            }
            (State::Trailer, b'\r') => State::LastEnd,
            (State::TrailerLine, b'\n') => State::Trailer,
            (State::Trailer | State::TrailerLine, _) => State::TrailerLine,
            (State::LastEnd, b'\n') => State::Done,
            _ => return Err(WireError::Chunk("a line does not end as it must")),
        })
    }
}

fn run(at: usize, left: u64, input: usize) -> usize {
    at + usize::try_from(left).unwrap_or(usize::MAX).min(input - at)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// Decodes `wire` cut into pieces of `step` bytes; returns data, whether whole, rest.
    fn decode(
        framing: Framing,
        wire: &[u8],
        step: usize,
    ) -> Result<(Vec<u8>, bool, usize), WireError> {
        let mut body = Body::new(framing);
        let mut data = Vec::new();
        let mut used = 0;
        for piece in wire.chunks(step) {
            let mut input = piece;
            while !input.is_empty() && !body.done() {
                let found = body.decode(input)?;
                data.extend_from_slice(&input[found.data]);
                used += found.consumed;
                input = &input[found.consumed..];
            }
        }
        Ok((data, body.done(), wire.len() - used))
    }

    /// However a chunked body is cut, the data is the same and what follows stays unread.
    #[test]
    fn chunked_is_the_same_for_every_cut() {
        let wire = b"4\r\nWiki\r\n6;name=value\r\npedia \r\nE\r\nin \r\n\r\nchunks.\r\n0\r\nA: b\r\n\r\nNEXT";
        for step in 1..wire.len() {
            let (data, done, rest) = decode(Framing::Chunked, wire, step).unwrap();
            assert_eq!(data, b"Wikipedia in \r\n\r\nchunks.", "step {step}");
            assert!(done);
            assert_eq!(rest, 4);
        }
    }

    /// A body without its last chunk is never whole, and a close does not make it so.
    #[test]
    fn a_cut_chunked_body_is_not_whole() {
        let wire = b"4\r\nWiki\r\n0\r\n\r\n";
        for cut in 0..wire.len() {
            let (_, done, _) = decode(Framing::Chunked, &wire[..cut], 3).unwrap();
            assert!(!done, "cut at {cut}");
        }
        let mut body = Body::new(Framing::Length(10));
        body.decode(b"123").unwrap();
        assert!(!body.ended_by_close());
        assert_eq!(body.remaining(), Some(7));
    }

    /// Malformed framing is an error, not data.
    #[test]
    fn malformed_framing_is_refused() {
        for wire in [
            &b"\r\n"[..],
            b"xyz\r\n",
            b"4\nWiki",
            b"4\r\nWikiX",
            b"4\r\nWiki\r\r",
            b"fffffffffffffffff\r\n",
            b"0\r\n\rX",
        ] {
            assert!(
                decode(Framing::Chunked, wire, 1).is_err(),
                "{:?}",
                String::from_utf8_lossy(wire)
            );
        }
    }
}
