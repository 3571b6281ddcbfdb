//! What a server made of a connection.

use std::fmt;

/// One request, as a server understood it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    /// The row's upload, with this body, which is not empty.
    Put(Vec<u8>),
    /// The request that follows each row.
    Next,
    /// The one that hides in some rows.
    Smuggled,
    Other,
}

/// How a connection came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// As the last answer said.
    Agreed,
    /// With this status.
    Refused(u16),
    /// Without a word.
    Cut,
    /// Nothing more came, for as long as the server waits.
    Waits,
}

/// All of a connection.
pub(crate) struct Verdict {
    pub(crate) seen: Vec<Seen>,
    pub(crate) end: End,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut words: Vec<String> = self.seen.iter().map(ToString::to_string).collect();
        words.extend(match self.end {
            End::Agreed => None,
            End::Refused(status) => Some(status.to_string()),
            End::Cut => Some("cut".to_owned()),
            End::Waits => Some("waits".to_owned()),
        });
        f.pad(&words.join(", "))
    }
}

impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Put(body) => write!(f, "put <{}>", String::from_utf8_lossy(body)),
            Self::Next => f.write_str("next"),
            Self::Smuggled => f.write_str("smuggled"),
            Self::Other => f.write_str("other"),
        }
    }
}
