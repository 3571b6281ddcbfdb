//! The whole pipeline under the simulated driver: real loops, streams, rings and TLS, and
//! nothing of the kernel.
//!
//! A [`Simulation`] is what [`Dataplane`](crate::Dataplane) is to threads and sockets: it sets
//! memory aside (on the heap), makes the listeners and the loops, and turns them in the order
//! that the world's seed wants. Whoever drives it connects peers ([`Simulation::connect`]), lets
//! them act, and steps. At the end it says what was not given back ([`Simulation::held`],
//! [`Simulation::memory_held`]).
//!
//! Time and randomness are the world's. TLS draws its keys from the system, so bytes differ
//! from run to run while lengths, and with them the order of events, do not; an Ed25519
//! certificate has signatures of one length.
//!
//! A [`Flaw`] breaks the pipeline on purpose, to show that whoever checks it finds out.

mod assembly;
mod flaws;
mod holdings;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use zonecast_io::sim::{Faults, SimConfig, SimPeer, SimWorld};
use zonecast_io::{ListenerId, Time};
use zonecast_numa::LoopId;

use crate::config::{ConnectionLimits, Limits, Reload, StreamConfig, TokenHash};
use crate::counters::{self, CounterSnapshot};
use crate::loops::{Loop, Mailbox, Message};
use crate::shared::Shared;
use crate::status::StreamStatus;
use crate::tls::CertificateStore;

pub use flaws::Flaw;
use flaws::Flawed;

/// What a simulation is made of.
pub struct SimulationConfig {
    /// The seed of the whole run.
    pub seed: u64,
    /// What goes wrong, and how often.
    pub faults: Faults,
    /// Each loop's zone, by loop.
    pub loops: Vec<u16>,
    /// Bytes of ring memory of each zone.
    pub arena_bytes: u32,
    /// How big a loop's driver is; its send buffers are those of `limits`.
    pub driver: SimConfig,
    /// Limits and times of the data plane.
    pub limits: Limits,
    /// What a viewer's connection may take.
    pub viewers: ConnectionLimits,
    /// What an encoder's connection may take.
    pub encoders: ConnectionLimits,
    /// An upload that is silent for this long is aborted.
    pub ingest_idle: Duration,
    /// Whoever has this token creates a stream by its first PUT.
    pub open_token: Option<TokenHash>,
    /// The streams from the start.
    pub streams: Vec<StreamConfig>,
    /// `None`: no TLS.
    pub certificates: Option<CertificateStore>,
    /// Records that one TLS key may seal.
    pub records_per_key: u64,
    /// Messages, and notices, that a loop's mailbox holds.
    pub mail_max: usize,
    /// What is broken on purpose.
    pub flaw: Flaw,
}

/// Where a peer connects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Door {
    /// Viewers, plain.
    Viewer,
    /// Encoders, plain.
    Encoder,
    /// Viewers, TLS.
    ViewerTls,
    /// Encoders, TLS.
    EncoderTls,
}

/// See the module's description.
pub struct Simulation {
    /// `None` once it has drained. Before the world, which looks for buffers when it goes.
    loops: Vec<Option<Loop<Flawed>>>,
    /// By loop and [`Door`].
    doors: Vec<Vec<ListenerId>>,
    boxes: Arc<[Mailbox]>,
    /// What the control plane says and the mailboxes have no room for.
    letters: VecDeque<(LoopId, Message)>,
    shared: Arc<Shared>,
    zones: usize,
    world: SimWorld,
}

impl Simulation {
    /// The world that the loops run in.
    #[must_use]
    pub fn world(&self) -> &SimWorld {
        &self.world
    }

    /// A peer that connects to a listener of loop `index`; it may write at once.
    ///
    /// # Panics
    /// When there is no such loop, or no TLS and a door with it.
    #[must_use]
    pub fn connect(&self, index: usize, door: Door) -> SimPeer {
        let index = index % self.doors.len();
        self.world.connect(index, self.doors[index][door as usize])
    }

    /// Lets happen what can happen next, up to `limit`; false when the clock is there.
    ///
    /// # Panics
    /// When a loop's driver fails.
    pub fn step_until(&mut self, limit: Time) -> bool {
        self.post();
        let Some(order) = self.world.step_until(limit) else {
            return false;
        };
        for index in order {
            let Some(turned) = &mut self.loops[index] else {
                continue;
            };
            if !turned.turn().expect("a simulated driver does not fail") {
                self.loops[index] = None;
            }
        }
        true
    }

    /// Runs for so long.
    pub fn run_for(&mut self, lasting: Duration) {
        let limit = self.world.now() + lasting;
        while self.step_until(limit) {}
    }

    /// All streams just now, by id.
    #[must_use]
    pub fn streams(&self) -> Vec<StreamStatus> {
        let streams = self.shared.registry.streams();
        let mut statuses: Vec<_> = streams.values().map(|stream| stream.status()).collect();
        statuses.sort_by(|a, b| a.id.cmp(&b.id));
        statuses
    }

    /// All counters just now.
    #[must_use]
    pub fn counters(&self) -> CounterSnapshot {
        counters::snapshot(&self.shared.counters, self.zones)
    }

    /// Takes other streams over, as a new configuration does; without an open token the ones
    /// that encoders made are closed, too.
    pub fn reload(&mut self, streams: Vec<StreamConfig>, open_token: Option<TokenHash>) {
        let changed = self.shared.registry.reload(&Reload {
            streams,
            open_token,
            streams_max: assembly::STREAMS_MAX,
            certificates: None,
        });
        for stream in changed.closed {
            self.tell(stream.owner, Message::Close { stream });
        }
    }

    /// Accepts nobody any more; what is in flight may go on for `limit`.
    pub fn drain(&mut self, limit: Duration) {
        for id in 0..self.boxes.len() {
            self.tell(LoopId(id as u16), Message::Drain { limit });
        }
    }

    /// Whether every loop has drained and ended.
    #[must_use]
    pub fn finished(&self) -> bool {
        self.loops.iter().all(Option::is_none)
    }

    fn tell(&mut self, id: LoopId, message: Message) {
        self.letters.push_back((id, message));
        self.post();
    }

    fn post(&mut self) {
        while let Some((id, message)) = self.letters.pop_front() {
            if let Some(message) = self.boxes[usize::from(id.0)].put(message) {
                self.letters.push_front((id, message));
                return;
            }
        }
    }
}
