//! A running data plane, as the daemon and the control plane see it.

mod listeners;
mod memory;
mod run;
mod sockets;
mod start;

use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use zonecast_io::KernelTls;
use zonecast_numa::LoopId;

pub use sockets::{BoundAddress, SteerableListener};
pub use start::{StartError, TICKET_LIFETIME};

use crate::config::Reload;
use crate::counters::{self, CounterSnapshot};
use crate::loops::{Mailbox, Message};
use crate::shared::Shared;
use crate::status::StreamStatus;
pub use crate::stream::Homes;
use crate::tls::{Certificates, TicketKeys};

/// A loop whose driver failed; the others go on until they are told to end.
#[derive(Debug, thiserror::Error)]
#[error("loop {loop_id} failed: {error}")]
pub struct LoopFailure {
    /// Which one.
    pub loop_id: u16,
    /// What its driver said.
    pub error: std::io::Error,
}

/// Why a reload was refused; nothing has changed.
#[derive(Debug, thiserror::Error)]
pub enum ReloadError {
    /// TLS listeners are running and need a certificate.
    #[error("a TLS listener is running, and the new configuration has no certificate")]
    NoCertificate,
    /// A stream's home zone that does not exist.
    #[error("stream {stream}: zone {zone} does not exist")]
    NoSuchZone {
        /// The stream.
        stream: String,
        /// The zone that it asks for.
        zone: u16,
    },
    /// More streams than allowed.
    #[error("{streams} streams, but streams_max is {streams_max}")]
    TooManyStreams {
        /// How many there would be.
        streams: usize,
        /// How many there may be.
        streams_max: u32,
    },
}

/// What a reload changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReloadSummary {
    /// Streams that are new.
    pub added: usize,
    /// Streams that were closed.
    pub closed: usize,
}

/// A loop that does not turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StalledLoop {
    /// Which one.
    pub loop_id: u16,
    /// Its zone.
    pub zone: u16,
    /// Since when.
    pub silent: Duration,
}

/// A running data plane. Dropping it drains nothing: call [`Dataplane::drain`] first.
pub struct Dataplane {
    shared: Arc<Shared>,
    boxes: Arc<[Mailbox]>,
    threads: Mutex<Vec<JoinHandle<Result<(), LoopFailure>>>>,
    addresses: Vec<BoundAddress>,
    steerable: Vec<SteerableListener>,
    listening: Vec<OwnedFd>,
    notes: Vec<String>,
    certificates: Option<Arc<Certificates>>,
    tickets: Option<Arc<TicketKeys>>,
    epoch: Instant,
    zones: usize,
    draining: AtomicBool,
}

impl Dataplane {
    /// Where it listens, with the ports that were taken.
    #[must_use]
    pub fn addresses(&self) -> Vec<BoundAddress> {
        self.addresses.clone()
    }

    /// Viewers' listeners over TCP, with the socket of every loop that accepts there.
    #[must_use]
    pub fn steerable(&self) -> &[SteerableListener] {
        &self.steerable
    }

    /// Every TCP listener's sockets, for whoever keeps them for the next daemon: see
    /// [`Config::inherited`](crate::Config::inherited).
    #[must_use]
    pub fn listening(&self) -> &[OwnedFd] {
        &self.listening
    }

    /// The home zone of every stream, by the stream's id, and the version of this answer.
    #[must_use]
    pub fn homes(&self) -> Homes {
        self.shared.registry.homes()
    }

    /// The version of what [`Dataplane::homes`] would answer now: another one after any change.
    #[must_use]
    pub fn homes_version(&self) -> u64 {
        self.shared.registry.version()
    }

    /// One line each: which pages and kernel features were taken, and why.
    #[must_use]
    pub fn notes(&self) -> Vec<String> {
        self.notes.clone()
    }

    /// What the kernel was found to seal; nothing where no listener wants to know.
    #[must_use]
    pub fn kernel_tls(&self) -> &KernelTls {
        &self.shared.kernel_tls
    }

    /// All counters just now.
    #[must_use]
    pub fn counters(&self) -> CounterSnapshot {
        let mut snapshot = counters::snapshot(&self.shared.counters, self.zones);
        for (zone, arena) in snapshot.zones.iter_mut().zip(&self.shared.arenas) {
            zone.arena_bytes = arena.bytes_total();
            zone.arena_free = arena.bytes_free();
            zone.pages = arena.page().label().to_owned();
        }
        snapshot.socket_memory_bytes = self.shared.socket_memory.bytes();
        snapshot.socket_memory_max = self.shared.socket_memory.max();
        if self.shared.socket_memory.is_short() {
            snapshot
                .zones
                .iter_mut()
                .for_each(|zone| zone.overloaded = true);
        }
        snapshot
    }

