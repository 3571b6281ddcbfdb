//! How connections leave: noted when one is handed over, asked for afterwards, and asked again when
//! something has changed.
//!
//! Changes are read in more places than one, and told only to [`Departures::changed`]: what a hand-over
//! reads is not lost to whoever asks later.

use std::io;

use rustix::net::{getpeername, getsockname};

use super::UringDriver;
use crate::driver::{Conn, Leaving};
use crate::egress::{Egress, Epoch, Watch};

/// What a driver knows of devices, in the network namespace that it was made in.
pub(super) struct Departures {
    egress: Egress,
    watch: Watch,
    /// What was told of last.
    told: Epoch,
}

impl Departures {
    pub(super) fn open() -> io::Result<Departures> {
        Ok(Departures {
            egress: Egress::open()?,
            watch: Watch::open()?,
            told: Epoch::default(),
        })
    }

    /// This moment. What changes after it is seen to have changed since.
    pub(super) fn now(&mut self) -> Epoch {
        self.watch.changed();
        self.watch.epoch()
    }

    /// Whether anything has changed since this was last asked.
    pub(super) fn changed(&mut self) -> bool {
        let now = self.now();
        std::mem::replace(&mut self.told, now) != now
    }

    pub(super) fn was_down(&self, leaving: Leaving) -> bool {
        self.watch.down_since(leaving.device, leaving.seen)
    }
}

impl<H> UringDriver<H> {
    /// Only a plain descriptor has addresses to ask for.
    pub(super) fn leaves(&self, conn: Conn) -> io::Result<Leaving> {
        let unknown = || io::Error::from(io::ErrorKind::Unsupported);
        let departures = self.departures.as_ref().ok_or_else(unknown)?;
        let socket = self.connections.descriptor(conn).ok_or_else(unknown)?;
        let local = getsockname(socket)?.try_into()?;
        let peer = getpeername(socket)?.ok_or_else(unknown)?.try_into()?;
        Ok(Leaving {
            device: departures.egress.route_of(local, peer)?,
            offload: departures.egress.offload_of(socket)?,
            seen: self.connections.sealed_since(conn),
        })
    }
}
