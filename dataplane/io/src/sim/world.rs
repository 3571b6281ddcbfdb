//! The state of a simulation: sockets, loops, and the events that are yet to come.
//!
//! Everything that takes time is an event in one ordered map, so the order of events is a function
//! of the seed and of what the loops and peers do. Nothing here knows what a loop's operations own.
//!
//! Invariant: the clock never goes back, and no event is left whose time has passed once
//! [`World::settle`] returns.

use std::collections::BTreeMap;
use std::time::Duration;

use zonecast_numa::Regions;

use crate::driver::{ListenerId, OpId, Time};

use super::faults::Faults;
use super::log::Log;
use super::random::Random;
use super::side::{Listener, Outcome, Side, Submission};
use super::slab::Target;
use super::socket::{Socket, SocketId, Toward};

/// The place of an event among those of its moment, where nothing reorders it.
const IN_ORDER: u32 = u32::MAX / 2;

/// Completions at most of a turn that leaves others behind.
const HANDED_OUT_FEW: usize = 4;

/// Something that is yet to come.
pub(super) enum Event {
    /// A connection reaches a listener.
    Connects(SocketId, usize, ListenerId),
    /// Something comes out of a pipe.
    Arrives(SocketId, Toward),
    /// A slow peer reads.
    PeerReads(SocketId),
    /// The network breaks a connection.
    Breaks(SocketId),
    /// A completion becomes visible to its loop.
    Ended(usize, OpId, Outcome),
    /// A cancellation reaches its operation.
    Cancels(usize, OpId, Target),
    /// A loop has a reason to look again.
    Wakes(usize),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    due: Time,
    rank: u32,
    sequence: u64,
}

/// See the module's description.
pub(super) struct World {
    pub(super) seed: u64,
    pub(super) now: Time,
    pub(super) random: Random,
    pub(super) faults: Faults,
    pub(super) log: Log,
    pub(super) regions: Option<Regions>,
    pub(super) sockets: Vec<Socket>,
    pub(super) sides: Vec<Side>,
    pub(super) events: BTreeMap<Key, Event>,
    /// How often each fault struck.
    pub(super) tally: BTreeMap<&'static str, u64>,
    /// By how much the clock has leapt.
    pub(super) leapt: Duration,
    sequence: u64,
}

impl World {
    pub(super) fn new(seed: u64, faults: Faults, regions: Option<Regions>) -> World {
        World {
            seed,
            now: Time(0),
            random: Random::new(seed),
            faults,
            log: Log::new(),
            regions,
            sockets: Vec::new(),
            sides: Vec::new(),
            events: BTreeMap::new(),
            tally: BTreeMap::new(),
            leapt: Duration::ZERO,
            sequence: 0,
        }
    }

    /// A new listener of a loop's.
    pub(super) fn listen(&mut self, at: usize) -> ListenerId {
        let listeners = &mut self.sides[at].listeners;
        listeners.push(Listener::default());
        ListenerId(listeners.len() as u16 - 1)
    }

    /// Ends the test: a rule of the driver's was broken.
    pub(super) fn violated(&self, what: &str) -> ! {
        let (seed, recent) = (self.seed, self.log.recent());
        panic!("seed {seed}: {what}\nthe last events:\n{recent}")
    }

    pub(super) fn schedule(&mut self, due: Time, event: Event) {
        self.schedule_ranked(due, IN_ORDER, event);
    }

    fn schedule_ranked(&mut self, due: Time, rank: u32, event: Event) {
        self.sequence += 1;
        let sequence = self.sequence;
        let key = Key {
            due,
            rank,
            sequence,
        };
        self.events.insert(key, event);
    }

    /// When the next event is due.
    pub(super) fn next_event(&self) -> Option<Time> {
        self.events.first_key_value().map(|(key, _)| key.due)
    }

    /// An operation has ended; its loop hears of it now, or later if the seed wants it so.
    pub(super) fn end(&mut self, at: usize, op: OpId, outcome: Outcome) {
        let due = self.now + self.delay(self.faults.delays, "late completion");
        let rank = if self.strikes(self.faults.reorders, "reordered completion") {
            self.random.next() as u32
        } else {
            IN_ORDER
        };
        self.schedule_ranked(due, rank, Event::Ended(at, op, outcome));
    }