    /// Looks how much the kernel holds for sockets; to be called a few times a second.
    pub fn sample_socket_memory(&self) {
        self.shared.socket_memory.sample();
    }

    /// All streams just now, by id.
    #[must_use]
    pub fn streams(&self) -> Vec<StreamStatus> {
        let streams = self.shared.registry.streams();
        let mut statuses: Vec<_> = streams.values().map(|stream| stream.status()).collect();
        statuses.sort_by(|a, b| a.id.cmp(&b.id));
        statuses
    }

    /// Takes a new configuration over, whole or not at all.
    ///
    /// # Errors
    /// [`ReloadError`]; nothing has changed then.
    pub fn reload(&self, reload: Reload) -> Result<ReloadSummary, ReloadError> {
        for stream in &reload.streams {
            if let Some(zone) = stream.zone.filter(|zone| usize::from(*zone) >= self.zones) {
                return Err(ReloadError::NoSuchZone {
                    stream: stream.id.clone(),
                    zone,
                });
            }
        }
        if reload.streams.len() > reload.streams_max as usize {
            return Err(ReloadError::TooManyStreams {
                streams: reload.streams.len(),
                streams_max: reload.streams_max,
            });
        }
        let mut reload = reload;
        match (&self.certificates, reload.certificates.take()) {
            (Some(_), None) => return Err(ReloadError::NoCertificate),
            (Some(held), Some(store)) => held.replace(store),
            (None, _) => {}
        }
        let changed = self.shared.registry.reload(&reload);
        let summary = ReloadSummary {
            added: changed.added,
            closed: changed.closed.len(),
        };
        for stream in changed.closed {
            self.tell(stream.owner, || Message::Close {
                stream: stream.clone(),
            });
        }
        Ok(summary)
    }

    /// Replaces the key that session tickets are made with; tickets of the one before stay
    /// good. To be called every [`TICKET_LIFETIME`].
    pub fn rotate_ticket_key(&self) {
        if let Some(Err(error)) = self.tickets.as_ref().map(|tickets| tickets.rotate()) {
            tracing::error!(%error, "the ticket key was not rotated");
        }
    }

    /// Accepts nobody any more; what is in flight may go on for `limit`.
    pub fn drain(&self, limit: Duration) {
        self.draining.store(true, Ordering::Relaxed);
        for id in 0..self.boxes.len() {
            self.tell(LoopId(id as u16), || Message::Drain { limit });
        }
    }

    /// Whether viewers are accepted.
    #[must_use]
    pub fn ready(&self) -> bool {
        !self.draining.load(Ordering::Relaxed) && !self.finished()
    }

    /// Whether a loop has ended.
    #[must_use]
    pub fn finished(&self) -> bool {
        let threads = self.threads.lock().unwrap_or_else(PoisonError::into_inner);
        threads.iter().any(JoinHandle::is_finished)
    }

    /// Waits until every loop has ended.
    ///
    /// # Errors
    /// The first loop that failed.
    pub fn join(self) -> Result<(), LoopFailure> {
        let threads =
            std::mem::take(&mut *self.threads.lock().unwrap_or_else(PoisonError::into_inner));
        let mut result = Ok(());
        for (id, thread) in threads.into_iter().enumerate() {
            let ended = thread.join().unwrap_or_else(|_| {
                let error = std::io::Error::other("it panicked");
                Err(LoopFailure {
                    loop_id: id as u16,
                    error,
                })
            });
            result = result.and(ended);
        }
        result
    }

    /// A loop that has not turned for `loop_stall`, if there is one.
    #[must_use]
    pub fn stalled(&self) -> Option<StalledLoop> {
        let now = self.epoch.elapsed();
        let threads = self.threads.lock().unwrap_or_else(PoisonError::into_inner);
        self.shared
            .counters
            .iter()
            .zip(threads.iter())
            .enumerate()
            .find_map(|(id, (c, thread))| {
                let silent = now.saturating_sub(Duration::from_nanos(c.pulse.get()));
                let stalled = silent >= self.shared.limits.loop_stall && !thread.is_finished();
                stalled.then_some(StalledLoop {
                    loop_id: id as u16,
                    zone: c.zone.0,
                    silent,
                })
            })
    }

    /// Puts a message into a loop's mailbox; it is drained every turn, so a full one is
    /// tried again shortly.
    fn tell(&self, id: LoopId, message: impl Fn() -> Message) {
        for _ in 0..1000 {
            if self.boxes[usize::from(id.0)].put(message()).is_none() {
                return;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        tracing::error!(loop_id = id.0, "a loop takes no messages");
    }
}
