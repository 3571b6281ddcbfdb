//! Chunk framing (RFC 9112 section 7.1): decoding what encoders send, and the pieces of
//! framing that responses need.
//!
//! The decoder holds no bytes: it says which of the caller's bytes are data. Extensions
//! and trailers are checked for what could hide a line end, counted against one bound,
//! and dropped.
//!
//! Invariants: the data that comes out does not depend on how the input was split, and
//! nothing behind the final CR LF is ever consumed.

use std::ops::Range;

use crate::BadRequest;

/// Bytes of extensions and trailers that one body may have.
pub const OVERHEAD_BYTES_MAX: u32 = 16 * 1024;

/// Digits that a chunk size may have, zeros in front included.
const SIZE_DIGITS_MAX: u8 = 16;

/// What ends each chunk's data.
pub const CHUNK_END: &[u8] = b"\r\n";

/// What ends a body: the last chunk and an empty trailer.
pub const LAST_CHUNK: &[u8] = b"0\r\n\r\n";

/// The longest line that [`encode_size`] writes.
pub const SIZE_LINE_BYTES_MAX: usize = 18;

/// Writes the line in front of a chunk of `len` bytes into `room` and returns it.
///
/// # Panics
/// If `len` is 0, which would end the body: that is [`LAST_CHUNK`].
pub fn encode_size(len: u64, room: &mut [u8; SIZE_LINE_BYTES_MAX]) -> &[u8] {
    assert!(len > 0, "a chunk of no bytes would end the body");
    let digits = (16 - len.leading_zeros() / 4) as usize;
    for (place, out) in room[..digits].iter_mut().rev().enumerate() {
        *out = b"0123456789abcdef"[(len >> (4 * place)) as usize & 15];
    }
    room[digits..digits + 2].copy_from_slice(CHUNK_END);
    &room[..digits + 2]
}

/// What one call of [`Decoder::decode`] found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// Bytes of the input that are dealt with, the data included.
    pub consumed: usize,
    /// Which of them are data; may be empty. It ends where `consumed` does unless empty.
    pub data: Range<usize>,
}

/// Where the decoder is. A state's name says what the next byte should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Size {
        value: u64,
        digits: u8,
    },
    /// White space between the size and its extension.
    BeforeExtension {
        value: u64,
    },
    Extension {
        value: u64,
    },
    SizeLf {
        value: u64,
    },
    Data {
        left: u64,
    },
    DataCr,
    DataLf,
    /// The first byte of a trailer line, or the CR of the empty line.
    TrailerStart,
    Trailer,
    TrailerLf,
    FinalLf,
    Done,
}

/// Decodes one chunked body.
#[derive(Clone, Debug)]
pub struct Decoder {
    state: State,
    overhead_left: u32,
}

impl Default for Decoder {
    fn default() -> Self {
        Self::new()
    }
}

