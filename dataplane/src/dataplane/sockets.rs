//! Listening sockets: for TCP one for each loop that accepts, so that the kernel spreads
//! connections; a Unix socket is one that the loops share.

use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, OwnedFd};

use rustix::net::getsockname;
use zonecast_io::listen::{ListenOptions, bind_tcp, bind_unix};

use crate::config::ListenAddress;

/// Unsent bytes beyond which a connection does not ask for more.
const NOTSENT_LOWAT: u32 = 128 << 10;
/// Who may connect to a Unix socket: owner and group.
const UNIX_MODE: u32 = 0o660;

/// Where a listener really is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BoundAddress {
    /// The listener's name; `ingest` for encoders.
    pub name: String,
    /// Its address, with the port that was taken.
    pub address: ListenAddress,
    /// Whether it speaks TLS.
    pub tls: bool,
}

/// A listener of viewers as whoever steers them sees it.
#[derive(Debug)]
pub struct SteerableListener {
    /// Its address, with the port that was taken.
    pub address: SocketAddr,
    /// Only this zone's loops accept here; `None`: all loops do.
    pub zone: Option<u16>,
    /// The loops that accept, with their listening sockets: the same as the loops', once more.
    pub sockets: Vec<(u16, OwnedFd)>,
}

/// Keeps the sockets of a TCP listener for whoever steers, of loops from `first` on.
pub(super) fn steerable(
    address: SocketAddr,
    zone: Option<u16>,
    first: usize,
    sockets: &[OwnedFd],
) -> io::Result<SteerableListener> {
    let kept = sockets.iter().zip(first..).map(|(socket, id)| {
        let socket = socket.try_clone()?;
        Ok((id as u16, socket))
    });
    Ok(SteerableListener {
        address,
        zone,
        sockets: kept.collect::<io::Result<_>>()?,
    })
}

/// Binds `address` once for each of `loops` loops; returns the sockets and the address with its real port.
pub(super) fn bind(
    address: &ListenAddress,
    loops: usize,
) -> io::Result<(Vec<OwnedFd>, ListenAddress)> {
    match address {
        ListenAddress::Tcp(address) => {
            let mut sockets = Vec::new();
            let mut address = *address;
            for _ in 0..loops {
                let options = ListenOptions {
                    reuse_port: true,
                    notsent_lowat: Some(NOTSENT_LOWAT),
                    ..ListenOptions::default()
                };
                let socket = bind_tcp(address, options)?;
                address = SocketAddr::try_from(getsockname(&socket)?).unwrap_or(address);
                sockets.push(socket);
            }
            Ok((sockets, ListenAddress::Tcp(address)))
        }
        ListenAddress::Unix(path) => {
            let socket = bind_unix(path, UNIX_MODE)?;
            let shared = (1..loops).map(|_| socket.as_fd().try_clone_to_owned());
            let mut sockets: Vec<OwnedFd> = shared.collect::<io::Result<_>>()?;
            sockets.push(socket);
            Ok((sockets, ListenAddress::Unix(path.clone())))
        }
    }
}
