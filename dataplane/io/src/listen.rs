//! Listening sockets, made before a loop starts and then owned by its driver.
//!
//! What an accepted connection inherits (no delay, the limit on unsent bytes) is set here, on the
//! listener, so that accepting costs no further system call.

use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use rustix::net::{
    AddressFamily, SocketAddrUnix, SocketFlags, SocketType, bind, ipproto, listen, socket_with,
    sockopt,
};

use crate::socket_option::set_option;

/// How a TCP listener and the connections that it accepts behave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ListenOptions {
    /// Several listeners may share the address (one a loop).
    pub reuse_port: bool,
    /// How many connections may wait to be accepted; the kernel caps it at `somaxconn`.
    pub backlog: i32,
    /// Send small segments at once (TCP_NODELAY).
    pub nodelay: bool,
    /// A connection asks for more only when fewer bytes than this are unsent (TCP_NOTSENT_LOWAT).
    pub notsent_lowat: Option<u32>,
    /// An IPv6 listener leaves IPv4 alone.
    pub v6only: bool,
    /// Prefer this listener for packets that this CPU handles (SO_INCOMING_CPU).
    pub cpu: Option<usize>,
}

impl Default for ListenOptions {
    /// One listener with a backlog of 4096, no delay, and the kernel's defaults otherwise.
    fn default() -> ListenOptions {
        ListenOptions {
            reuse_port: false,
            backlog: 4096,
            nodelay: true,
            notsent_lowat: None,
            v6only: false,
            cpu: None,
        }
    }
}

/// A listening TCP socket on `address` (port 0: any free one).
///
/// # Errors
/// What the kernel says: the address is taken, not ours, or not allowed.
pub fn bind_tcp(address: SocketAddr, options: ListenOptions) -> io::Result<OwnedFd> {
    let family = if address.is_ipv6() {
        AddressFamily::INET6
    } else {
        AddressFamily::INET
    };
    let flags = SocketFlags::CLOEXEC;
    let socket = socket_with(family, SocketType::STREAM, flags, Some(ipproto::TCP))?;
    sockopt::set_socket_reuseaddr(&socket, true)?;
    sockopt::set_socket_reuseport(&socket, options.reuse_port)?;
    sockopt::set_tcp_nodelay(&socket, options.nodelay)?;
    if address.is_ipv6() {
        sockopt::set_ipv6_v6only(&socket, options.v6only)?;
    }
    if let Some(bytes) = options.notsent_lowat {
        let level = libc::IPPROTO_TCP as u32;
        let option = libc::TCP_NOTSENT_LOWAT as u32;
        set_option(&socket, level, option, &bytes.to_ne_bytes())?;
    }
    if let Some(cpu) = options.cpu {
        let cpu = u32::try_from(cpu).map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
        sockopt::set_socket_incoming_cpu(&socket, cpu)?;
    }
    bind(&socket, &address)?;
    listen(&socket, options.backlog)?;
    Ok(socket)
}

/// A listening Unix socket at `path`, with the permissions `mode` from its first moment on.
///
/// A socket that nobody listens on any more is replaced; `path` names either the old or the new one
/// at every moment.
///
/// # Errors
/// `AddrInUse` where somebody listens there, `AlreadyExists` where `path` is no socket, and what
/// the kernel says otherwise.
pub fn bind_unix(path: &Path, mode: u32) -> io::Result<OwnedFd> {
    refuse_what_is_in_use(path)?;
    let unfinished = unfinished_name(path)?;
    match std::fs::remove_file(&unfinished) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let flags = SocketFlags::CLOEXEC;
    let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
    bind(&socket, &SocketAddrUnix::new(&unfinished)?)?;
    let finished = listen(&socket, ListenOptions::default().backlog)
        .map_err(io::Error::from)
        .and_then(|()| std::fs::set_permissions(&unfinished, std::fs::Permissions::from_mode(mode)))
        .and_then(|()| std::fs::rename(&unfinished, path));
    if finished.is_err() {
        // The first error is the one to report; a leftover is removed by the next attempt.
        let _ = std::fs::remove_file(&unfinished);
    }
    finished.map(|()| socket)
}

/// The name under which the socket gets its permissions before anybody can find it.
fn unfinished_name(path: &Path) -> io::Result<PathBuf> {
    let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?;
    let mut unfinished = std::ffi::OsString::from(".");
    unfinished.push(name);
    unfinished.push(".new");
    Ok(path.with_file_name(unfinished))
}

fn refuse_what_is_in_use(path: &Path) -> io::Result<()> {
    match std::fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
        Ok(metadata) if !metadata.file_type().is_socket() => {
            Err(io::ErrorKind::AlreadyExists.into())
        }
        Ok(_) => match UnixStream::connect(path) {
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => Ok(()),
            Err(error) => Err(error),
            Ok(_) => Err(io::ErrorKind::AddrInUse.into()),
        },
    }
}
