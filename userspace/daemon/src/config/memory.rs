//! `[memory]`: the memory of each zone's rings.

use serde::de::{Deserialize, Deserializer};
use zonecast_dataplane::MemoryConfig;
use zonecast_numa::PageKind;

use super::report::Report;
use crate::units::{Bytes, Text};

/// What `pages` may be, for error messages.
const PAGES_FORM: &str = r#"one of "auto", "1GiB", "2MiB", "transparent", "plain""#;

/// The smallest arena that makes sense: one large page.
const ARENA_MIN: Bytes = Bytes::mib(2);

/// The largest one: more than any machine has.
const ARENA_MAX: Bytes = Bytes::mib(64 << 20);

/// The table `[memory]`.
#[derive(Clone, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Memory {
    /// Bytes of ring memory in each zone.
    pub arena: Bytes,
    /// The best page size to try.
    pub pages: Pages,
}

impl Default for Memory {
    fn default() -> Self {
        Self {
            arena: Bytes::mib(1024),
            pages: Pages::Auto,
        }
    }
}

impl Memory {
    /// As the data plane wants it.
    pub fn resolve(&self, report: &mut Report<'_>) -> MemoryConfig {
        report.between("memory.arena", self.arena, ARENA_MIN, ARENA_MAX);
        MemoryConfig {
            arena_bytes: self.arena.0,
            pages: self.pages.best(self.arena),
        }
    }
}

/// The top of the ladder of page sizes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pages {
    /// The largest one that the arena is a multiple of.
    Auto,
    /// This one, or what is below it on the ladder.
    Kind(PageKind),
}

impl Pages {
    fn best(self, arena: Bytes) -> PageKind {
        match self {
            Self::Kind(kind) => kind,
            Self::Auto if arena.0.is_multiple_of(1 << 30) => PageKind::Huge1G,
            Self::Auto => PageKind::Huge2M,
        }
    }
}

impl std::str::FromStr for Pages {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "auto" => Ok(Self::Auto),
            "1GiB" => Ok(Self::Kind(PageKind::Huge1G)),
            "2MiB" => Ok(Self::Kind(PageKind::Huge2M)),
            "transparent" => Ok(Self::Kind(PageKind::Transparent)),
            "plain" => Ok(Self::Kind(PageKind::Plain)),
            _ => Err(format!("{text:?} is not {PAGES_FORM}")),
        }
    }
}

impl<'de> Deserialize<'de> for Pages {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(Text::new(PAGES_FORM))
    }
}
