//! Who seals a connection's TLS records, as the kernel decided when it was given the key.
//!
//! inet_diag tells: `INET_DIAG_ULP_INFO`, in it `TLS_INFO_TXCONF` (`linux/inet_diag.h`,
//! `linux/tls.h`). This stays what it was when the device goes down or the route changes.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::AsFd;

use rustix::net::{getpeername, getsockname, sockopt};

use super::Egress;
use super::netlink::{Request, attribute, u16_at};
use crate::kernel_tls::{TCP_ULP, ULP};

const SOCK_DIAG_BY_FAMILY: u16 = 20;
/// `struct inet_diag_req_v2`.
const REQUEST_BYTES: usize = 56;
/// `struct inet_diag_msg`.
const MESSAGE_BYTES: usize = 72;
const INET_DIAG_INFO: u16 = 2;
const INET_DIAG_ULP_INFO: u16 = 19;
const INET_ULP_INFO_TLS: u16 = 2;
const TLS_INFO_TXCONF: u16 = 3;
const TLS_CONF_SW: u16 = 2;
const TLS_CONF_HW: u16 = 3;
/// A card that does all of TCP as well.
const TLS_CONF_HW_RECORD: u16 = 4;

/// Who seals the records that a connection sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Offload {
    /// Not the kernel: the connection's sending side was not handed over.
    None,
    /// The kernel.
    Software,
    /// The card, at least when the key was set.
    Hardware,
}

impl Egress {
    /// Who seals what `socket`, a connected TCP socket of this network namespace, sends.
    ///
    /// # Errors
    /// `PermissionDenied` where the socket was handed over but the kernel does not say to whom (older
    /// ones do so only with CAP_NET_ADMIN), `NotFound` where it has gone, and what the kernel says
    /// otherwise.
    pub fn offload_of(&self, socket: impl AsFd) -> io::Result<Offload> {
        let socket = socket.as_fd();
        let address = |any: rustix::net::SocketAddrAny| SocketAddr::try_from(any);
        let local = address(getsockname(socket)?)?;
        let peer = getpeername(socket)?.ok_or(io::ErrorKind::NotConnected)?;
        let cookie = sockopt::socket_cookie(socket)?;
        let request = Request::one(SOCK_DIAG_BY_FAMILY, &fixed(local, address(peer)?, cookie));
        let answers = self.diag.ask(request)?;
        let answer = answers.first().ok_or(io::ErrorKind::NotFound)?;
        let info = attribute(&answer.body, MESSAGE_BYTES, INET_DIAG_ULP_INFO);
        match info.and_then(read) {
            Some(offload) => Ok(offload),
            None if has_ulp(socket)? => Err(io::ErrorKind::PermissionDenied.into()),
            None => Ok(Offload::None),
        }
    }
}

fn fixed(local: SocketAddr, peer: SocketAddr, cookie: u64) -> [u8; REQUEST_BYTES] {
    let mut fixed = [0; REQUEST_BYTES];
    let (family, scope) = match local {
        SocketAddr::V4(_) => (libc::AF_INET, 0),
        SocketAddr::V6(local) => (libc::AF_INET6, local.scope_id()),
    };
    fixed[0] = family as u8;
    fixed[1] = libc::IPPROTO_TCP as u8;
    // The upper layer is told of only to those who ask for INET_DIAG_INFO.
    fixed[2] = 1 << (INET_DIAG_INFO - 1);
    fixed[4..8].copy_from_slice(&u32::MAX.to_ne_bytes());
    fixed[8..10].copy_from_slice(&local.port().to_be_bytes());
    fixed[10..12].copy_from_slice(&peer.port().to_be_bytes());
    put(&mut fixed[12..28], local.ip());
    put(&mut fixed[28..44], peer.ip());
    fixed[44..48].copy_from_slice(&scope.to_ne_bytes());
    // Two words, the lower one first, whatever the machine's byte order.
    fixed[48..52].copy_from_slice(&(cookie as u32).to_ne_bytes());
    fixed[52..].copy_from_slice(&((cookie >> 32) as u32).to_ne_bytes());
    fixed
}

