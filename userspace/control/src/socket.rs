//! The admin server's listening socket, before its runtime has it.

use std::io;
use std::path::Path;

use zonecast_dataplane::ListenAddress;

/// A bound socket that does not block.
pub(crate) enum Socket {
    Tcp(std::net::TcpListener),
    Unix(std::os::unix::net::UnixListener),
}

impl Socket {
    /// Binds `address`; the address that was really taken comes with the socket.
    pub(crate) fn bind(address: ListenAddress) -> io::Result<(Self, ListenAddress)> {
        match address {
            ListenAddress::Tcp(address) => {
                let socket = std::net::TcpListener::bind(address)?;
                socket.set_nonblocking(true)?;
                let address = ListenAddress::Tcp(socket.local_addr()?);
                Ok((Self::Tcp(socket), address))
            }
            ListenAddress::Unix(path) => {
                remove_dead_socket(&path)?;
                let socket = std::os::unix::net::UnixListener::bind(&path)?;
                socket.set_nonblocking(true)?;
                Ok((Self::Unix(socket), ListenAddress::Unix(path)))
            }
        }
    }
}

/// Removes a socket that a killed process has left; one that somebody serves stays.
fn remove_dead_socket(path: &Path) -> io::Result<()> {
    match std::os::unix::net::UnixStream::connect(path) {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
            std::fs::remove_file(path)
        }
        _ => Ok(()),
    }
}
