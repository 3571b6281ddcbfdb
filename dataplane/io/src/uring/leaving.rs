//! How connections leave: noted when one is handed over, asked for afterwards, and asked again when
//! something has changed.
//!
//! Changes are read in more places than one, and told only to [`Departures::changed`]: what a hand-over
//! reads is not lost to whoever asks later.

use std::collections::HashMap;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::net::{getpeername, getsockname};

use super::UringDriver;
use crate::driver::{Conn, Leaving};
use crate::egress::{Egress, Epoch, Offload, Watch};

/// What a driver knows of devices, in the network namespace that it was made in.
pub(super) struct Departures {
    egress: Egress,
    watch: Watch,
    /// What was told of last.
    told: Epoch,
    sys: PathBuf,
    /// By device, until something changes.
    nodes: HashMap<u32, Option<u32>>,
}

impl Departures {
    pub(super) fn open(sys: &Path) -> io::Result<Departures> {
        Ok(Departures {
            egress: Egress::open()?,
            watch: Watch::open()?,
            told: Epoch::default(),
            sys: sys.to_owned(),
            nodes: HashMap::new(),
        })
    }

    /// This moment. What changes after it is seen to have changed since.
    pub(super) fn now(&mut self) -> Epoch {
        if self.watch.changed() {
            self.nodes.clear();
        }
        self.watch.epoch()
    }

    fn node_of(&mut self, device: u32) -> Option<u32> {
        let (egress, sys) = (&self.egress, &self.sys);
        let read = || egress.node_of(device, sys);
        *self.nodes.entry(device).or_insert_with(read)
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
    pub(super) fn leaves(&mut self, conn: Conn) -> io::Result<Leaving> {
        let (departures, socket) = self.asked(conn)?;
        let local = getsockname(socket)?.try_into()?;
        let peer = getpeername(socket)?.ok_or_else(unknown)?.try_into()?;
        let device = departures.egress.route_of(local, peer)?;
        Ok(Leaving {
            device,
            node: departures.node_of(device),
            seen: self.connections.sealed_since(conn),
        })
    }

    pub(super) fn sealed_by(&mut self, conn: Conn) -> io::Result<Offload> {
        let (departures, socket) = self.asked(conn)?;
        departures.egress.offload_of(socket)
    }

    fn asked(&mut self, conn: Conn) -> io::Result<(&mut Departures, &OwnedFd)> {
        let departures = self.departures.as_mut().ok_or_else(unknown)?;
        let socket = self.connections.descriptor(conn).ok_or_else(unknown)?;
        Ok((departures, socket))
    }
}

fn unknown() -> io::Error {
    io::ErrorKind::Unsupported.into()
}