fn put(place: &mut [u8], ip: IpAddr) {
    match ip {
        IpAddr::V4(ip) => place[..4].copy_from_slice(&ip.octets()),
        IpAddr::V6(ip) => place.copy_from_slice(&ip.octets()),
    }
}

/// `None` where nothing is said of TLS.
fn read(info: &[u8]) -> Option<Offload> {
    let tls = attribute(info, 0, INET_ULP_INFO_TLS)?;
    let sends = attribute(tls, 0, TLS_INFO_TXCONF).and_then(|sends| u16_at(sends, 0));
    Some(match sends {
        Some(TLS_CONF_SW) => Offload::Software,
        Some(TLS_CONF_HW | TLS_CONF_HW_RECORD) => Offload::Hardware,
        _ => Offload::None,
    })
}

/// Whether the socket has the upper layer `tls`, which is the kernel's to seal.
fn has_ulp(socket: impl AsFd) -> io::Result<bool> {
    use std::os::fd::AsRawFd;
    let mut name = [0_u8; 16];
    let mut length = name.len() as libc::socklen_t;
    let raw = socket.as_fd().as_raw_fd();
    let (level, option) = (libc::IPPROTO_TCP, TCP_ULP.cast_signed());
    let pointer = name.as_mut_ptr().cast();
    // SAFETY: the descriptor is borrowed for the call, and `pointer` points at `length` bytes.
    let result = unsafe { libc::getsockopt(raw, level, option, pointer, &raw mut length) };
    if result != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(name.starts_with(&ULP))
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv6Addr, TcpListener, TcpStream};

    use super::super::netlink::push_attribute;
    use super::*;
    use crate::kernel_tls::{KernelKey, KernelTls, SOL_TLS, TLS_TX, TlsCipher, TlsVersion};
    use crate::socket_option::set_option;

    /// What the kernel would say of a socket with this TXCONF.
    fn info(sends: u16) -> Vec<u8> {
        let (mut tls, mut info) = (Vec::new(), Vec::new());
        push_attribute(&mut tls, 1, &0x0303_u16.to_ne_bytes());
        push_attribute(&mut tls, TLS_INFO_TXCONF, &sends.to_ne_bytes());
        push_attribute(&mut info, 1, b"tls\0");
        push_attribute(&mut info, INET_ULP_INFO_TLS | 0x8000, &tls);
        info
    }

    /// Shows that what Linux 7.3 said of three connections is read: one whose upper layer has no key
    /// yet, one that the kernel seals, and one that a card does.
    #[test]
    fn what_a_kernel_said_is_read() {
        let name = [8, 0, 1, 0, b't', b'l', b's', 0];
        let version_and_cipher = [6, 0, 1, 0, 3, 3, 0, 0, 6, 0, 2, 0, 51, 0, 0, 0];
        let others = [6, 0, 4, 0, 1, 0, 0, 0, 6, 0, 7, 0, 0, 64, 0, 0];
        let no_key = [6, 0, 3, 0, 1, 0, 0, 0];
        let said = [&name[..], &[28, 0, 2, 0], &no_key, &others].concat();
        assert_eq!(read(&said), Some(Offload::None));
        for (word, expected) in [(2, Offload::Software), (3, Offload::Hardware)] {
            let sends = [6, 0, 3, 0, word, 0, 0, 0];
            let parts = [&[44, 0, 2, 0][..], &version_and_cipher, &sends, &others];
            let said = [&name[..], &parts.concat()].concat();
            assert_eq!(read(&said), Some(expected));
        }
    }

    /// Shows each of the kernel's words (`linux/tls.h`: base 1, software 2, hardware 3 and 4).
    #[test]
    fn each_word_is_read() {
        use Offload::{Hardware, None, Software};
        let read_all = [0, 1, 2, 3, 4, 5].map(|sends| read(&info(sends)).unwrap());
        assert_eq!(read_all, [None, None, Software, Hardware, Hardware, None]);
        assert!(read(&[]).is_none());
        let mut name_alone = Vec::new();
        push_attribute(&mut name_alone, 1, b"tls\0");
        assert!(read(&name_alone).is_none());
    }

    /// Shows that the kernel is asked in the way that makes it speak of the upper layer: what else is
    /// told only then (INET_DIAG_INFO) is in the answer.
    #[test]
    fn the_kernel_is_asked_for_all() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (local, peer) = (client.local_addr().unwrap(), client.peer_addr().unwrap());
        let cookie = sockopt::socket_cookie(&client).unwrap();
        let request = Request::one(SOCK_DIAG_BY_FAMILY, &fixed(local, peer, cookie));
        let answers = Egress::open().unwrap().diag.ask(request).unwrap();
        assert!(attribute(&answers[0].body, MESSAGE_BYTES, INET_DIAG_INFO).is_some());
    }

    /// Shows that a connection that is handed to the kernel is the kernel's, as is one that has no
    /// key yet; a kernel without TLS takes none.
    #[test]
    fn a_connection_of_the_kernels_is_known() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (_accepted, _) = listener.accept().unwrap();
        let egress = Egress::open().unwrap();
        let offload = || egress.offload_of(&client).unwrap();
        let tcp = libc::IPPROTO_TCP as u32;
        if set_option(&client, tcp, TCP_ULP, &ULP).is_err() {
            assert!(KernelTls::probe().refusal().is_some());
            assert_eq!(offload(), Offload::None);
            return;
        }
        assert_eq!(offload(), Offload::None);
        let (version, cipher) = (TlsVersion::Tls12, TlsCipher::Aes128Gcm);
        let key = KernelKey::new(version, cipher, &[0; 16], &[0; 12], 0);
        set_option(&client, SOL_TLS, TLS_TX, key.bytes()).unwrap();
        assert_eq!(offload(), Offload::Software);
    }

    /// Shows that a plain socket is found, in either family and in both at once, and is nobody's;
    /// that one which is not connected is an error.
    #[test]
    fn a_plain_socket_is_nobodys() {
        let egress = Egress::open().unwrap();
        let mut tried = 0;
        for (bound, to) in [
            ("127.0.0.1", "127.0.0.1"),
            ("::1", "::1"),
            ("::", "127.0.0.1"),
        ] {
            let bound: IpAddr = bound.parse().unwrap();
            let Ok(listener) = TcpListener::bind((bound, 0)) else {
                println!("SKIP: {bound} cannot be bound here");
                continue;
            };
            let port = listener.local_addr().unwrap().port();
            let client = TcpStream::connect((to, port)).unwrap();
            let (accepted, _) = listener.accept().unwrap();
            assert_eq!(
                egress.offload_of(&client).unwrap(),
                Offload::None,
                "{bound}"
            );
            assert_eq!(
                egress.offload_of(&accepted).unwrap(),
                Offload::None,
                "{bound}"
            );
            assert!(egress.offload_of(&listener).is_err());
            tried += 1;
        }
        assert!(tried > 0);
        let (local, peer) = (
            (Ipv6Addr::LOCALHOST, 1).into(),
            (Ipv6Addr::LOCALHOST, 2).into(),
        );
        let fixed = fixed(local, peer, 0x1_0000_0007);
        let cookie = [7_u32.to_ne_bytes(), 1_u32.to_ne_bytes()].concat();
        assert_eq!(fixed[48..], cookie);
        let error = egress.diag.ask(Request::one(SOCK_DIAG_BY_FAMILY, &fixed));
        assert_eq!(error.err().unwrap().kind(), io::ErrorKind::NotFound);
    }
}
