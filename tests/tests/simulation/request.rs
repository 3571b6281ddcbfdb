//! What a viewer asks for.

use std::rc::Rc;

use zonecast_io::Time;

use super::random::Random;

/// One request.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) path: Rc<str>,
    pub(crate) asked: Time,
    pub(crate) head_only: bool,
    pub(crate) http10: bool,
    pub(crate) range: Option<String>,
    pub(crate) tag: Option<String>,
}

impl Request {
    /// As it goes over the wire.
    pub(crate) fn text(&self, credentials: bool) -> String {
        let method = if self.head_only { "HEAD" } else { "GET" };
        let version = if self.http10 { "1.0" } else { "1.1" };
        let mut text = format!("{method} {} HTTP/{version}\r\nHost: x\r\n", self.path);
        if let Some(range) = &self.range {
            text.push_str(&format!("Range: bytes={range}\r\n"));
        }
        if let Some(tag) = &self.tag {
            text.push_str(&format!("If-None-Match: {tag}\r\n"));
        }
        if credentials {
            text.push_str("Authorization: Bearer secret\r\n");
        }
        text.push_str("\r\n");
        text
    }
}

/// A range of some kind.
pub(crate) fn range(random: &mut Random) -> String {
    let from = random.below(100_000);
    match random.below(3) {
        0 => format!("{from}-"),
        1 => format!("-{}", from + 1),
        _ => format!("{from}-{}", from + random.below(100_000)),
    }
}
