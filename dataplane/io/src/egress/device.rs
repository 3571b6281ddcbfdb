//! The devices of a network namespace, and the addresses that they have.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::Path;

use rustix::net::netdevice::index_to_name_inlined;

use super::Egress;
use super::features::TlsTransmit;
use super::netlink::{Answer, Request, attribute, text, u32_at};

pub(super) const RTM_NEWLINK: u16 = 16;
pub(super) const RTM_DELLINK: u16 = 17;
const RTM_GETLINK: u16 = 18;
const RTM_NEWADDR: u16 = 20;
const RTM_GETADDR: u16 = 22;
/// `struct ifinfomsg`: family, type, index, flags, change.
const LINK_BYTES: usize = 16;
/// `struct ifaddrmsg`: family, prefix length, flags, scope, index.
const ADDRESS_BYTES: usize = 8;
const IFLA_IFNAME: u16 = 3;
/// The device behind the interface: a card's, on some bus (Linux 5.14).
const IFLA_PARENT_DEV_NAME: u16 = 56;
const IFA_ADDRESS: u16 = 1;
/// With a peer's address in [`IFA_ADDRESS`], this one is ours.
const IFA_LOCAL: u16 = 2;

/// A network interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device {
    /// The kernel's number, which a route names.
    pub index: u32,
    /// Its name, such as `eth0`.
    pub name: String,
    /// The NUMA node of the card; `None` where there is no card or nobody knows.
    pub node: Option<u32>,
    /// Whether it has been switched on.
    pub is_up: bool,
    /// Whether it leads back to this machine.
    pub is_loopback: bool,
    /// Whether there is no device of some bus behind it (veth, bridge, tunnel, …).
    pub is_virtual: bool,
    /// Whether it can seal TLS records that leave.
    pub tls_transmit: TlsTransmit,
}

impl Device {
    /// Whether a connection that leaves by it may be sealed by it, as it is set now.
    #[must_use]
    pub fn offers_tls_tx(&self) -> bool {
        self.is_up && self.tls_transmit == TlsTransmit::On
    }
}

/// An address of this machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Address {
    /// The address.
    pub ip: IpAddr,
    /// The index of the device that has it.
    pub device: u32,
}

impl Egress {
    /// All devices, by index. `sys` is where the kernel's files are (`/sys`): of their NUMA nodes.
    ///
    /// # Errors
    /// What the kernel says. A device whose features cannot be read has [`TlsTransmit::Unknown`].
    pub fn devices(&self, sys: &Path) -> io::Result<Vec<Device>> {
        let answers = self
            .route
            .ask(Request::all(RTM_GETLINK, &[0; LINK_BYTES]))?;
        let mut devices: Vec<Device> = answers.iter().filter_map(read_device).collect();
        for device in &mut devices {
            device.node = zonecast_numa::topology::node_of_nic(sys, &device.name);
            if let Some(ethtool) = &self.ethtool {
                device.tls_transmit = ethtool.tls_transmit(device.index);
            }
        }
        devices.sort_by_key(|device| device.index);
        Ok(devices)
    }

    /// The NUMA node of a device. `sys` is where the kernel's files are (`/sys`).
    #[must_use]
    pub fn node_of(&self, device: u32, sys: &Path) -> Option<u32> {
        let name = index_to_name_inlined(&self.route, device).ok()?;
        zonecast_numa::topology::node_of_nic(sys, name.as_str())
    }

    /// All addresses of all devices.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn addresses(&self) -> io::Result<Vec<Address>> {
        let answers = self
            .route
            .ask(Request::all(RTM_GETADDR, &[0; ADDRESS_BYTES]))?;
        Ok(answers.iter().filter_map(read_address).collect())
    }
}

/// Index and flags of a link message.
pub(super) fn index_and_flags(body: &[u8]) -> Option<(u32, u32)> {
    Some((u32_at(body, 4)?, u32_at(body, 8)?))
}

pub(super) fn is_up(flags: u32) -> bool {
    flags & libc::IFF_UP as u32 != 0
}

