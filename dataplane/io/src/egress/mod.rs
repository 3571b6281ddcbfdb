//! By which device a connection leaves, and whether that device seals its TLS records.
//!
//! What the kernel told when a connection's key was set ([`Egress::offload_of`]) goes on being told
//! after it has ceased to be true: a connection that was handed to a card is sealed by the card as
//! long as it leaves by that device ([`Egress::route_of`]) and that device has not been down since;
//! then the kernel seals each packet, and says nothing. [`Watch`] tells when to ask again.
//!
//! All of it is netlink, read only, and of the network namespace in which it was opened. What does
//! not belong here: which connections are handed over, and what is counted for them.

mod device;
mod diag;
mod features;
mod netlink;
mod route;
mod watch;

use std::fmt;
use std::io;

use rustix::net::netlink as protocols;

pub use device::{Address, Device};
pub use diag::Offload;
pub use features::TlsTransmit;
pub use watch::{Epoch, Watch};

use netlink::Netlink;

/// Whom to ask: sockets that stay open. A loop has its own.
pub struct Egress {
    route: Netlink,
    diag: Netlink,
    ethtool: Option<features::Ethtool>,
}

impl Egress {
    /// Opens the sockets, in the calling thread's network namespace.
    ///
    /// # Errors
    /// What the kernel says: no descriptor is left, or it has no netlink.
    pub fn open() -> io::Result<Egress> {
        Ok(Egress {
            route: Netlink::open(None, 0)?,
            diag: Netlink::open(Some(protocols::SOCK_DIAG), 0)?,
            ethtool: features::Ethtool::open().ok(),
        })
    }
}

impl fmt::Debug for Egress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Egress")
    }
}
