//! `[steering]`: how viewers' connections get to the zone that holds their stream.

use std::net::IpAddr;
use std::path::PathBuf;
use std::str::FromStr;

use serde::de::{Deserialize, Deserializer};
use zonecast_control::{SteeringConfig, StreamPrefix, ZoneNames};
use zonecast_dataplane::Redirects;
use zonecast_ebpf::Folder;

use super::report::Report;
use crate::units::{Text, Time};

/// What `mode` may be, for error messages.
const MODE_FORM: &str = r#""auto" or "off""#;

/// What a host looks like, for error messages.
const HOST_FORM: &str = r#"a host name, with a port or without, such as "z1.live.example:8443""#;

/// What stands for a stream's id.
const STREAM: &str = "{stream}";

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
    /// The host of a stream, with `{stream}` for its id; empty: none.
    pub stream_host: String,
    /// What names zones.
    pub zones: Vec<SteeredZone>,
}

impl Default for Steering {
    fn default() -> Self {
        Self {
            mode: Mode::Auto,
            folder: PathBuf::from(Folder::DEFAULT),
            stream_prefix: Prefix(None),
            affinity: Time::seconds(600),
            stream_host: String::new(),
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
    /// A host name that leads to it, with a port where that is not the scheme's own.
    #[serde(default)]
    pub host: Option<String>,
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

    /// Where misplaced viewers are sent, on a machine of so many zones.
    pub fn redirects(&self, zones: usize, report: &mut Report<'_>) -> Redirects {
        let mut hosts = vec![None; zones];
        for (at, names) in self.zones.iter().enumerate() {
            let key = format!("steering.zones[{at}].host");
            let Some(host) = &names.host else {
                continue;
            };
            if !is_host(host) {
                report.error(&key, format!("{host:?} is not {HOST_FORM}"));
            } else if let Some(slot) = hosts.get_mut(usize::from(names.zone)) {
                *slot = Some(host.clone());
            }
        }
        let stream = match self.stream_host.split_once(STREAM) {
            _ if self.stream_host.is_empty() => None,
            Some((before, after)) if is_host(&format!("{before}x{after}")) => {
                Some((before.to_owned(), after.to_owned()))
            }
            _ => {
                let text = format!(
                    "{:?} is not {HOST_FORM}, with {STREAM} in it once",
                    self.stream_host
                );
                report.error("steering.stream_host", text);
                None
            }
        };
        Redirects {
            zones: hosts,
            stream,
        }
    }
}

/// Whether it is a host name or an address, perhaps with a port.
fn is_host(text: &str) -> bool {
    let (name, port) = match text.rsplit_once(':') {
        Some((name, port)) if !text.ends_with(']') => (name, port),
        _ => (text, "1"),
    };
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-".contains(&byte);
    let address = name.strip_prefix('[').and_then(|n| n.strip_suffix(']'));
    let named = match address {
        Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
        None => !name.is_empty() && name.len() < 254 && name.bytes().all(plain),
    };
    named && port.parse::<u16>().is_ok_and(|port| port > 0)
}
