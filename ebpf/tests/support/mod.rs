//! A network namespace with listening sockets of two zones, and programs that steer to them.

#![allow(clippy::unwrap_used, reason = "a test's panic is its verdict")]
#![allow(dead_code, reason = "each test binary uses its own part")]

use std::net::{SocketAddr, TcpListener};
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use rustix::net::sockopt::{set_socket_reuseport, socket_cookie};
use rustix::net::{AddressFamily, SocketType, bind, listen, socket};
use rustix::thread::{UnshareFlags, unshare_unsafe};
use zonecast_ebpf::{Error, Folder, Shape, Steering};

/// The port of the listener that all loops share.
pub(crate) const PORT: u16 = 8443;
/// The port of the one that belongs to zone 1.
pub(crate) const PORT_OF_ZONE_1: u16 = 8444;
/// Loops: two of zone 0, one of zone 1.
pub(crate) const ZONES: [u16; 3] = [0, 0, 1];

/// Puts this thread, and what it starts, into a network namespace of its own, with `lo` up and all of
/// fd00::/32 local; false, and a line that says so, where that is not allowed.
pub(crate) fn own_namespace() -> bool {
    if let Err(error) = alone() {
        println!("SKIP: no network namespace of our own: {error}");
        return false;
    }
    for line in ["link set lo up", "-6 route add local fd00::/32 dev lo"] {
        let made = Command::new("ip").args(line.split(' ')).status();
        assert!(made.unwrap().success(), "ip {line}");
    }
    true
}

fn alone() -> std::io::Result<()> {
    // SAFETY: no descriptor of this thread is shared differently by it.
    unsafe { unshare_unsafe(UnshareFlags::NEWNET) }?;
    Ok(())
}

/// What is listened on, and what steers there.
pub(crate) struct Bench {
    pub(crate) steering: Steering,
    /// By loop.
    pub(crate) sockets: Vec<TcpListener>,
    /// Of the listener of zone 1.
    pub(crate) of_zone_1: TcpListener,
    affinity: Duration,
    pinned: Pinned,
}

/// Removes what a test has pinned.
struct Pinned(String);

impl Drop for Pinned {
    fn drop(&mut self) {
        let root = folder(&self.0);
        for folder in [root.join("links"), root.join("v1")] {
            for entry in std::fs::read_dir(&folder).unwrap() {
                std::fs::remove_file(entry.unwrap().path()).unwrap();
            }
            std::fs::remove_dir(folder).unwrap();
        }
        std::fs::remove_dir(root).unwrap();
    }
}

impl Bench {
    /// Loads the programs, pinned under a name of the test; `None`, and a line that says so, where the
    /// kernel does not take them.
    pub(crate) fn new(name: &str, affinity: Duration) -> Option<Self> {
        let sockets: Vec<TcpListener> = ZONES.iter().map(|_| listening(PORT)).collect();
        let of_zone_1 = listening(PORT_OF_ZONE_1);
        let steering = load(name, affinity)?;
        let bench = Self {
            steering,
            sockets,
            of_zone_1,
            affinity,
            pinned: Pinned(name.to_owned()),
        };
        bench.fill();
        Some(bench)
    }

    /// As if a daemon had ended and the next one had been handed its sockets.
    pub(crate) fn restarted(self) -> Self {
        // The lock first.
        drop(self.steering);
        let steering = load(&self.pinned.0, self.affinity).unwrap();
        let bench = Self { steering, ..self };
        bench.fill();
        bench
    }

    /// Tells the programs of the sockets.
    pub(crate) fn fill(&self) {
        let any = |port| SocketAddr::new([0u16; 8].into(), port);
        for (id, socket) in self.sockets.iter().enumerate() {
            self.steering.socket(0, id as u16, socket).unwrap();
        }
        self.steering.socket(1, 2, &self.of_zone_1).unwrap();
        self.steering.listen(0, any(PORT), None).unwrap();
        self.steering
            .listen(1, any(PORT_OF_ZONE_1), Some(1))
            .unwrap();
    }

    /// The zone of the listening socket with this cookie.
    pub(crate) fn zone_of(&self, cookie: u64) -> u16 {
        let is = |socket: &TcpListener| socket_cookie(socket).unwrap() == cookie;
        if is(&self.of_zone_1) {
            return 1;
        }
        let at = self.sockets.iter().position(is);
        ZONES[at.expect("a socket of ours")]
    }
}

/// Where a test pins.
pub(crate) fn folder(name: &str) -> PathBuf {
    let id = std::process::id();
    PathBuf::from(format!("/sys/fs/bpf/zonecast-test-{id}-{name}"))
}

/// Loads the programs for [`ZONES`].
pub(crate) fn load(name: &str, affinity: Duration) -> Option<Steering> {
    let shape = Shape {
        loops: vec![2, 1],
        listeners: 2,
        affinity,
        ends: true,
    };
    let loaded =
        Folder::claim(&folder(name)).and_then(|folder| zonecast_ebpf::load(folder, &shape));
    match loaded {
        Ok(steering) => Some(steering),
        Err(error @ (Error::InUse { .. } | Error::TooMany { .. })) => panic!("{error}"),
        Err(error) => {
            println!("SKIP: {error}");
            None
        }
    }
}

/// A socket that shares its port with others.
pub(crate) fn listening(port: u16) -> TcpListener {
    let made: OwnedFd = socket(AddressFamily::INET6, SocketType::STREAM, None).unwrap();
    set_socket_reuseport(&made, true).unwrap();
    let any = SocketAddr::new([0u16; 8].into(), port);
    bind(made.as_fd(), &any).unwrap();
    listen(&made, 4096).unwrap();
    TcpListener::from(made)
}
