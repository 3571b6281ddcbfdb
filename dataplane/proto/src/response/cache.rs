//! `Cache-Control`: how long a shared cache or a player may keep a response.

use super::writer::Writer;
use crate::HeadError;

/// What is said to caches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CacheControl {
    /// Nothing.
    Unsaid,
    /// `no-store`: every 404, 410, 503, and what is for one encoder.
    NoStore,
    /// `no-cache`: may be kept, and is asked for each time.
    NoCache,
    /// `max-age=seconds`, with `immutable` where a name is never used again.
    MaxAge {
        /// For so long.
        seconds: u32,
        /// RFC 8246: not even a reload asks again.
        immutable: bool,
    },
}

impl CacheControl {
    pub(super) fn write(self, writer: &mut Writer<'_>) -> Result<(), HeadError> {
        match self {
            Self::Unsaid => Ok(()),
            Self::NoStore => writer.line("Cache-Control", b"no-store"),
            Self::NoCache => writer.line("Cache-Control", b"no-cache"),
            Self::MaxAge { seconds, immutable } => {
                writer.raw(b"Cache-Control: max-age=")?;
                writer.decimal(u64::from(seconds))?;
                writer.raw(if immutable {
                    b", immutable\r\n"
                } else {
                    b"\r\n"
                })
            }
        }
    }
}
