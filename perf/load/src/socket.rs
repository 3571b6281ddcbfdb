//! Sockets: non-blocking, connected or on the way there; and discarding in the kernel.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsFd, OwnedFd};

use rustix::io::Errno;
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, bind, connect, ipproto, recv,
    send, socket_with, sockopt,
};

/// Begins to connect, from an address of this machine where one is given. The socket is writable
/// once that has succeeded or failed: see [`connected`].
pub(crate) fn start(
    target: SocketAddr,
    receive_buffer: Option<usize>,
    from: Option<IpAddr>,
) -> io::Result<OwnedFd> {
    let family = match target {
        SocketAddr::V4(_) => AddressFamily::INET,
        SocketAddr::V6(_) => AddressFamily::INET6,
    };
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let socket = socket_with(family, SocketType::STREAM, flags, Some(ipproto::TCP))?;
    sockopt::set_tcp_nodelay(&socket, true)?;
    if let Some(bytes) = receive_buffer {
        sockopt::set_socket_recv_buffer_size(&socket, bytes)?;
    }
    if let Some(from) = from {
        bind(&socket, &SocketAddr::new(from, 0))?;
    }
    match connect(&socket, &target) {
        Ok(()) | Err(Errno::INPROGRESS) => Ok(socket),
        Err(error) => Err(error.into()),
    }
}

/// Whether connecting has succeeded, for a socket that has become writable.
pub(crate) fn connected(socket: impl AsFd) -> io::Result<()> {
    Ok(sockopt::socket_error(socket)??)
}

/// Receives; `None` if there is nothing yet, `Some(0)` at the end of the stream.
pub(crate) fn receive(socket: impl AsFd, buffer: &mut [u8]) -> io::Result<Option<usize>> {
    received(recv(socket, buffer, RecvFlags::empty()).map(|(_, bytes)| bytes))
}

/// Has the kernel throw away what is there, at most `room.len()` bytes, without copying it:
/// what MSG_TRUNC means on a TCP socket (tcp(7)). `room` is not written.
pub(crate) fn discard(socket: impl AsFd, room: &mut [u8]) -> io::Result<Option<usize>> {
    received(recv(socket, room, RecvFlags::TRUNC).map(|(_, bytes)| bytes))
}

fn received(result: Result<usize, Errno>) -> io::Result<Option<usize>> {
    match result {
        Ok(bytes) => Ok(Some(bytes)),
        Err(Errno::AGAIN | Errno::INTR) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Sends what the socket takes: how many bytes.
pub(crate) fn send_some(socket: impl AsFd, bytes: &[u8]) -> io::Result<usize> {
    match send(socket, bytes, SendFlags::NOSIGNAL) {
        Ok(sent) => Ok(sent),
        Err(Errno::AGAIN | Errno::INTR) => Ok(0),
        Err(error) => Err(error.into()),
    }
}