fn read_device(answer: &Answer) -> Option<Device> {
    if answer.kind != RTM_NEWLINK {
        return None;
    }
    let (index, flags) = index_and_flags(&answer.body)?;
    Some(Device {
        index,
        name: text(attribute(&answer.body, LINK_BYTES, IFLA_IFNAME)?),
        node: None,
        is_up: is_up(flags),
        is_loopback: flags & libc::IFF_LOOPBACK as u32 != 0,
        is_virtual: attribute(&answer.body, LINK_BYTES, IFLA_PARENT_DEV_NAME).is_none(),
        tls_transmit: TlsTransmit::Unknown,
    })
}

fn read_address(answer: &Answer) -> Option<Address> {
    if answer.kind != RTM_NEWADDR {
        return None;
    }
    let body = &answer.body;
    let bytes = attribute(body, ADDRESS_BYTES, IFA_LOCAL);
    let bytes = bytes.or_else(|| attribute(body, ADDRESS_BYTES, IFA_ADDRESS))?;
    let ip = match bytes.len() {
        4 => Ipv4Addr::from(<[u8; 4]>::try_from(bytes).ok()?).into(),
        _ => Ipv6Addr::from(<[u8; 16]>::try_from(bytes).ok()?).into(),
    };
    let device = u32_at(body, 4)?;
    Some(Address { ip, device })
}

#[cfg(test)]
mod tests {
    use super::super::netlink::push_attribute;
    use super::*;

    fn link(flags: u32, attributes: &[(u16, &[u8])]) -> Answer {
        let mut body = vec![0; LINK_BYTES];
        body[4..8].copy_from_slice(&7_u32.to_ne_bytes());
        body[8..12].copy_from_slice(&flags.to_ne_bytes());
        for (kind, value) in attributes {
            push_attribute(&mut body, *kind, value);
        }
        Answer {
            kind: RTM_NEWLINK,
            body,
        }
    }

    /// Shows how a card and a virtual interface differ, and that other messages are stepped over.
    #[test]
    fn a_card_has_a_parent() {
        let card = link(
            1,
            &[
                (IFLA_IFNAME, b"eth0\0"),
                (IFLA_PARENT_DEV_NAME, b"0000:01:00.0\0"),
            ],
        );
        let card = read_device(&card).unwrap();
        assert_eq!((card.index, card.name.as_str()), (7, "eth0"));
        assert!(card.is_up && !card.is_virtual && !card.is_loopback);
        let veth = read_device(&link(0, &[(IFLA_IFNAME, b"va\0")])).unwrap();
        assert!(!veth.is_up && veth.is_virtual);
        assert!(read_device(&link(1, &[])).is_none(), "no name");
        let body = Vec::new();
        assert!(
            read_device(&Answer {
                kind: RTM_NEWADDR,
                body
            })
            .is_none()
        );
    }

    /// Shows that of a point-to-point link's two addresses ours is taken.
    #[test]
    fn our_side_of_a_link_is_taken() {
        let mut body = vec![0; ADDRESS_BYTES];
        body[4..8].copy_from_slice(&3_u32.to_ne_bytes());
        push_attribute(&mut body, IFA_ADDRESS, &[10, 0, 0, 2]);
        push_attribute(&mut body, IFA_LOCAL, &[10, 0, 0, 1]);
        let kind = RTM_NEWADDR;
        let address = read_address(&Answer { kind, body }).unwrap();
        let ip = IpAddr::from([10, 0, 0, 1]);
        assert_eq!(address, Address { ip, device: 3 });
    }

    /// Shows that this machine's loopback is found, with its address.
    #[test]
    fn loopback_is_found() {
        let egress = Egress::open().unwrap();
        let devices = egress.devices(Path::new("/sys")).unwrap();
        let lo = devices.iter().find(|d| d.is_loopback).unwrap();
        assert!(lo.is_virtual && !lo.offers_tls_tx(), "{lo:?}");
        let ip = IpAddr::from(Ipv4Addr::LOCALHOST);
        let device = lo.index;
        assert!(
            !lo.is_up
                || egress
                    .addresses()
                    .unwrap()
                    .contains(&Address { ip, device })
        );
        println!("{devices:#?}");
    }
}
