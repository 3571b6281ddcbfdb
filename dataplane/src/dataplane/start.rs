//! From a configuration to running loops.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, mpsc};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use zonecast_io::{KernelTls, UringConfig};
use zonecast_numa::NumaError;
use zonecast_numa::zones::{self, LoopPlace};

use super::listeners::{self, Bound, Plan};
use super::memory::{self, Memory};
use super::run::{self, Ready, Seat, Socket};
use super::{Dataplane, LoopFailure};
use crate::config::{Config, Limits};
use crate::counters::LoopCounters;
use crate::egress::Nodes;
use crate::loops::Mailbox;
use crate::shared::{Sealer, Shared};
use crate::socket_memory::SocketMemory;
use crate::stream::{Registry, RegistryConfig, Saved, Saver};
use crate::tls::{Certificates, TicketKeys, TlsError};

/// How long a session ticket is good.
pub const TICKET_LIFETIME: Duration = Duration::from_secs(6 * 3600);
/// Buffers that receives of viewers draw from, and their size: requests are small.
const RECEIVE_BUFFERS: u32 = 256;
const RECEIVE_BUFFER_BYTES: u32 = 4096;
/// Entries of a submission queue.
const SQ_ENTRIES: u32 = 1024;

/// Why a data plane did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A zone's memory could not be had.
    #[error("memory: {0}")]
    Memory(#[from] NumaError),
    /// An address could not be listened on.
    #[error("listener {name}: cannot listen on {address}: {error}")]
    Listen {
        /// The listener.
        name: String,
        /// The address.
        address: String,
        /// Why.
        error: std::io::Error,
    },
    /// A listener of a zone that does not exist.
    #[error("listener {name}: zone {zone} does not exist")]
    NoSuchZone {
        /// The listener.
        name: String,
        /// The zone.
        zone: u16,
    },
    /// TLS without a certificate.
    #[error("listener {0}: tls = true needs a certificate")]
    NoCertificate(String),
    /// TLS cannot be set up.
    #[error("TLS: {0}")]
    Tls(#[from] TlsError),
    /// The folder of saved objects cannot be used.
    #[error("state_dir {path}: {error}", path = path.display())]
    StateDir {
        /// The folder.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// A loop's driver could not be made.
    #[error("loop {loop_id} on CPU {cpu}: io_uring: {error}")]
    Driver {
        /// The loop.
        loop_id: u16,
        /// Its CPU.
        cpu: usize,
        /// Why.
        error: std::io::Error,
    },
    /// A thread could not be started.
    #[error("a thread could not be started: {0}")]
    Thread(std::io::Error),
}

impl Dataplane {
    /// Sets memory aside, binds every address, and starts the loops.
    ///
    /// # Errors
    /// [`StartError`] says what could not be had; nothing is left running.
    pub fn start(mut config: Config) -> Result<Self, StartError> {
        let epoch = Instant::now();
        let epoch_unix = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        let places = zones::loops(&config.zones);
        let memory = memory::set_aside(&config.zones, config.memory)?;
        let certificates = config.certificates.take().map(Certificates::new);
        let tickets = TicketKeys::new(TICKET_LIFETIME)?;
        let inherited = std::mem::take(&mut config.inherited);
        let plans = listeners::plans(&config);
        let Bound {
            seats,
            listeners,
            addresses,
            steerable,
            listening,
        } = listeners::bind(&plans, &places, certificates.as_ref(), &tickets, inherited)?;
        let kernel_tls = what_the_kernel_seals(&plans);
        let nodes = Nodes::look(&config.zones, run::SYS.as_ref());
        let connections_max = plans.iter().map(|p| p.limits.connections_max).sum();
        let registry = registry(&config, &places, epoch_unix)?;
        let saver = saver(&config)?;
        let Memory {
            arenas,
            control,
            regions,
            mut notes,
        } = memory;
        let driver = UringConfig {
            connections_max,
            send_buffers: config.limits.send_buffers,
            receive_buffers: RECEIVE_BUFFERS,
            receive_buffer_bytes: RECEIVE_BUFFER_BYTES,
            sq_entries: SQ_ENTRIES,
            regions: Some(regions),
            epoch,
        };
        let zones = config.zones.len();
        let shared = Arc::new(Shared {
            registry,
            limits: limits(&config, &plans),
            listeners,
            arenas,
            control,
            loops: places.iter().map(|p| p.zone).collect(),
            counters: places
                .iter()
                .map(|p| LoopCounters::new(p.zone, zones, nodes.wanted(p.zone)))
                .collect(),
            loops_busy: places.len().into(),
            saver,
            steering_board: config.steering_board,
            redirects: Some(config.redirects).filter(|hosts| !hosts.is_empty()),
            kernel_tls,
            nodes,
            socket_memory: SocketMemory::new(config.limits.socket_memory_max),
            ingest_idle: config.ingest.ingest_idle,
            epoch_unix_ns: epoch_unix.as_nanos() as u64,
        });
        let (boxes, threads, more) = start_loops(&shared, &places, seats, &driver)?;
        notes.extend(more);
        Ok(Self {
            shared,
            boxes,
            threads: Mutex::new(threads),
            addresses,
            steerable,
            listening,
            notes,
            certificates,
            tickets: Some(tickets),
            epoch,
            zones,
            draining: false.into(),
        })
    }
}

/// The limits, with a time for cards to let go only where there may be cards.
fn limits(config: &Config, plans: &[Plan<'_>]) -> Limits {
    let mut limits = config.limits;
    if plans.iter().all(|plan| plan.sealer != Sealer::Card) {
        limits.nic_drain = Duration::ZERO;
    }
    limits
}

fn registry(
    config: &Config,
    places: &[LoopPlace],
    epoch: Duration,
) -> Result<Registry, StartError> {
    let saved = match &config.state_dir {
        Some(dir) => Saved::load(dir, u64::from(config.limits.pinned_bytes_max)),
        None => Saved::default(),
    };
    let settings = RegistryConfig {
        loops: places.iter().map(|p| p.zone).collect(),
        open_token: config.ingest.open_token,
        streams_max: config.ingest.streams_max,
        open_ring_bytes: config.limits.open_ring_bytes,
        epoch: epoch.as_millis() as u64,
    };
    Ok(Registry::new(settings, &config.streams, saved))
}

fn saver(config: &Config) -> Result<Option<Saver>, StartError> {
    let start = |path: &PathBuf| {
        Saver::start(path.clone()).map_err(|error| StartError::StateDir {
            path: path.clone(),
            error,
        })
    };
    config.state_dir.as_ref().map(start).transpose()
}

type Started = (
    Arc<[Mailbox]>,
    Vec<std::thread::JoinHandle<Result<(), LoopFailure>>>,
    Vec<String>,
);

/// Starts every loop's thread; they go once all of them have a driver.
fn start_loops(
    shared: &Arc<Shared>,
    places: &[LoopPlace],
    seats: Vec<Vec<Socket>>,
    driver: &UringConfig,
) -> Result<Started, StartError> {
    let (ready, readies) = mpsc::channel();
    let (mut threads, mut gos) = (Vec::new(), Vec::new());
    for (place, sockets) in places.iter().zip(seats) {
        let (go, wait) = mpsc::channel();
        let (place, driver, ready) = (*place, driver.clone(), ready.clone());
        let seat = Seat {
            place,
            driver,
            sockets,
            nic_drain: shared.limits.nic_drain,
            asks: shared.nodes.unasked().is_none(),
            ready,
            go: wait,
        };
        // At most 15 bytes of it can be seen outside.
        let name = format!("zc-loop-{}-z{}", place.id.0, place.zone.0);
        let thread = std::thread::Builder::new()
            .name(name)
            .spawn(move || run::run(seat));
        threads.push(thread.map_err(StartError::Thread)?);
        gos.push(go);
    }
    drop(ready);
    let mut answers: Vec<Option<Ready>> = places.iter().map(|_| None).collect();
    for (at, answer) in readies {
        let (loop_id, cpu) = (places[at].id.0, places[at].cpu);
        let answer = answer.map_err(|error| StartError::Driver {
            loop_id,
            cpu,
            error: with_remedy(error),
        })?;
        answers[at] = Some(answer);
        if answers.iter().all(Option::is_some) {
            break;
        }
    }
    let (mut boxes, mut notes) = (Vec::new(), Vec::new());
    for answer in answers.into_iter().flatten() {
        boxes.push(Mailbox::new(answer.waker, 4096));
        notes.extend(answer.notes);
    }
    let boxes: Arc<[Mailbox]> = boxes.into();
    for go in gos {
        drop(go.send((shared.clone(), boxes.clone())));
    }
    Ok((boxes, threads, notes))
}

/// A ring is locked memory: without the right to lock it, the kernel says no more than that
/// there is none.
fn with_remedy(error: std::io::Error) -> std::io::Error {
    match error.kind() {
        std::io::ErrorKind::OutOfMemory => std::io::Error::other(format!(
            "{error}; raise RLIMIT_MEMLOCK (ulimit -l, LimitMEMLOCK=) or grant CAP_IPC_LOCK"
        )),
        _ => error,
    }
}

/// Asks the kernel, where a listener wants to know.
fn what_the_kernel_seals(plans: &[Plan<'_>]) -> KernelTls {
    if plans.iter().any(|plan| plan.sealer >= Sealer::Kernel) {
        KernelTls::probe()
    } else {
        KernelTls::none("kernel_tls = false")
    }
}
