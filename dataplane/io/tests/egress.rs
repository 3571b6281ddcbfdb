//! Egress on real devices: a network namespace with two veth pairs, as root.

#![allow(clippy::unwrap_used, reason = "a test's panic is its verdict")]

mod common;

use std::fs::File;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::net::sockopt::set_socket_recv_buffer_size;
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use zonecast_io::egress::{Device, Egress, Offload, TlsTransmit, Watch};
use zonecast_io::{Descriptors, Driver, Event, KernelKey, TlsCipher, TlsVersion, Token};

/// A network namespace that goes with its owner. The thread that made it is in it.
struct Namespace {
    name: String,
}

impl Namespace {
    /// `None`, with the reason printed, where there can be none.
    fn enter() -> Option<Namespace> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("zonecast-{}-{count}", std::process::id());
        if !rustix::process::geteuid().is_root() {
            println!("SKIP: network namespaces need root");
            return None;
        }
        let made = Command::new("ip").args(["netns", "add", &name]).status();
        if !made.is_ok_and(|status| status.success()) {
            println!("SKIP: `ip netns add` does not work here");
            return None;
        }
        let namespace = Namespace { name };
        let file = File::open(format!("/run/netns/{}", namespace.name)).unwrap();
        let kind = LinkNameSpaceType::Network;
        move_into_link_name_space(std::os::fd::AsFd::as_fd(&file), Some(kind)).unwrap();
        Some(namespace)
    }

    /// Runs `ip` with these words in it.
    fn ip(&self, words: &str) {
        let mut command = Command::new("ip");
        command.args(["-n", &self.name]).args(words.split(' '));
        assert!(command.status().unwrap().success(), "ip {words}");
    }

    /// Two pairs: `a1` with 10.7.1.1/24 and `a2` with 10.7.2.1/24; their peers are up.
    fn with_two_links(&self) {
        for n in [1, 2] {
            self.ip(&format!("link add a{n} type veth peer name b{n}"));
            self.ip(&format!("addr add 10.7.{n}.1/24 dev a{n}"));
            self.ip(&format!("link set a{n} up"));
            self.ip(&format!("link set b{n} up"));
        }
        self.ip("link set lo up");
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        let _ = Command::new("ip")
            .args(["netns", "del", &self.name])
            .status();
    }
}

/// Runs a test on a thread of its own, so that no other test is in its namespace.
fn inside(test: fn(&Namespace)) {
    let thread = std::thread::spawn(move || {
        if let Some(namespace) = Namespace::enter() {
            test(&namespace);
        }
    });
    thread.join().unwrap();
}

fn device(egress: &Egress, name: &str) -> Device {
    let mut devices = egress.devices(Path::new("/sys")).unwrap().into_iter();
    devices.find(|device| device.name == name).unwrap()
}

