//! Listening sockets: for TCP one for each loop that accepts, so that the kernel spreads
//! connections; a Unix socket is one that the loops share.

use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, OwnedFd};

use rustix::net::getsockname;
use rustix::net::sockopt::socket_acceptconn;
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

/// Listening sockets of an earlier daemon, by address.
#[derive(Default)]
pub(super) struct Inherited(Vec<(SocketAddr, OwnedFd)>);

impl Inherited {
    /// Those of them that listen on TCP; the others are closed.
    pub(super) fn new(sockets: Vec<OwnedFd>) -> Self {
        let listening = |socket: OwnedFd| {
            let is_listening = socket_acceptconn(&socket).unwrap_or(false);
            let address = SocketAddr::try_from(getsockname(&socket).ok()?).ok()?;
            is_listening.then_some((address, socket))
        };
        Self(sockets.into_iter().filter_map(listening).collect())
    }

    /// All at `address`.
    fn take(&mut self, address: SocketAddr) -> Vec<OwnedFd> {
        let (here, others) = std::mem::take(&mut self.0)
            .into_iter()
            .partition(|(at, _)| (at.ip(), at.port()) == (address.ip(), address.port()));
        self.0 = others;
        let here: Vec<(SocketAddr, OwnedFd)> = here;
        here.into_iter().map(|(_, socket)| socket).collect()
    }
}

/// Binds `address` once for each of `loops` loops, as far as nothing was inherited there; returns the
/// sockets, more than there are loops where more were inherited, and the address with its real port.
pub(super) fn bind(
    address: &ListenAddress,
    loops: usize,
    inherited: &mut Inherited,
) -> io::Result<(Vec<OwnedFd>, ListenAddress)> {
    match address {
        ListenAddress::Tcp(address) => {
            let mut address = *address;
            let mut sockets = inherited.take(address);
            while sockets.len() < loops {
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
