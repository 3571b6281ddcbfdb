//! By which devices the connections of each listener leave, and how their bytes go there.

use std::net::IpAddr;

use serde::Serialize;
use zonecast_dataplane::ListenAddress;
use zonecast_io::KernelTls;
use zonecast_io::egress::{Address, Device};
use zonecast_numa::zones::Zone;

use super::path::{Asked, Choice, choose};
use super::sealing::Sealing;
use crate::config::{Settings, written};

/// What was seen on the machine.
pub struct Seen<'a> {
    /// Its network devices.
    pub devices: &'a [Device],
    /// Their addresses.
    pub addresses: &'a [Address],
    /// The zones.
    pub zones: &'a [Zone],
    /// What the kernel seals.
    pub kernel: &'a KernelTls,
    /// The same with its remedy.
    pub sealing: &'a Sealing,
}

/// One listener.
#[derive(Debug, Serialize)]
pub struct Listener {
    /// Its name; `ingest` for encoders.
    pub name: String,
    /// Where it listens.
    pub address: String,
    /// Whether its connections are TLS.
    pub tls: bool,
    /// The one zone whose loops accept; `None`: all do (of encoders: one loop).
    pub zone: Option<u16>,
    /// Where its connections leave, and how.
    pub egress: Vec<Way>,
}

/// One way out of a listener.
#[derive(Debug, Serialize)]
pub struct Way {
    /// By which device; `None` for a Unix socket, and where routes alone decide.
    pub device: Option<Card>,
    /// How the bytes go.
    #[serde(flatten)]
    pub choice: Choice,
}

/// A network device.
#[derive(Debug, Serialize)]
pub struct Card {
    /// Its name.
    pub name: String,
    /// Its NUMA node, if it has one.
    pub node: Option<u32>,
    /// The zones that it is near.
    pub zones: Vec<u16>,
    /// Whether it is up.
    pub is_up: bool,
    /// Whether no card is behind it.
    pub is_virtual: bool,
    /// `tls-hw-tx-offload`: on, off, no or unknown.
    pub tls_hw_tx_offload: String,
}

/// Looks at every listener.
pub(super) fn look(settings: &Settings, seen: &Seen<'_>) -> Vec<Listener> {
    let encoders = settings.ingest.addresses.iter().map(|address| {
        let asked = Asked {
            tls: settings.ingest.tls,
            kernel_tls: false,
            nic_tls12: false,
            viewers: false,
        };
        describe("ingest", address, asked, seen)
    });
    let mut all = of_viewers(settings, seen);
    all.extend(encoders);
    all
}

/// Looks at those of viewers.
pub(super) fn of_viewers(settings: &Settings, seen: &Seen<'_>) -> Vec<Listener> {
    let viewers = settings.listeners.iter().map(|listener| {
        let asked = Asked {
            tls: listener.tls,
            kernel_tls: listener.kernel_tls,
            nic_tls12: listener.nic_tls12,
            viewers: true,
        };
        Listener {
            zone: listener.zone,
            ..describe(&listener.name, &listener.address, asked, seen)
        }
    });
    viewers.collect()
}

fn describe(name: &str, address: &ListenAddress, asked: Asked, seen: &Seen<'_>) -> Listener {
    let devices = match address {
        ListenAddress::Tcp(address) => leaving(address.ip(), seen),
        ListenAddress::Unix(_) => Vec::new(),
    };
    let way = |device: Option<&Device>| Way {
        device: device.map(|device| card(device, seen.zones)),
        choice: choose(asked, device, seen.kernel, seen.sealing),
    };
    let egress = match &devices[..] {
        [] => vec![way(None)],
        devices => devices.iter().map(|device| way(Some(device))).collect(),
    };
    Listener {
        name: name.to_owned(),
        address: written(address),
        tls: asked.tls,
        zone: None,
        egress,
    }
}

/// The devices that have the address; for all addresses, those that are up and have one of the
/// family (of both, for all of IPv6).
fn leaving<'a>(ip: IpAddr, seen: &Seen<'a>) -> Vec<&'a Device> {
    let ip = ip.to_canonical();
    let has = |device: &Device| {
        let mut own = seen.addresses.iter().filter(|a| a.device == device.index);
        match ip {
            _ if !ip.is_unspecified() => {
                own.any(|address| address.ip == ip) || (ip.is_loopback() && device.is_loopback)
            }
            IpAddr::V4(_) => device.is_up && own.any(|address| address.ip.is_ipv4()),
            IpAddr::V6(_) => device.is_up && own.next().is_some(),
        }
    };
    seen.devices.iter().filter(|device| has(device)).collect()
}

fn card(device: &Device, zones: &[Zone]) -> Card {
    let near = zones.iter().filter(|zone| zone.nics.contains(&device.name));
    Card {
        name: device.name.clone(),
        node: device.node,
        zones: near.map(|zone| zone.id.0).collect(),
        is_up: device.is_up,
        is_virtual: device.is_virtual,
        tls_hw_tx_offload: device.tls_transmit.to_string(),
    }
}

#[cfg(test)]
#[path = "listeners_tests.rs"]
mod tests;