    /// As [`World::end`] for accepts, whose completions keep their order.
    pub(super) fn end_accept(&mut self, at: usize, id: ListenerId, op: OpId, outcome: Outcome) {
        let due = self.now + self.delay(self.faults.delays, "late accept");
        let listener = self.sides[at].listener(id);
        listener.last_due = listener.last_due.max(due);
        let due = listener.last_due;
        self.schedule(due, Event::Ended(at, op, outcome));
    }

    /// Whether a fault of this name strikes now, which it does so many times in a thousand.
    pub(super) fn strikes(&mut self, permille: u32, name: &'static str) -> bool {
        let strikes = self.random.chance(permille);
        if strikes {
            self.count(name);
        }
        strikes
    }

    /// Something of this name has happened.
    pub(super) fn count(&mut self, name: &'static str) {
        *self.tally.entry(name).or_default() += 1;
    }

    /// A delay, so many times in a thousand; else none.
    pub(super) fn delay(&mut self, permille: u32, name: &'static str) -> Duration {
        if self.strikes(permille, name) {
            let max = self.faults.delay_max;
            self.random.duration(Duration::ZERO, max)
        } else {
            Duration::ZERO
        }
    }

    /// Lets everything happen that is due.
    pub(super) fn settle(&mut self) {
        while let Some(entry) = self.events.first_entry() {
            if entry.key().due > self.now {
                return;
            }
            let event = entry.remove();
            self.happen(event);
        }
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Connects(id, at, listener) => self.connects(id, at, listener),
            Event::Arrives(id, toward) => self.arrives(id, toward),
            Event::PeerReads(id) => self.slow_peer_reads(id),
            Event::Breaks(id) => self.breaks(id),
            Event::Ended(at, op, outcome) => self.sides[at].ready.push_back((op, outcome)),
            Event::Cancels(at, op, target) => self.cancels(at, op, target),
            Event::Wakes(at) => self.sides[at].woken = true,
        }
    }

    /// One turn of a loop: begins what it has submitted, and lets everything happen that is due.
    ///
    /// A turn that ends for a reason is followed by another at once, since the loop may now want to
    /// wait until another time; only after one that ends for none does the loop sleep.
    pub(super) fn turn(&mut self, at: usize, until: Option<Time>) {
        let side = &mut self.sides[at];
        let woken = side.waker.wake_up() | std::mem::take(&mut side.woken);
        side.until = until;
        self.withhold(at);
        self.refill(at);
        while let Some((op, submission)) = self.sides[at].submitted.pop_front() {
            self.begin(at, op, submission);
        }
        self.settle();
        let side = &mut self.sides[at];
        side.again = woken || !side.ready.is_empty();
    }

    fn begin(&mut self, at: usize, op: OpId, submission: Submission) {
        match submission {
            Submission::Accept(listener) => self.accept_begins(at, op, listener),
            Submission::Receive(id, room) => self.receive_begins(id, op, room),
            Submission::Send(id, bytes) => self.send_begins(id, op, bytes),
            Submission::SendNow(id, bytes) => self.send_now_begins(id, op, &bytes),
            Submission::Writable(id) => self.writable_begins(id, op),
            Submission::SealInKernel => {
                self.end(at, op, Outcome::SealedByKernel(Err(libc::EOPNOTSUPP)));
            }
            Submission::Shutdown(id) => self.shutdown_begins(id, op),
            Submission::Close(id, conn) => self.close_begins(id, op, conn, false),
            Submission::Abort(id, conn) => self.close_begins(id, op, conn, true),
            Submission::Cancel(target) => {
                let due = self.now + self.delay(self.faults.late_cancels, "late cancellation");
                self.schedule(due, Event::Cancels(at, op, target));
                self.settle();
            }
        }
    }

    /// How many completions a turn hands out: all, or as few as the seed wants.
    pub(super) fn handed_out_at_most(&mut self) -> usize {
        match self.random.chance(self.faults.backlogs) {
            true => self.random.up_to(HANDED_OUT_FEW),
            false => usize::MAX,
        }
    }

    /// Makes the pipeline's pool look empty for a while, if the seed wants it so.
    fn withhold(&mut self, at: usize) {
        let delay = self.delay(self.faults.buffers_withheld, "buffers withheld");
        if delay > Duration::ZERO {
            let until = self.now + delay;
            self.sides[at].withheld_until = until;
            self.schedule(until, Event::Wakes(at));
        }
    }
}