impl Decoder {
    /// A decoder at the first byte of a body.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            state: State::Size {
                value: 0,
                digits: 0,
            },
            overhead_left: OVERHEAD_BYTES_MAX,
        }
    }

    /// True once the final CR LF is consumed: the body is complete.
    #[must_use]
    pub fn done(&self) -> bool {
        self.state == State::Done
    }

    /// Bytes of the present chunk that are still to come (0 between chunks): how much can
    /// be received straight to its destination. Not bounded; the peer chose it.
    #[must_use]
    pub fn data_left(&self) -> u64 {
        match self.state {
            State::Data { left } => left,
            _ => 0,
        }
    }

    /// Takes `count` data bytes as received elsewhere, without having seen them.
    ///
    /// # Panics
    /// If `count` is more than [`Decoder::data_left`].
    pub fn skip_data(&mut self, count: u64) {
        assert!(count <= self.data_left(), "more data than the chunk has");
        if let State::Data { left } = self.state {
            self.state = State::after_data(left - count);
        }
    }

    /// Looks at the front of `input` and deals with framing up to the end of the next run
    /// of data. Call it again with the rest until the input is used up or
    /// [`Decoder::done`]; then it consumes nothing more. In any other state it consumes
    /// at least one byte of input that is not empty.
    ///
    /// # Errors
    /// [`BadRequest`] of the chunk kinds; the decoder must not be used afterwards.
    pub fn decode(&mut self, input: &[u8]) -> Result<Piece, BadRequest> {
        for (at, &byte) in input.iter().enumerate() {
            match self.state {
                State::Done => {
                    return Ok(Piece {
                        consumed: at,
                        data: at..at,
                    });
                }
                State::Data { left } => {
                    let take = usize::try_from(left)
                        .unwrap_or(usize::MAX)
                        .min(input.len() - at);
                    self.state = State::after_data(left - take as u64);
                    return Ok(Piece {
                        consumed: at + take,
                        data: at..at + take,
                    });
                }
                state => self.state = self.framing(state, byte)?,
            }
        }
        Ok(Piece {
            consumed: input.len(),
            data: input.len()..input.len(),
        })
    }

    /// The state behind one byte of framing.
    fn framing(&mut self, state: State, byte: u8) -> Result<State, BadRequest> {
        match (state, byte) {
            (State::Size { value, digits }, _) => size(value, digits, byte),
            (State::BeforeExtension { value } | State::Extension { value }, _) => {
                if byte != b'\r' {
                    self.spend_overhead()?;
                }
                extension(state, value, byte)
            }
            (State::SizeLf { value: 0 }, b'\n') => Ok(State::TrailerStart),
            (State::SizeLf { value }, b'\n') => Ok(State::Data { left: value }),
            (State::DataCr, b'\r') => Ok(State::DataLf),
            (State::DataLf, b'\n') => Ok(State::Size {
                value: 0,
                digits: 0,
            }),
            (State::TrailerStart, b'\r') => Ok(State::FinalLf),
            (State::Trailer, b'\r') => Ok(State::TrailerLf),
            (State::TrailerStart | State::Trailer, _) => {
                self.spend_overhead()?;
                let fold = state == State::TrailerStart && matches!(byte, b' ' | b'\t');
                if fold || !is_text(byte) {
                    return Err(BadRequest::ChunkFraming);
                }
                Ok(State::Trailer)
            }
            (State::TrailerLf, b'\n') => Ok(State::TrailerStart),
            (State::FinalLf, b'\n') => Ok(State::Done),
            _ => Err(BadRequest::ChunkFraming),
        }
    }

    fn spend_overhead(&mut self) -> Result<(), BadRequest> {
        self.overhead_left = self
            .overhead_left
            .checked_sub(1)
            .ok_or(BadRequest::ChunkOverhead)?;
        Ok(())
    }
}

impl State {
    fn after_data(left: u64) -> Self {
        if left == 0 {
            Self::DataCr
        } else {
            Self::Data { left }
        }
    }
}

fn size(value: u64, digits: u8, byte: u8) -> Result<State, BadRequest> {
    let digit = match byte {
        b'0'..=b'9' => byte - b'0',
        b'a'..=b'f' => byte - b'a' + 10,
        b'A'..=b'F' => byte - b'A' + 10,
        _ if digits == 0 => return Err(BadRequest::ChunkSize),
        b'\r' => return Ok(State::SizeLf { value }),
        b';' => return Ok(State::Extension { value }),
        b' ' | b'\t' => return Ok(State::BeforeExtension { value }),
        _ => return Err(BadRequest::ChunkSize),
    };
    if digits == SIZE_DIGITS_MAX {
        return Err(BadRequest::ChunkSize);
    }
    Ok(State::Size {
        value: value << 4 | u64::from(digit),
        digits: digits + 1,
    })
}

fn extension(state: State, value: u64, byte: u8) -> Result<State, BadRequest> {
    match (state, byte) {
        (State::BeforeExtension { .. }, b' ' | b'\t') => Ok(state),
        (State::BeforeExtension { .. }, b';') => Ok(State::Extension { value }),
        (State::Extension { .. }, b'\r') => Ok(State::SizeLf { value }),
        (State::Extension { .. }, byte) if is_text(byte) => Ok(state),
        _ => Err(BadRequest::ChunkFraming),
    }
}

/// A byte that neither ends a line nor hides one.
fn is_text(byte: u8) -> bool {
    byte == b'\t' || (byte >= b' ' && byte != 0x7f)
}
