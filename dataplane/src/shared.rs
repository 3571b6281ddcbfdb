//! What all loops of a data plane share. Nothing here is written on the data path, but for
//! counts.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};

use zonecast_io::KernelTls;
use zonecast_numa::{Arena, ControlMemory, ZoneId};

use crate::config::{ConnectionLimits, Limits, Redirects, SteeringBoard};
use crate::counters::LoopCounters;
use crate::egress::Nodes;
use crate::peer::Role;
use crate::socket_memory::SocketMemory;
use crate::stream::{Registry, Saver};
use crate::tls::Acceptor;

/// See the module's description.
pub(crate) struct Shared {
    pub(crate) registry: Registry,
    pub(crate) limits: Limits,
    pub(crate) listeners: Vec<Listener>,
    /// By zone.
    pub(crate) arenas: Vec<Arena>,
    /// Memory of the rings' control words, by zone.
    pub(crate) control: Vec<ControlMemory>,
    /// Each loop's zone, by loop id.
    pub(crate) loops: Vec<ZoneId>,
    pub(crate) counters: Vec<Arc<LoopCounters>>,
    /// Loops that still have peers, or may get some: they need the owners of their streams.
    pub(crate) loops_busy: AtomicUsize,
    pub(crate) saver: Option<Saver>,
    /// See [`Config::redirects`](crate::Config::redirects); `None`: nobody is sent anywhere.
    pub(crate) redirects: Option<Redirects>,
    /// See [`Config::steering_board`](crate::Config::steering_board).
    pub(crate) steering_board: Option<Arc<dyn SteeringBoard>>,
    pub(crate) socket_memory: SocketMemory,
    /// Which nodes the zones are.
    pub(crate) nodes: Nodes,
    /// What the kernel can seal.
    pub(crate) kernel_tls: KernelTls,
    /// An upload that is silent for this long is aborted.
    pub(crate) ingest_idle: std::time::Duration,
    /// Unix time of the driver's epoch, in nanoseconds.
    pub(crate) epoch_unix_ns: u64,
}

/// Who is to seal what a listener's connections are sent, where it can; else the one before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Sealer {
    /// Our own record layer.
    Ours,
    /// The kernel.
    Kernel,
    /// A network card, which can TLS 1.2 only.
    Card,
}

/// A listener as all loops see it; each loop has a socket of its own.
pub(crate) struct Listener {
    pub(crate) name: String,
    pub(crate) role: Role,
    pub(crate) limits: ConnectionLimits,
    /// `None`: no TLS.
    pub(crate) acceptor: Option<Acceptor>,
    pub(crate) sealer: Sealer,
    /// Connections now, over all loops.
    connections: AtomicU32,
}

impl Listener {
    pub(crate) fn new(
        name: &str,
        role: Role,
        limits: ConnectionLimits,
        acceptor: Option<Acceptor>,
        sealer: Sealer,
    ) -> Self {
        Self {
            name: name.to_owned(),
            role,
            limits,
            acceptor,
            sealer,
            connections: AtomicU32::new(0),
        }
    }

    /// Books one more connection; false when there are as many as allowed.
    pub(crate) fn enter(&self) -> bool {
        let fits = self.connections.fetch_add(1, Ordering::Relaxed) < self.limits.connections_max;
        if !fits {
            self.leave();
        }
        fits
    }

    /// Books one connection less.
    pub(crate) fn leave(&self) {
        self.connections.fetch_sub(1, Ordering::Relaxed);
    }

    /// Connections now.
    #[cfg(feature = "simulation")]
    pub(crate) fn connections(&self) -> u32 {
        self.connections.load(Ordering::Relaxed)
    }
}
