//! Which devices an address leaves by.

use zonecast_io::egress::TlsTransmit;
use zonecast_numa::ZoneId;

use super::*;
use crate::doctor::roots::Roots;
use crate::doctor::sealing;

fn device(index: u32, name: &str, is_up: bool) -> Device {
    Device {
        index,
        name: name.to_owned(),
        node: None,
        is_up,
        is_loopback: name == "lo",
        is_virtual: name == "lo",
        tls_transmit: TlsTransmit::No,
    }
}

fn zone(id: u16, nics: &[&str]) -> Zone {
    Zone {
        id: ZoneId(id),
        node: Some(id.into()),
        is_virtual: false,
        loop_cpus: vec![id.into()],
        control_cpus: vec![id.into()],
        nics: nics.iter().map(|&name| name.to_owned()).collect(),
        warnings: Vec::new(),
    }
}

/// Gives `check` a machine with loopback, one card on each of two nodes, and one that is down.
fn on_a_machine(check: impl FnOnce(&Seen<'_>)) {
    let devices = [
        device(1, "lo", true),
        device(2, "eth0", true),
        device(3, "eth1", true),
        device(4, "eth2", false),
    ];
    let addresses: Vec<Address> = [
        ("127.0.0.1", 1),
        ("192.0.2.1", 2),
        ("2001:db8::1", 3),
        ("192.0.2.9", 4),
    ]
    .into_iter()
    .map(|(ip, device)| Address {
        ip: ip.parse().unwrap(),
        device,
    })
    .collect();
    let kernel = KernelTls::none("no");
    let sealing = sealing::describe(&kernel, &Roots::host());
    check(&Seen {
        devices: &devices,
        addresses: &addresses,
        zones: &[zone(0, &["eth0"]), zone(1, &["eth1"])],
        kernel: &kernel,
        sealing: &sealing,
    });
}

/// Shows that an address is its device's, also when that is down; that all addresses are those of
/// the family on devices that are up; that loopback has more addresses than it lists.
#[test]
fn an_address_has_its_devices() {
    on_a_machine(|seen| {
        for (ip, expected) in [
            ("192.0.2.1", &["eth0"][..]),
            ("2001:db8::1", &["eth1"]),
            ("192.0.2.9", &["eth2"]),
            ("127.0.0.5", &["lo"]),
            ("0.0.0.0", &["lo", "eth0"]),
            ("::", &["lo", "eth0", "eth1"]),
            ("::ffff:192.0.2.1", &["eth0"]),
            ("198.51.100.1", &[]),
        ] {
            let names: Vec<&str> = leaving(ip.parse().unwrap(), seen)
                .iter()
                .map(|device| device.name.as_str())
                .collect();
            assert_eq!(names, expected, "{ip}");
        }
    });
}

/// Shows that a device names its zone, and that a listener without a device has a path as well.
#[test]
fn every_listener_has_a_path() {
    on_a_machine(|seen| {
        let asked = Asked {
            tls: true,
            kernel_tls: true,
            nic_tls12: false,
            viewers: true,
        };
        let address = ListenAddress::Tcp("[2001:db8::1]:443".parse().unwrap());
        let listener = describe("https", &address, asked, seen);
        let [way] = &listener.egress[..] else {
            panic!("{listener:?}")
        };
        assert_eq!(way.device.as_ref().unwrap().zones, [1]);
        let socket = describe("x", &ListenAddress::Unix("/run/x".into()), asked, seen);
        let [way] = &socket.egress[..] else {
            panic!("{socket:?}")
        };
        assert!(way.device.is_none());
        assert_eq!(way.choice.path.as_str(), "userspace_tls");
    });
}