fn to(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

/// Shows that devices are described as they are: virtual, up or down, no cards, nothing offered.
#[test]
fn devices_are_described() {
    inside(|namespace| {
        namespace.with_two_links();
        namespace.ip("link set a2 down");
        let egress = Egress::open().unwrap();
        let (a1, a2) = (device(&egress, "a1"), device(&egress, "a2"));
        assert!(
            a1.is_up && a1.is_virtual && !a1.is_loopback && a1.node.is_none(),
            "{a1:?}"
        );
        assert!(!a2.is_up && !a2.offers_tls_tx());
        assert!(
            [TlsTransmit::No, TlsTransmit::Unknown].contains(&a1.tls_transmit),
            "{a1:?}"
        );
        let addresses = egress.addresses().unwrap();
        let ip: std::net::IpAddr = "10.7.1.1".parse().unwrap();
        let found = addresses.iter().find(|address| address.ip == ip).unwrap();
        assert_eq!(found.device, a1.index);
    });
}

/// Shows that the route decides, that a rule for the source does, and that no route is an error.
#[test]
fn the_route_picks_the_device() {
    inside(|namespace| {
        namespace.with_two_links();
        let egress = Egress::open().unwrap();
        let (a1, a2) = (device(&egress, "a1").index, device(&egress, "a2").index);
        let (from_1, from_2) = (to("10.7.1.1:443"), to("10.7.2.1:443"));
        assert_eq!(egress.route_of(from_1, to("10.7.1.9:5000")).unwrap(), a1);
        assert_eq!(egress.route_of(from_1, to("10.7.2.9:5000")).unwrap(), a2);
        let mapped = (to("[::ffff:10.7.1.1]:443"), to("[::ffff:10.7.1.9]:5000"));
        assert_eq!(egress.route_of(mapped.0, mapped.1).unwrap(), a1);

        let far = to("203.0.113.9:5000");
        assert!(egress.route_of(from_1, far).is_err());
        namespace.ip("route add default via 10.7.1.2 dev a1");
        assert_eq!(egress.route_of(from_2, far).unwrap(), a1);
        namespace.ip("route add default via 10.7.2.2 dev a2 table 7");
        namespace.ip("rule add from 10.7.2.1 lookup 7");
        assert_eq!(egress.route_of(from_2, far).unwrap(), a2);
        assert_eq!(egress.route_of(from_1, far).unwrap(), a1);
    });
}

/// Shows that each kind of change is told, once, and can be waited for; that silence is silence.
#[test]
fn every_kind_of_change_is_told() {
    inside(|namespace| {
        let mut watch = Watch::open().unwrap();
        assert!(!watch.changed(), "nothing has happened yet");
        namespace.with_two_links();
        assert!(watch.changed());
        for change in [
            "route add default via 10.7.1.2 dev a1",
            "route del default",
            "rule add from 10.7.2.1 lookup 7",
            "-6 rule add from 2001:db8::1 lookup 7",
            "-6 route add 2001:db8:1::/64 dev a1",
            "addr add 10.7.3.1/24 dev a1",
            "-6 addr add 2001:db8::1/64 dev a1 nodad",
            "nexthop add id 7 via 10.7.1.2 dev a1",
            "link set a1 mtu 1400",
            "link del a2",
        ] {
            watch.changed();
            namespace.ip(change);
            let mut polled = [PollFd::from_borrowed_fd(watch.fd(), PollFlags::IN)];
            poll(&mut polled, Some(&rustix::time::Timespec::default())).unwrap();
            assert!(polled[0].revents().contains(PollFlags::IN), "{change}");
            assert!(watch.changed(), "{change}");
        }
        assert_eq!(watch.overruns(), 0);
    });
}

/// Shows that a device's last down is remembered though it is up again, for it alone, and only for
/// what was set up before; and that a device that is gone counts as down.
#[test]
fn a_down_device_is_remembered() {
    inside(|namespace| {
        namespace.with_two_links();
        let egress = Egress::open().unwrap();
        let (a1, a2) = (device(&egress, "a1").index, device(&egress, "a2").index);
        let mut watch = Watch::open().unwrap();
        let before = watch.epoch();
        namespace.ip("link set a1 mtu 1400");
        assert!(watch.changed());
        assert!(!watch.down_since(a1, before), "it was never down");

        namespace.ip("link set a1 down");
        namespace.ip("link set a1 up");
        assert!(watch.changed());
        assert!(watch.down_since(a1, before));
        assert!(!watch.down_since(a2, before), "it was another one");
        let after = watch.epoch();
        assert!(after > before && !watch.down_since(a1, after));

        namespace.ip("link set a2 down");
        assert!(watch.changed());
        let after = watch.epoch();
        namespace.ip("link del a2");
        assert!(watch.changed());
        assert!(watch.down_since(a2, after), "it was down, and is gone");
    });
}

/// Shows that more changes than the socket holds are an overrun, after which every device counts as
/// down, also those that nothing was told of.
#[test]
fn an_overrun_counts_as_a_change_of_everything() {
    inside(|namespace| {
        namespace.with_two_links();
        let egress = Egress::open().unwrap();
        let a2 = device(&egress, "a2").index;
        let mut watch = Watch::open().unwrap();
        set_socket_recv_buffer_size(watch.fd(), 4096).unwrap();
        let before = watch.epoch();
        let lines: String = (0..200)
            .map(|n| format!("link set a1 mtu {}\n", 1300 + n % 2))
            .collect();
        let batch = std::env::temp_dir().join(&namespace.name);
        std::fs::write(&batch, lines).unwrap();
        namespace.ip(&format!("-batch {}", batch.display()));
        std::fs::remove_file(&batch).unwrap();
        assert!(watch.changed());
        assert_eq!(watch.overruns(), 1);
        assert!(watch.down_since(a2, before));
        let after = watch.epoch();
        assert!(!watch.down_since(a2, after));
        namespace.ip("link set a2 down");
        assert!(watch.changed(), "it goes on after an overrun");
        assert!(watch.down_since(a2, after));
    });
}

/// Shows that a connection over a pair of devices is found, and is nobody's to seal.
#[test]
fn a_plain_connection_is_nobodys() {
    inside(|namespace| {
        namespace.with_two_links();
        let egress = Egress::open().unwrap();
        let listener = TcpListener::bind("10.7.1.1:0").unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (accepted, _) = listener.accept().unwrap();
        assert_eq!(egress.offload_of(&accepted).unwrap(), Offload::None);
        assert_eq!(egress.offload_of(&client).unwrap(), Offload::None);
    });
}

/// Shows that a driver tells of a change although a hand-over, and a question after it, came first; and
/// that it tells of it once.
#[test]
fn a_change_is_told_whoever_reads_it_first() {
    inside(|namespace| {
        namespace.with_two_links();
        let mut bench = common::Bench::<()>::new(common::config());
        bench.driver.watch_egress(Path::new("/sys")).unwrap();
        let (_, address) = bench.listen("127.0.0.1", Descriptors::Plain);
        let (_client, conn) = bench.connect(address);
        assert!(!bench.driver.leaving_changed());
        namespace.ip("link set a2 down");
        let key = KernelKey::new(
            TlsVersion::Tls12,
            TlsCipher::Aes128Gcm,
            &[7; 16],
            &[1; 12],
            1,
        );
        bench.driver.seal_in_kernel(conn, Box::new(key), Token(60));
        assert!(matches!(bench.wait(Token(60)), Event::SealedByKernel(_)));
        bench.driver.leaving(conn).unwrap();
        assert!(bench.driver.leaving_changed());
        assert!(!bench.driver.leaving_changed());
    });
}

/// Shows that a driver tells the node of the device by which a connection leaves just then, also
/// after its route was moved.
#[test]
fn the_node_is_that_of_the_device_of_the_moment() {
    inside(|namespace| {
        namespace.with_two_links();
        let sys = tempfile::tempdir().unwrap();
        for (name, node) in [("a1", "1"), ("a2", "0")] {
            let device = sys.path().join("class/net").join(name).join("device");
            std::fs::create_dir_all(&device).unwrap();
            std::fs::write(device.join("numa_node"), node).unwrap();
        }
        let mut bench = common::Bench::<()>::new(common::config());
        bench.driver.watch_egress(sys.path()).unwrap();
        let (_, address) = bench.listen("10.7.1.1", Descriptors::Plain);
        let (_client, conn) = bench.connect(address);
        let node = |bench: &mut common::Bench<()>| bench.driver.leaving(conn).map(|l| l.node);
        assert_eq!(node(&mut bench).unwrap(), None, "loopback has none");
        assert!(!bench.driver.leaving_changed());
        namespace.ip("rule add from 10.7.1.1 lookup 100 pref 1");
        namespace.ip("rule del from all lookup local");
        namespace.ip("rule add from all lookup local pref 2");
        for (device, expected) in [("a1", Some(1)), ("a2", Some(0))] {
            namespace.ip(&format!("route replace default dev {device} table 100"));
            assert!(bench.driver.leaving_changed());
            assert_eq!(node(&mut bench).unwrap(), expected);
        }
    });
}

/// Shows that a connection with a direct descriptor cannot be asked about.
#[test]
fn a_direct_descriptor_is_not_known() {
    let mut bench = common::Bench::<()>::new(common::config());
    bench.driver.watch_egress(Path::new("/sys")).unwrap();
    let (_, address) = bench.listen("127.0.0.1", Descriptors::Direct);
    let (_client, conn) = bench.connect(address);
    if bench.driver.peer(conn).is_some() {
        println!("SKIP: no direct descriptors here");
        return;
    }
    let error = bench.driver.leaving(conn).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::Unsupported);
}
