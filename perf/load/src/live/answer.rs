//! One response, as far as it is opened: its head, and its body compared, collected, hashed or
//! passed over.

use std::hash::{DefaultHasher, Hasher as _};

use zonecast_perf::wire::{Body, Framing, HEAD_BYTES_MAX, response_head};

use super::media::Media;

/// A playlist may have so many bytes.
const TEXT_BYTES_MAX: usize = 1 << 20;

/// What a response is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asked {
    /// A playlist, which is read.
    Playlist,
    /// A segment of a track of the media; `all` opens and compares every byte.
    Segment {
        track: usize,
        number: u64,
        all: bool,
    },
    /// A segment that nobody knows; `all` hashes it.
    Foreign { all: bool },
}

/// How much is left of a body.
#[derive(Debug)]
enum Rest {
    Head,
    Length(u64),
    Framed(Body),
}

/// A response on its way.
#[derive(Debug)]
pub(crate) struct Answer {
    asked: Asked,
    rest: Rest,
    status: u16,
    close: bool,
    /// The head so far; then the text of a playlist.
    text: Vec<u8>,
    /// Body bytes so far.
    at: u64,
    compared: bool,
    hash: DefaultHasher,
}

/// A response that has come to its end.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Ended {
    pub(crate) status: u16,
    /// The server closes.
    pub(crate) close: bool,
    /// Of a playlist.
    pub(crate) text: Vec<u8>,
    pub(crate) body_bytes: u64,
    /// Every byte was opened and compared or hashed.
    pub(crate) compared: bool,
    pub(crate) hash: u64,
}

impl Answer {
    pub(crate) fn new(asked: Asked) -> Answer {
        Answer {
            asked,
            rest: Rest::Head,
            status: 0,
            close: false,
            text: Vec::new(),
            at: 0,
            compared: true,
            hash: DefaultHasher::new(),
        }
    }

    /// The status, once the head is there; 0 before.
    pub(crate) fn status(&self) -> u16 {
        self.status
    }

    /// Bytes that may be passed over unseen from here on.
    pub(crate) fn may_pass(&self) -> u64 {
        let opens = match self.asked {
            Asked::Playlist => true,
            Asked::Segment { all, .. } | Asked::Foreign { all } => all,
        };
        match self.rest {
            Rest::Length(left) if !opens => left,
            _ => 0,
        }
    }

    /// So many bytes of the body were passed over.
    pub(crate) fn pass(&mut self, bytes: u64) {
        if let Rest::Length(left) = &mut self.rest {
            *left = left.saturating_sub(bytes);
        }
        self.at += bytes;
        self.compared = false;
    }

    /// Takes opened bytes.
    pub(crate) fn take(&mut self, media: &Media, came: &[u8]) -> Result<(), String> {
        if !matches!(self.rest, Rest::Head) {
            return self.body(media, came);
        }
        self.text.extend_from_slice(came);
        let parsed = response_head(&self.text).map_err(|error| error.to_string())?;
        let Some((head, bytes)) = parsed else {
            return match self.text.len() > HEAD_BYTES_MAX {
                true => Err("a head without an end".to_owned()),
                false => Ok(()),
            };
        };
        let start = self.text.split_off(bytes);
        self.text = Vec::new();
        (self.status, self.close) = (head.status, head.close);
        self.rest = match head.framing {
            Framing::None => Rest::Length(0),
            Framing::Length(bytes) => Rest::Length(bytes),
            framing @ Framing::Chunked => Rest::Framed(Body::new(framing)),
            Framing::UntilClose => return Err("a body without a length".to_owned()),
        };
        if let (Asked::Segment { track, .. }, Rest::Length(bytes), 200) =
            (self.asked, &self.rest, head.status)
        {
            let due = media.size(track) as u64;
            if *bytes != due {
                return Err(format!("Content-Length {bytes} instead of {due}"));
            }
        }
        self.body(media, &start)
    }

    fn body(&mut self, media: &Media, came: &[u8]) -> Result<(), String> {
        let mut came = came;
        while !came.is_empty() {
            let (data, consumed) = match &mut self.rest {
                Rest::Framed(body) if !body.done() => {
                    let piece = body.decode(came).map_err(|error| error.to_string())?;
                    (&came[piece.data], piece.consumed)
                }
                Rest::Length(left) if *left > 0 => {
                    let bytes = came.len().min(usize::try_from(*left).unwrap_or(usize::MAX));
                    *left -= bytes as u64;
                    (&came[..bytes], bytes)
                }
                _ => return Err(format!("{} bytes that nobody asked for", came.len())),
            };
            self.data(media, data)?;
            came = &came[consumed..];
        }
        Ok(())
    }

    fn data(&mut self, media: &Media, data: &[u8]) -> Result<(), String> {
        let at = self.at;
        self.at += data.len() as u64;
        if self.status != 200 {
            return Ok(());
        }
        match self.asked {
            Asked::Playlist if self.text.len() + data.len() > TEXT_BYTES_MAX => {
                return Err("a playlist without an end".to_owned());
            }
            Asked::Playlist => self.text.extend_from_slice(data),
            Asked::Segment { track, number, .. } => {
                media.compare(
                    track,
                    number,
                    usize::try_from(at).unwrap_or(usize::MAX),
                    data,
                )?;
            }
            Asked::Foreign { all: true } => self.hash.write(data),
            Asked::Foreign { all: false } => {}
        }
        Ok(())
    }

    /// The response, once it has come to its end.
    pub(crate) fn ended(&mut self, media: &Media) -> Result<Option<Ended>, String> {
        let over = match &self.rest {
            Rest::Head => false,
            Rest::Length(left) => *left == 0,
            Rest::Framed(body) => body.done(),
        };
        if !over {
            return Ok(None);
        }
        if let (Asked::Segment { track, .. }, 200) = (self.asked, self.status) {
            let due = media.size(track) as u64;
            if self.at != due {
                return Err(format!("a body of {} bytes instead of {due}", self.at));
            }
        }
        Ok(Some(Ended {
            status: self.status,
            close: self.close,
            text: std::mem::take(&mut self.text),
            body_bytes: self.at,
            compared: self.compared && !matches!(self.asked, Asked::Foreign { all: false }),
            hash: self.hash.finish(),
        }))
    }
}
