//! The whole pipeline under the simulated driver: real loops, streams, rings and TLS, and
//! nothing of the kernel.
//!
//! A [`Simulation`] is what [`Dataplane`](crate::Dataplane) is to threads and sockets: it sets
//! memory aside (on the heap), makes the listeners and the loops, and turns them in the order
//! that the world's seed wants. Whoever drives it connects peers ([`Simulation::connect`]), lets
//! them act, and steps. At the end it says what was not given back ([`Simulation::held`],
//! [`Simulation::memory_held`]).
//!
//! Mail between loops may be late, a turn or many. The process can be killed in the middle of
//! anything ([`Simulation::kill`]) and started again with what was saved
//! ([`Simulation::restart`]).
//!
//! Time and randomness are the world's. TLS draws its keys from the system, so bytes differ
//! from run to run while lengths, and with them the order of events, do not; an Ed25519
//! certificate has signatures of one length.
//!
//! A [`Flaw`] breaks the pipeline on purpose, to show that whoever checks it finds out.

mod assembly;
mod bounds;
mod config;
mod flaws;
mod holdings;
mod late_mail;
mod tampering;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use zonecast_io::Time;
use zonecast_io::sim::{Carried, SimPeer, SimWorld};
use zonecast_numa::LoopId;

use crate::config::{Reload, StreamConfig, TokenHash};
use crate::counters::{self, CounterSnapshot};
use crate::dataplane::StartError;
use crate::loops::Message;
use crate::status::StreamStatus;
use crate::tls::Certificates;

use assembly::Life;
pub use config::{Door, SimulationConfig};
pub use flaws::Flaw;
use late_mail::LateMail;

/// See the module's description.
pub struct Simulation {
    /// Its loops are `None` once they have ended. Before the world, which looks for buffers when
    /// it goes.
    life: Life,
    /// What the control plane says and the mailboxes have no room for.
    letters: VecDeque<(LoopId, Message)>,
    late_mail: LateMail,
    /// What earlier lives counted.
    past: Vec<CounterSnapshot>,
    /// Killed, and not started again.
    is_down: bool,
    sightings: BTreeMap<&'static str, u64>,
    /// Looks at what is held.
    looks: u64,
    tampering: tampering::Tampering,
    config: SimulationConfig,
    certificates: Option<Arc<Certificates>>,
    world: SimWorld,
}

impl Simulation {
    /// Makes the world, its loops and their listeners.
    ///
    /// # Errors
    /// [`StartError::Memory`], [`StartError::Tls`].
    pub fn new(mut config: SimulationConfig) -> Result<Self, StartError> {
        let world = SimWorld::new(config.seed, config.faults.clone(), None);
        let certificates = config.certificates.take().map(Certificates::new);
        let life = Life::begin(&world, &config, certificates.as_ref())?;
        Ok(Self {
            life,
            letters: VecDeque::new(),
            late_mail: LateMail::of(config.loops.len()),
            past: Vec::new(),
            is_down: false,
            sightings: BTreeMap::new(),
            looks: 0,
            tampering: tampering::Tampering::of(config.flaw),
            config,
            certificates,
            world,
        })
    }

    /// Ends the process where it stands: nobody is told, and what waits to be saved is lost.
    pub fn kill(&mut self) {
        self.past.push(self.counters_of_this_life());
        self.letters.clear();
        self.life.loops.iter_mut().for_each(|turned| *turned = None);
        self.is_down = true;
        self.see("killed");
    }

    /// Starts it again, with its first configuration and what was saved.
    ///
    /// # Errors
    /// As [`Simulation::new`].
    pub fn restart(&mut self) -> Result<(), StartError> {
        self.life = Life::begin(&self.world, &self.config, self.certificates.as_ref())?;
        self.late_mail = LateMail::of(self.config.loops.len());
        self.is_down = false;
        Ok(())
    }

    /// Writes what waits to be saved, as the thread does that is not simulated.
    pub fn save(&mut self) {
        let saver = self.life.shared.saver.as_ref();
        if let (Some(saver), Some(dir)) = (saver, &self.config.state_dir) {
            if self.config.flaw == Flaw::LostSave {
                saver.lose();
            }
            saver.write(dir);
        }
    }

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
        let loops = self.life.doors.len();
        let index = index % loops;
        let lives = self.past.len() - usize::from(self.is_down);
        let of_world = lives * loops + index;
        let listener = self.life.doors[index][door as usize];
        self.world.connect(of_world, listener)
    }

    /// Lets happen what can happen next, up to `limit`; false when the clock is there.
    ///
    /// # Panics
    /// When a loop's driver fails.
    pub fn step_until(&mut self, limit: Time) -> bool {
        self.post();
        self.tamper();
        let soonest = self.delay_mail();
        let Some(order) = self.world.step_until(limit.min(soonest)) else {
            return limit > soonest;
        };
        let loops = self.life.loops.len();
        for index in order {
            let Some(turned) = &mut self.life.loops[index % loops] else {
                continue;
            };
            if !turned.turn().expect("a simulated driver does not fail") {
                self.life.loops[index % loops] = None;
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
        let streams = self.life.shared.registry.streams();
        let mut statuses: Vec<_> = streams.values().map(|stream| stream.status()).collect();
        statuses.sort_by(|a, b| a.id.cmp(&b.id));
        statuses
    }

    /// All counters just now, of every life.
    #[must_use]
    pub fn counters(&self) -> Vec<CounterSnapshot> {
        let this = (!self.is_down).then(|| self.counters_of_this_life());
        self.past.iter().cloned().chain(this).collect()
    }

    fn counters_of_this_life(&self) -> CounterSnapshot {
        counters::snapshot(&self.life.shared.counters, self.config.zones())
    }

    /// What each connection was sent so far, and by which door it came.
    #[must_use]
    pub fn carried(&self) -> Vec<(Door, Carried)> {
        const DOORS: [Door; 4] = [
            Door::Viewer,
            Door::Encoder,
            Door::ViewerTls,
            Door::EncoderTls,
        ];
        let carried = self.world.carried().into_iter();
        carried
            .map(|carried| (DOORS[usize::from(carried.listener.0)], carried))
            .collect()
    }

    /// How often each fault struck and each thing worth seeing was seen, by name.
    #[must_use]
    pub fn tally(&self) -> BTreeMap<&'static str, u64> {
        let mut tally = self.world.tally();
        tally.extend(&self.sightings);
        tally
    }

    fn see(&mut self, what: &'static str) {
        *self.sightings.entry(what).or_default() += 1;
    }

    /// Takes other streams over, as a new configuration does; without an open token the ones
    /// that encoders made are closed, too.
    pub fn reload(&mut self, streams: Vec<StreamConfig>, open_token: Option<TokenHash>) {
        let changed = self.life.shared.registry.reload(&Reload {
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
        for id in 0..self.life.boxes.len() {
            self.tell(LoopId(id as u16), Message::Drain { limit });
        }
    }

    /// Whether every loop has ended.
    #[must_use]
    pub fn finished(&self) -> bool {
        self.life.loops.iter().all(Option::is_none)
    }

    fn tell(&mut self, id: LoopId, message: Message) {
        self.letters.push_back((id, message));
        self.post();
    }

    fn post(&mut self) {
        while let Some((id, message)) = self.letters.pop_front() {
            if let Some(message) = self.life.boxes[usize::from(id.0)].put(message) {
                self.letters.push_front((id, message));
                return;
            }
        }
    }
}
