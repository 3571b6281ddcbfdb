//! The device by which packets of a connection leave, as the kernel's routes and rules say now.

use std::io;
use std::net::{IpAddr, SocketAddr};

use super::Egress;
use super::netlink::{Request, attribute, u32_at};

const RTM_NEWROUTE: u16 = 24;
const RTM_GETROUTE: u16 = 26;
/// `struct rtmsg`.
const ROUTE_BYTES: usize = 12;
const RTA_DST: u16 = 1;
const RTA_SRC: u16 = 2;
const RTA_OIF: u16 = 4;
const RTA_IP_PROTO: u16 = 27;
const RTA_SPORT: u16 = 28;
const RTA_DPORT: u16 = 29;

impl Egress {
    /// The index of the device by which a TCP connection from `local` to `peer` leaves. Both
    /// addresses and ports count: rules may ask for the source, and equal routes are chosen among
    /// by a hash of all four.
    ///
    /// # Errors
    /// What the kernel says: no route leads there (`NetworkUnreachable`, `HostUnreachable`), or
    /// `local` is no address of this machine.
    pub fn route_of(&self, local: SocketAddr, peer: SocketAddr) -> io::Result<u32> {
        let answers = self.route.ask(request(local, peer)?)?;
        let routes = answers.iter().filter(|answer| answer.kind == RTM_NEWROUTE);
        let mut devices = routes.filter_map(|answer| {
            let value = attribute(&answer.body, ROUTE_BYTES, RTA_OIF)?;
            u32_at(value, 0)
        });
        devices.next().ok_or(io::ErrorKind::HostUnreachable.into())
    }
}

fn request(local: SocketAddr, peer: SocketAddr) -> io::Result<Request> {
    let scope = match peer {
        SocketAddr::V6(peer) => peer.scope_id(),
        SocketAddr::V4(_) => 0,
    };
    // A socket for both families has IPv4 addresses inside of IPv6 ones; routes have not.
    let (family, source, destination) = match (local.ip().to_canonical(), peer.ip().to_canonical())
    {
        (IpAddr::V4(local), IpAddr::V4(peer)) => (
            libc::AF_INET,
            local.octets().to_vec(),
            peer.octets().to_vec(),
        ),
        (IpAddr::V6(local), IpAddr::V6(peer)) => (
            libc::AF_INET6,
            local.octets().to_vec(),
            peer.octets().to_vec(),
        ),
        _ => return Err(io::ErrorKind::InvalidInput.into()),
    };
    let bits = 8 * destination.len() as u8;
    let mut fixed = [0; ROUTE_BYTES];
    fixed[..3].copy_from_slice(&[family as u8, bits, bits]);
    let mut request = Request::one(RTM_GETROUTE, &fixed)
        .attribute(RTA_DST, &destination)
        .attribute(RTA_SRC, &source)
        .attribute(RTA_IP_PROTO, &[libc::IPPROTO_TCP as u8])
        .attribute(RTA_SPORT, &local.port().to_be_bytes())
        .attribute(RTA_DPORT, &peer.port().to_be_bytes());
    if scope != 0 {
        request = request.attribute(RTA_OIF, &scope.to_ne_bytes());
    }
    Ok(request)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Shows that what stays on this machine leaves by loopback, in each way to write it, and that
    /// families do not mix.
    #[test]
    fn loopback_leaves_by_loopback() {
        let egress = Egress::open().unwrap();
        let devices = egress.devices("/sys".as_ref()).unwrap();
        let lo = devices.iter().find(|d| d.is_loopback).unwrap().index;
        let of = |local: &str, peer: &str| {
            egress.route_of(local.parse().unwrap(), peer.parse().unwrap())
        };
        assert_eq!(of("127.0.0.1:80", "127.0.0.1:4000").unwrap(), lo);
        assert_eq!(
            of("[::ffff:127.0.0.1]:80", "[::ffff:127.0.0.2]:4000").unwrap(),
            lo
        );
        let error = of("127.0.0.1:80", "[::1]:80").unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
    }
}
