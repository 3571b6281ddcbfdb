//! Every listener: its sockets, by the loop that accepts on them, and what is shared of it.

use std::ops::Range;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use zonecast_numa::zones::LoopPlace;

use super::StartError;
use super::run::Socket;
use super::sockets::{self, BoundAddress, Inherited, SteerableListener};
use crate::config::{Config, ConnectionLimits, ListenAddress};
use crate::peer::Role;
use crate::shared::{Listener, Sealer};
use crate::tls::{Acceptor, AcceptorConfig, Certificates, RECORDS_PER_KEY, TicketKeys, Versions};

/// One listener before its sockets exist.
pub(super) struct Plan<'a> {
    pub(super) name: &'a str,
    pub(super) address: &'a ListenAddress,
    pub(super) tls: bool,
    pub(super) sealer: Sealer,
    pub(super) role: Role,
    pub(super) zone: Option<u16>,
    pub(super) limits: ConnectionLimits,
}

/// All listeners, bound.
pub(super) struct Bound {
    /// Each loop's sockets.
    pub(super) seats: Vec<Vec<Socket>>,
    pub(super) listeners: Vec<Listener>,
    pub(super) addresses: Vec<BoundAddress>,
    pub(super) steerable: Vec<SteerableListener>,
    /// All TCP sockets once more, for whoever keeps them for the next daemon.
    pub(super) listening: Vec<OwnedFd>,
}

/// Viewers' listeners, then the encoders'.
pub(super) fn plans(config: &Config) -> Vec<Plan<'_>> {
    let viewers = config.listeners.iter().map(|listener| Plan {
        name: &listener.name,
        address: &listener.address,
        tls: listener.tls,
        sealer: match (listener.tls, listener.kernel_tls, listener.nic_tls12) {
            (true, true, true) => Sealer::Card,
            (true, true, false) => Sealer::Kernel,
            _ => Sealer::Ours,
        },
        role: Role::Viewer,
        zone: listener.zone,
        limits: listener.limits,
    });
    let encoders = config.ingest.addresses.iter().map(|address| Plan {
        name: "ingest",
        address,
        tls: config.ingest.tls,
        sealer: Sealer::Ours,
        role: Role::Encoder,
        zone: None,
        limits: config.ingest.limits,
    });
    viewers.chain(encoders).collect()
}

/// Binds every one.
pub(super) fn bind(
    plans: &[Plan<'_>],
    places: &[LoopPlace],
    certificates: Option<&Arc<Certificates>>,
    tickets: &Arc<TicketKeys>,
    inherited: Vec<OwnedFd>,
) -> Result<Bound, StartError> {
    let mut inherited = Inherited::new(inherited);
    let mut bound = Bound {
        seats: places.iter().map(|_| Vec::new()).collect(),
        listeners: Vec::new(),
        addresses: Vec::new(),
        steerable: Vec::new(),
        listening: Vec::new(),
    };
    for plan in plans {
        let acceptor = acceptor(plan, certificates, tickets)?;
        let loops = loops_of(plan, bound.listeners.len(), places);
        if let Some(zone) = plan.zone.filter(|_| loops.is_empty()) {
            let name = plan.name.to_owned();
            return Err(StartError::NoSuchZone { name, zone });
        }
        bound
            .add(plan, loops, acceptor, &mut inherited)
            .map_err(|error| StartError::Listen {
                name: plan.name.to_owned(),
                address: describe(plan.address),
                error,
            })?;
    }
    Ok(bound)
}

impl Bound {
    fn add(
        &mut self,
        plan: &Plan<'_>,
        loops: Range<usize>,
        acceptor: Option<Acceptor>,
        inherited: &mut Inherited,
    ) -> std::io::Result<()> {
        let (sockets, address) = sockets::bind(plan.address, loops.len(), inherited)?;
        if let ListenAddress::Tcp(at) = address {
            for socket in &sockets {
                self.listening.push(socket.try_clone()?);
            }
            if plan.role == Role::Viewer {
                let first = &sockets[..loops.len()];
                let listener = sockets::steerable(at, plan.zone, loops.start, first)?;
                self.steerable.push(listener);
            }
        }
        let listener = self.listeners.len();
        // Where there were more loops before, those of today accept on two.
        for (at, fd) in sockets.into_iter().enumerate() {
            self.seats[loops.start + at % loops.len()].push(Socket {
                listener,
                role: plan.role,
                sealer: plan.sealer,
                fd,
            });
        }
        self.listeners.push(Listener::new(
            plan.name,
            plan.role,
            plan.limits,
            acceptor,
            plan.sealer,
        ));
        self.addresses.push(BoundAddress {
            name: plan.name.to_owned(),
            address,
            tls: plan.tls,
        });
        Ok(())
    }
}

/// The loops that accept for a listener: for viewers all of them, or those of its zone. One for
/// encoders, since two uploads of a name on two connections are to be taken in the order in which
/// they came.
fn loops_of(plan: &Plan<'_>, listener: usize, places: &[LoopPlace]) -> Range<usize> {
    let loops = places.len();
    match (plan.role, plan.zone) {
        (Role::Viewer, None) => 0..loops,
        (Role::Viewer, Some(zone)) => {
            let first = places.partition_point(|place| place.zone.0 < zone);
            first..places.partition_point(|place| place.zone.0 <= zone)
        }
        (Role::Encoder, _) => listener % loops..listener % loops + 1,
    }
}

/// Encoders get no tickets: they close without reading them, which would reset the end of
/// an upload.
fn acceptor(
    plan: &Plan<'_>,
    certificates: Option<&Arc<Certificates>>,
    tickets: &Arc<TicketKeys>,
) -> Result<Option<Acceptor>, StartError> {
    if !plan.tls {
        return Ok(None);
    }
    let certificates =
        certificates.ok_or_else(|| StartError::NoCertificate(plan.name.to_owned()))?;
    let config = AcceptorConfig {
        certificates: certificates.clone(),
        tickets: (plan.role == Role::Viewer).then(|| tickets.clone()),
        versions: match plan.sealer {
            Sealer::Card => Versions::Tls12,
            Sealer::Kernel | Sealer::Ours => Versions::default(),
        },
        records_per_key: RECORDS_PER_KEY,
    };
    Ok(Some(Acceptor::new(config)?))
}

fn describe(address: &ListenAddress) -> String {
    match address {
        ListenAddress::Tcp(address) => address.to_string(),
        ListenAddress::Unix(path) => format!("unix:{}", path.display()),
    }
}
