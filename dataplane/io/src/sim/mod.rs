//! The simulated driver: loops, peers and a network in one thread, from one seed.
//!
//! A [`SimWorld`] has a virtual clock and the connections between peers ([`SimPeer`]) and loops,
//! each of which runs on a [`SimDriver`], the same [`Driver`](crate::Driver) that the io_uring
//! driver is. Nothing sleeps: [`SimWorld::step`] moves the clock to where something can happen and
//! says which loops are to be turned, in an order of the seed's; the test turns them, lets its peers
//! act, and steps again. What the loops and the peers do between the same steps of the same seed
//! gives the same run, which [`SimWorld::log_hash`] shows.
//!
//! In the order of the flow: `driver` takes operations and `complete` hands out completions, `side` is what
//! the world knows of a loop, `world` runs events in the order of their times, `accept`,
//! `receive`, `send` and `close` are what operations do, `network` is what happens between
//! the two ends of a `socket`, `peer` is the far end, and `end` looks for leaks. `faults` says what goes wrong; `clock`
//! moves the time.
//!
//! Where it is harder than a kernel: two receives on one connection, or a connection's number used
//! after its end, are errors. Where it is simpler: sends and windows have no segments or
//! acknowledgements, and a turn may return with nothing.

mod accept;
mod clock;
mod close;
mod complete;
mod config;
mod driver;
mod end;
mod faults;
mod log;
mod network;
mod peer;
mod random;
mod receive;
mod routes;
mod send;
mod side;
mod slab;
mod socket;
mod span;
mod table;
mod world;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use zonecast_numa::Regions;

use crate::driver::{ListenerId, Time};

use socket::Socket;
use world::World;

pub use config::SimConfig;
pub use driver::SimDriver;
pub use faults::Faults;
pub use peer::SimPeer;
pub use socket::End;

/// What a connection was sent by its loop; see [`SimWorld::carried`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Carried {
    /// The loop.
    pub index: usize,
    /// The listener of the loop that it came by.
    pub listener: ListenerId,
    /// Bytes that its socket took.
    pub bytes: u64,
    /// Both directions ended in order; one that goes on has not.
    pub orderly: bool,
}

/// A simulation. Clones are handles of the same one.
///
/// When the last handle, driver and peer are gone, every buffer must be back in its pool. So keep a
/// handle until the loops, and what they hold, are dropped.
///
/// # Panics
/// When the last of them is dropped and buffers are missing.
#[derive(Clone)]
pub struct SimWorld {
    world: Rc<RefCell<World>>,
}

impl SimWorld {
    /// A world without loops. Spans that loops send lie in `regions`.
    #[must_use]
    pub fn new(seed: u64, faults: Faults, regions: Option<Regions>) -> SimWorld {
        let world = World::new(seed, faults, regions);
        SimWorld {
            world: Rc::new(RefCell::new(world)),
        }
    }

    /// The seed that replays this run.
    #[must_use]
    pub fn seed(&self) -> u64 {
        self.world.borrow().seed
    }

    /// A driver for one more loop; they are numbered from 0 on.
    #[must_use]
    pub fn driver<H>(&self, config: &SimConfig) -> SimDriver<H> {
        SimDriver::new(Rc::clone(&self.world), config)
    }

    /// A new listener of loop `index`.
    ///
    /// # Panics
    /// When there is no such loop.
    #[must_use]
    pub fn listen(&self, index: usize) -> ListenerId {
        self.world.borrow_mut().listen(index)
    }

    /// A peer that connects to a listener of loop `index`; it may write at once.
    ///
    /// # Panics
    /// When there is no such loop.
    #[must_use]
    pub fn connect(&self, index: usize, listener: ListenerId) -> SimPeer {
        let id = self.world.borrow_mut().connect(index, listener);
        SimPeer::new(Rc::clone(&self.world), id)
    }

    /// The virtual time.
    #[must_use]
    pub fn now(&self) -> Time {
        self.world.borrow().now
    }

    /// Moves the clock to where something can happen next, and returns the loops that are to be
    /// turned then, in that order; there may be none, where only peers have something new. `None`:
    /// nothing can ever happen unless somebody does something.
    pub fn step(&self) -> Option<Vec<usize>> {
        self.step_until(Time(u64::MAX))
    }

    /// As [`SimWorld::step`], up to `limit`, unless the clock leaps beyond it. `None`: the clock is there, and nothing is left before.
    pub fn step_until(&self, limit: Time) -> Option<Vec<usize>> {
        self.world.borrow_mut().step_until(limit)
    }

    /// Moves the clock by so much, whatever the loops are waiting for.
    pub fn advance(&self, by: Duration) {
        let mut world = self.world.borrow_mut();
        let to = world.now + by;
        world.advance_to(to);
    }

    /// Does not let loop `index` be turned for so long.
    pub fn stall(&self, index: usize, lasting: Duration) {
        let mut world = self.world.borrow_mut();
        world.sides[index].stalled_until = world.now + lasting;
    }

    /// Changes the weather from now on; windows of open connections stay as they are.
    pub fn set_faults(&self, faults: Faults) {
        self.world.borrow_mut().faults = faults;
    }

    /// A number of the seed's, for what a test decides at random.
    #[must_use]
    pub fn random(&self) -> u64 {
        self.world.borrow_mut().random.next()
    }

    /// A hash of everything that has happened: kinds, times, connections and lengths, not contents.
    #[must_use]
    pub fn log_hash(&self) -> u64 {
        self.world.borrow().log.hash()
    }

    /// How many events that hash is of.
    #[must_use]
    pub fn log_len(&self) -> u64 {
        self.world.borrow().log.len()
    }

    /// From now on so many of the last events are kept in words, instead of a few.
    pub fn keep(&self, events: usize) {
        self.world.borrow_mut().log.keep(events);
    }

    /// Puts a sentence of the test's own among the events in words.
    pub fn remark(&self, text: &str) {
        let mut world = self.world.borrow_mut();
        let now = world.now;
        world.log.remark(now, text);
    }

    /// How often each fault has struck so far, by name.
    #[must_use]
    pub fn tally(&self) -> BTreeMap<&'static str, u64> {
        self.world.borrow().tally.clone()
    }

    /// By how much the clock has leapt so far: time in which nobody could do anything.
    #[must_use]
    pub fn leapt(&self) -> Duration {
        self.world.borrow().leapt
    }

    /// What every connection so far was sent by its loop, in the order of connecting.
    #[must_use]
    pub fn carried(&self) -> Vec<Carried> {
        let world = self.world.borrow();
        let carried = |socket: &Socket| Carried {
            index: socket.near.at,
            listener: socket.near.listener,
            bytes: socket.to_peer.carried,
            orderly: socket.is_orderly(),
        };
        world.sockets.iter().map(carried).collect()
    }

    /// Spans lie in `regions` from now on, as after a restart. Nothing may be in flight.
    pub fn set_regions(&self, regions: Regions) {
        self.world.borrow_mut().regions = Some(regions);
    }

    /// The last events in words, one a line, oldest first.
    #[must_use]
    pub fn recent(&self) -> String {
        self.world.borrow().log.recent()
    }

    /// Buffers that are not in their pools now, one line a pool; empty when all are back.
    #[must_use]
    pub fn leaks(&self) -> Vec<String> {
        self.world.borrow().leaks()
    }
}
