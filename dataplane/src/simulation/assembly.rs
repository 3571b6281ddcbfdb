//! From a configuration to loops over simulated drivers, as `dataplane/start.rs` does over
//! real ones.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use zonecast_io::sim::SimWorld;
use zonecast_io::{Driver, ListenerId};
use zonecast_numa::{Arena, ControlMemory, LoopId, NumaError, RegionsBuilder, ZoneId};
use zonecast_ring::Lease;

use super::flaws::Flawed;
use super::{Door, Simulation, SimulationConfig};
use crate::counters::LoopCounters;
use crate::dataplane::StartError;
use crate::loops::{Loop, Mailbox};
use crate::peer::Role;
use crate::shared::{Listener, Shared};
use crate::socket_memory::SocketMemory;
use crate::stream::{Registry, RegistryConfig, Saved};
use crate::tls::{Acceptor, AcceptorConfig, Certificates, TicketKeys, TlsError, Versions};

/// Streams at most.
pub(super) const STREAMS_MAX: u32 = 32;
/// Memory of each zone for rings' control words.
const CONTROL_BYTES: u32 = 4 << 20;
/// The run's beginning in Unix time; with it, dates and tags are the same in every run.
const EPOCH: Duration = Duration::from_secs(1_700_000_000);

impl Simulation {
    /// Makes the world, its loops and their listeners.
    ///
    /// # Errors
    /// [`StartError::Memory`], [`StartError::Tls`].
    pub fn new(mut config: SimulationConfig) -> Result<Self, StartError> {
        config.driver.send_buffers = config.limits.send_buffers;
        let zones = 1 + config.loops.iter().copied().max().map_or(0, usize::from);
        let memory = Memory::new(zones, config.arena_bytes)?;
        let world = SimWorld::new(config.seed, config.faults.clone(), Some(memory.regions));
        let listeners = listeners(&mut config)?;
        let (mut drivers, mut doors, mut boxes) = (Vec::new(), Vec::new(), Vec::new());
        for _ in &config.loops {
            let mut driver = world.driver::<Lease>(&config.driver);
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
            registry: registry(&config),
            limits: config.limits,
            listeners,
            arenas: memory.arenas,
            control: memory.control,
            loops: config.loops.iter().copied().map(ZoneId).collect(),
            counters: counters(&config.loops, zones),
            loops_busy: config.loops.len().into(),
            saver: None,
            socket_memory: SocketMemory::default(),
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
            letters: VecDeque::new(),
            shared,
            zones,
            world,
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
fn listeners(config: &mut SimulationConfig) -> Result<Vec<Listener>, TlsError> {
    let (viewer, encoder) = (Role::Viewer, Role::Encoder);
    let mut plans = vec![(Door::Viewer, viewer, None), (Door::Encoder, encoder, None)];
    if let Some(store) = config.certificates.take() {
        let certificates = Certificates::new(store);
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
        Listener::new(&format!("{door:?}"), role, limits, acceptor)
    };
    Ok(plans.into_iter().map(listener).collect())
}

fn registry(config: &SimulationConfig) -> Registry {
    let settings = RegistryConfig {
        loops: config.loops.iter().copied().map(ZoneId).collect(),
        open_token: config.open_token,
        streams_max: STREAMS_MAX,
        open_ring_bytes: config.limits.open_ring_bytes,
        epoch: EPOCH.as_millis() as u64,
    };
    Registry::new(settings, &config.streams, Saved::default())
}

fn counters(loops: &[u16], zones: usize) -> Vec<Arc<LoopCounters>> {
    let counters = |zone: &u16| LoopCounters::new(ZoneId(*zone), zones);
    loops.iter().map(counters).collect()
}
