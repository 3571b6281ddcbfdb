//! `zones`: which CPUs make a zone.

use std::fmt;
use std::str::FromStr;

use serde::de::{self, Deserialize, Deserializer, SeqAccess, Visitor};
use zonecast_numa::zones::{ZoneSpec, ZonesSpec};

use super::report::Report;

/// What `zones` may be, for error messages.
const FORM: &str =
    r#""auto", "virtual:N" with N from 1 to 64, or a list such as [{ cpus = [0, 1], node = 0 }]"#;

/// Virtual zones at most; more are surely a slip.
const VIRTUAL_MAX: u16 = 64;

/// How the machine is divided.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Zones {
    /// One zone a NUMA node.
    #[default]
    Auto,
    /// This many slices of a machine with one node.
    Virtual(u16),
    /// As listed.
    Listed(Vec<ListedZone>),
}

/// One zone of a list.
#[derive(Clone, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ListedZone {
    /// The kernel's numbers of its CPUs.
    pub cpus: Vec<usize>,
    /// The NUMA node that its memory comes from; `None` leaves that to the kernel.
    #[serde(default)]
    pub node: Option<u32>,
}

impl Zones {
    /// As the planner wants it; `None` for an empty list, which is noted.
    pub fn resolve(&self, key: &str, report: &mut Report<'_>) -> Option<ZonesSpec> {
        match self {
            Self::Auto => Some(ZonesSpec::Auto),
            Self::Virtual(n) => Some(ZonesSpec::Virtual(*n)),
            Self::Listed(list) if list.is_empty() => {
                report.error(key, format!("an empty list is not allowed: {FORM}"));
                None
            }
            Self::Listed(list) => Some(ZonesSpec::Listed(
                list.iter().map(ListedZone::spec).collect(),
            )),
        }
    }
}

impl ListedZone {
    fn spec(&self) -> ZoneSpec {
        ZoneSpec {
            cpus: self.cpus.clone(),
            node: self.node,
        }
    }
}

impl FromStr for Zones {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let count = text.strip_prefix("virtual:").and_then(|n| n.parse().ok());
        match (text, count) {
            ("auto", _) => Ok(Self::Auto),
            (_, Some(n)) if (1..=VIRTUAL_MAX).contains(&n) => Ok(Self::Virtual(n)),
            _ => Err(format!("{text:?} is not {FORM}")),
        }
    }
}

impl<'de> Deserialize<'de> for Zones {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TextOrList)
    }
}

struct TextOrList;

impl<'de> Visitor<'de> for TextOrList {
    type Value = Zones;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(FORM)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Zones, E> {
        text.parse().map_err(E::custom)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Zones, A::Error> {
        let mut zones = Vec::new();
        while let Some(zone) = list.next_element()? {
            zones.push(zone);
        }
        Ok(Zones::Listed(zones))
    }
}
