//! From a configuration to loops over simulated drivers, as `dataplane/start.rs` does over
//! real ones.

use std::sync::Arc;
use std::time::Duration;

use zonecast_io::sim::SimConfig;
use zonecast_io::sim::SimWorld;
use zonecast_io::{Driver, KernelTls, ListenerId, Time};
use zonecast_numa::{Arena, ControlMemory, LoopId, NumaError, RegionsBuilder, ZoneId};
use zonecast_ring::Lease;

use super::flaws::Flawed;
use super::{Door, SimulationConfig};
use crate::counters::LoopCounters;
use crate::dataplane::StartError;
use crate::egress::Nodes;
use crate::loops::{Loop, Mailbox};
use crate::peer::Role;
use crate::shared::{Listener, Sealer, Shared};
use crate::socket_memory::SocketMemory;
use crate::stream::{Registry, RegistryConfig, Saved, Saver};
use crate::tls::{Acceptor, AcceptorConfig, Certificates, TicketKeys, TlsError, Versions};

/// Streams at most.
pub(super) const STREAMS_MAX: u32 = 32;
/// Memory of each zone for rings' control words.
const CONTROL_BYTES: u32 = 4 << 20;
/// The run's beginning in Unix time; with it, dates and tags are the same in every run.
const EPOCH: Duration = Duration::from_secs(1_700_000_000);

/// One life of the process, from its start to its end.
pub(super) struct Life {
    pub(super) loops: Vec<Option<Loop<Flawed>>>,
    pub(super) doors: Vec<Vec<ListenerId>>,
    pub(super) boxes: Arc<[Mailbox]>,
    pub(super) shared: Arc<Shared>,
}

impl Life {
    /// Makes loops in `world`, and their listeners. What an earlier life has saved is taken over.
    ///
    /// # Errors
    /// [`StartError::Memory`], [`StartError::Tls`].
    pub(super) fn begin(
        world: &SimWorld,
        config: &SimulationConfig,
        certificates: Option<&Arc<Certificates>>,
    ) -> Result<Self, StartError> {
        let zones = config.zones();
        let memory = Memory::new(zones, config.arena_bytes)?;
        world.set_regions(memory.regions);
        let listeners = listeners(config, certificates)?;
        let driver_config = SimConfig {
            send_buffers: config.limits.send_buffers,
            ..config.driver.clone()
        };
        let (mut drivers, mut doors, mut boxes) = (Vec::new(), Vec::new(), Vec::new());
        for _ in &config.loops {
            let mut driver = world.driver::<Lease>(&driver_config);
            let sockets: Vec<ListenerId> = listeners.iter().map(|_| driver.listen()).collect();
            boxes.push(Mailbox::with_room(
                driver.waker(),
                config.mail_max,
                config.mail_max,
            ));
            drivers.push(driver);
            doors.push(sockets);
        }
        let shared = Arc::new(Shared {
            registry: registry(config, world.now()),
            limits: config.limits,
            listeners,
            arenas: memory.arenas,
            control: memory.control,
            loops: config.loops.iter().copied().map(ZoneId).collect(),
            counters: counters(&config.loops, zones),
            loops_busy: config.loops.len().into(),
            saver: config.state_dir.as_ref().map(|_| Saver::without_thread()),
            steering_board: None,
            redirects: None,
            socket_memory: SocketMemory::default(),
            nodes: Nodes::one_each(zones),
            kernel_tls: KernelTls::all(),
            ingest_idle: config.ingest_idle,
            epoch_unix_ns: EPOCH.as_nanos() as u64,
        });
        let boxes: Arc<[Mailbox]> = boxes.into();
        let loops = drivers.into_iter().enumerate().map(|(id, driver)| {
            let driver = Flawed::new(driver, config.flaw);
            let sockets = doors[id].iter().copied().enumerate().collect();
            let id = LoopId(id as u16);
            Some(Loop::new(
                driver,
                id,
                shared.clone(),
                boxes.clone(),
                sockets,
            ))
        });
        Ok(Self {
            loops: loops.collect(),
            doors,
            boxes,
            shared,
        })
    }
}

struct Memory {
    arenas: Vec<Arena>,
    control: Vec<ControlMemory>,
    regions: zonecast_numa::Regions,
}

impl Memory {
    fn new(zones: usize, arena_bytes: u32) -> Result<Self, NumaError> {
        let mut regions = RegionsBuilder::new();
        let (mut arenas, mut control) = (Vec::new(), Vec::new());
        for zone in (0..zones as u16).map(ZoneId) {
            arenas.push(Arena::heap(zone, arena_bytes, &mut regions)?);
            control.push(ControlMemory::heap(zone, CONTROL_BYTES, &mut regions)?);
        }
        Ok(Self {
            arenas,
            control,
            regions: regions.build(),
        })
    }
}

/// One for every [`Door`], in their order; those with TLS only where there is a certificate.
fn listeners(
    config: &SimulationConfig,
    certificates: Option<&Arc<Certificates>>,
) -> Result<Vec<Listener>, TlsError> {
    let (viewer, encoder) = (Role::Viewer, Role::Encoder);
    let mut plans = vec![(Door::Viewer, viewer, None), (Door::Encoder, encoder, None)];
    if let Some(certificates) = certificates {
        let tickets = TicketKeys::new(Duration::from_secs(3600))?;
        let acceptor = |tickets| {
            Acceptor::new(AcceptorConfig {
                certificates: certificates.clone(),
                tickets,
                versions: Versions::default(),
                records_per_key: config.records_per_key,
            })
        };
        plans.push((Door::ViewerTls, viewer, Some(acceptor(Some(tickets))?)));
        plans.push((Door::EncoderTls, encoder, Some(acceptor(None)?)));
    }
    let listener = |(door, role, acceptor)| {
        let limits = if role == Role::Viewer {
            config.viewers
        } else {
            config.encoders
        };
        Listener::new(
            &format!("{door:?}"),
            role,
            limits,
            acceptor,
            match role {
                Role::Viewer => Sealer::Kernel,
                Role::Encoder => Sealer::Ours,
            },
        )
    };
    Ok(plans.into_iter().map(listener).collect())
}

/// A life has tags of its own, since its epoch is the time of its beginning.
fn registry(config: &SimulationConfig, now: Time) -> Registry {
    let settings = RegistryConfig {
        loops: config.loops.iter().copied().map(ZoneId).collect(),
        open_token: config.open_token,
        streams_max: STREAMS_MAX,
        open_ring_bytes: config.limits.open_ring_bytes,
        epoch: EPOCH.as_millis() as u64 + now.0 / 1_000_000,
    };
    let bytes_max = u64::from(config.limits.pinned_bytes_max);
    let saved = config.state_dir.as_ref();
    let saved = saved.map_or_else(Saved::default, |dir| Saved::load(dir, bytes_max));
    Registry::new(settings, &config.streams, saved)
}

fn counters(loops: &[u16], zones: usize) -> Vec<Arc<LoopCounters>> {
    let nodes = Nodes::one_each(zones);
    let counters = |zone: &u16| {
        let zone = ZoneId(*zone);
        LoopCounters::new(zone, zones, nodes.wanted(zone))
    };
    loops.iter().map(counters).collect()
}
