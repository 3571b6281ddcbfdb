//! Free ports for a daemon on this machine.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::os::fd::OwnedFd;
use std::sync::{Mutex, PoisonError};

use anyhow::Result;
use rustix::net::{self, AddressFamily, SocketFlags, SocketType, sockopt};

use super::random;

/// Where [`Ports::pick`] looks.
const PORTS: std::ops::Range<u16> = 20_000..32_000;
const PORT_TRIES_MAX: u32 = 1000;

/// What this process has picked. A port is free again until its daemon listens, and free for a
/// moment whenever that starts anew: tests that run side by side must not even try it.
static PICKED: Mutex<BTreeSet<u16>> = Mutex::new(BTreeSet::new());

/// The ports of a daemon on this machine.
#[derive(Debug, Clone, Copy)]
pub struct Ports {
    /// Viewers by TLS.
    pub https: u16,
    /// Viewers in plain.
    pub http: u16,
    /// Encoders.
    pub ingest: u16,
    /// The admin listener.
    pub admin: u16,
    /// This machine has the address `::1`, and viewers' ports are free there, too.
    pub ipv6: bool,
}

impl Ports {
    /// Picks ports that are free now on 127.0.0.1 and, where there is one, on `::1`: at
    /// random, and below those that the system gives to outgoing connections, since one of
    /// these could be taken before the daemon listens. No port is picked twice in a process.
    ///
    /// # Errors
    /// There are none.
    pub fn pick() -> Result<Ports> {
        let ipv6 = TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).is_ok();
        let mut held = Vec::new();
        let mut picked = PICKED.lock().unwrap_or_else(PoisonError::into_inner);
        let mut pick = || -> Result<u16> {
            for _ in 0..PORT_TRIES_MAX {
                let [high, low] = random()?;
                let offset = u16::from_be_bytes([high, low]) % (PORTS.end - PORTS.start);
                let port = PORTS.start + offset;
                if picked.contains(&port) {
                    continue;
                }
                let four = held_at((Ipv4Addr::LOCALHOST, port).into());
                let six = ipv6.then(|| held_at((Ipv6Addr::LOCALHOST, port).into()));
                if four.is_ok() && !matches!(six, Some(Err(_))) {
                    held.push((four, six));
                    picked.insert(port);
                    return Ok(port);
                }
            }
            anyhow::bail!("no port is free on both 127.0.0.1 and ::1")
        };
        Ok(Ports {
            https: pick()?,
            http: pick()?,
            ingest: pick()?,
            admin: pick()?,
            ipv6,
        })
    }

    /// An IPv4 loopback address with this port.
    #[must_use]
    pub fn four(port: u16) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, port).into()
    }

    /// An IPv6 loopback address with this port, or IPv4 where there is no IPv6.
    #[must_use]
    pub fn six(&self, port: u16) -> SocketAddr {
        if self.ipv6 {
            (Ipv6Addr::LOCALHOST, port).into()
        } else {
            Ports::four(port)
        }
    }
}

/// A socket that holds an address and does not listen: a process that is being started at this
/// moment has a copy until it runs its program, and whoever waits for a daemon to listen would
/// find that one.
fn held_at(address: SocketAddr) -> rustix::io::Result<OwnedFd> {
    let family = match address {
        SocketAddr::V4(_) => AddressFamily::INET,
        SocketAddr::V6(_) => AddressFamily::INET6,
    };
    let socket = net::socket_with(family, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
    sockopt::set_socket_reuseaddr(&socket, true)?;
    net::bind(&socket, &address)?;
    Ok(socket)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// What is held is not listened to, and not given away.
    #[test]
    fn a_held_port_refuses() {
        let port = Ports::pick().unwrap().https;
        let held = held_at(Ports::four(port)).unwrap();
        assert!(std::net::TcpStream::connect(Ports::four(port)).is_err());
        let listener = TcpListener::bind(Ports::four(port)).unwrap();
        assert!(held_at(Ports::four(port)).is_err());
        drop((held, listener));
    }

    /// Threads that pick at the same time, again and again, never get the same port.
    #[test]
    fn no_port_is_picked_twice() {
        let pick = || -> Vec<Ports> { (0..100).map(|_| Ports::pick().unwrap()).collect() };
        let threads: Vec<_> = (0..2).map(|_| std::thread::spawn(pick)).collect();
        let all = threads
            .into_iter()
            .flat_map(|thread| thread.join().unwrap());
        let all: Vec<u16> = all
            .flat_map(|ports| [ports.https, ports.http, ports.ingest, ports.admin])
            .collect();
        let distinct: BTreeSet<u16> = all.iter().copied().collect();
        assert_eq!(distinct.len(), all.len());
    }
}
