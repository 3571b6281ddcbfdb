//! `[steering]`: how viewers' connections get to the zone that holds their stream.

use std::net::IpAddr;
use std::path::PathBuf;
use std::str::FromStr;

use serde::de::{Deserialize, Deserializer};
use zonecast_control::{SteeringConfig, StreamPrefix, ZoneNames};

use super::report::Report;
use crate::units::{Text, Time};

/// What `mode` may be, for error messages.
const MODE_FORM: &str = r#""auto" or "off""#;

/// Where programs and maps are pinned, unless the file says otherwise.
pub const DEFAULT_FOLDER: &str = "/sys/fs/bpf/zonecast";

/// The table `[steering]`.
#[derive(Clone, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Steering {
    /// Whether programs in the kernel steer.
    pub mode: Mode,
    /// Where they are pinned.
    pub folder: PathBuf,
    /// An IPv6 network of which every stream has an address; empty: none.
    pub stream_prefix: Prefix,
    /// How long what a client has watched counts.
    pub affinity: Time,
    /// What names zones.
    pub zones: Vec<SteeredZone>,
}

impl Default for Steering {
    fn default() -> Self {
        Self {
            mode: Mode::Auto,
            folder: PathBuf::from(DEFAULT_FOLDER),
            stream_prefix: Prefix(None),
            affinity: Time::seconds(600),
            zones: Vec::new(),
        }
    }
}

/// Whether programs in the kernel steer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Where the kernel lets us.
    Auto,
    /// Never: the kernel spreads connections over all loops.
    Off,
}

impl FromStr for Mode {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "auto" => Ok(Self::Auto),
            "off" => Ok(Self::Off),
            _ => Err(format!("{text:?} is not {MODE_FORM}")),
        }
    }
}

impl<'de> Deserialize<'de> for Mode {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(Text::new(MODE_FORM))
    }
}

/// A network of streams' addresses, or none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Prefix(pub Option<StreamPrefix>);

impl FromStr for Prefix {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "" => Ok(Self(None)),
            text => text
                .parse()
                .map(|prefix| Self(Some(prefix)))
                .map_err(|error: zonecast_control::PrefixError| error.to_string()),
        }
    }
}

impl<'de> Deserialize<'de> for Prefix {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(Text::new(
            r#"an IPv6 network, such as "2001:db8:5eed::/64""#,
        ))
    }
}

/// What names one zone.
#[derive(Clone, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SteeredZone {
    /// The zone.
    pub zone: u16,
    /// Addresses that are the zone's.
    #[serde(default)]
    pub addresses: Vec<IpAddr>,
    /// Interfaces near it, beside its node's cards.
    #[serde(default)]
    pub interfaces: Vec<String>,
}

impl Steering {
    /// For the control plane; `None`: no steering in the kernel.
    pub fn resolve(&self, report: &mut Report<'_>) -> Option<SteeringConfig> {
        let (second, day) = (Time::seconds(1), Time::seconds(24 * 3600));
        report.between("steering.affinity", self.affinity, second, day);
        if !self.folder.is_absolute() {
            let text = format!("{} is not absolute", self.folder.display());
            report.error("steering.folder", text);
        }
        let zones = self.zones.iter().map(|names| ZoneNames {
            zone: names.zone,
            addresses: names.addresses.clone(),
            interfaces: names.interfaces.clone(),
        });
        let config = SteeringConfig {
            folder: self.folder.clone(),
            streams: self.stream_prefix.0,
            zones: zones.collect(),
            affinity: self.affinity.duration(),
        };
        (self.mode == Mode::Auto).then_some(config)
    }
}
