//! The loops: one pinned thread each, with one driver, its own peers, and the streams that
//! it owns.
//!
//! A loop shares nothing that another writes on the data path. It is generic over its
//! driver, so that the simulated one runs the very same code. The phases of a peer's life
//! are `impl Loop` blocks in files of their own (`delivery/`, `ingest/`, `peer/teardown.rs`);
//! here is what drives them.

mod accept;
mod mailbox;
mod owned;
mod timers;
mod turn;
mod waiting_lists;

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::rc::Rc;
use std::sync::Arc;

use zonecast_io::{Completion, Driver, ListenerId, Time};
use zonecast_numa::{LoopId, ZoneId};
use zonecast_proto::date::HttpDate;
use zonecast_proto::path::PathRoom;
use zonecast_ring::{Lease, LoopReader};

pub(crate) use mailbox::{Mailbox, Message, Order, Post, Reply};

use crate::counters::LoopCounters;
use crate::delivery::{Borrowers, WaysOut};
use crate::peer::{PeerId, Role, SCRATCH_BYTES, Slab};
use crate::shared::Shared;
use crate::stream::{StreamOwner, Track};
use accept::Accepts;
use timers::Timers;
use waiting_lists::WaitingLists;

/// See the module's description.
pub(crate) struct Loop<D: Driver<Hold = Lease>> {
    pub(crate) driver: D,
    pub(crate) id: LoopId,
    pub(crate) zone: ZoneId,
    pub(crate) shared: Arc<Shared>,
    pub(crate) counters: Arc<LoopCounters>,
    pub(crate) post: Post,
    pub(crate) peers: Slab,
    pub(crate) timers: Timers,
    pub(crate) waiting: WaitingLists,
    /// Peers that wait for a send buffer.
    pub(crate) starved: VecDeque<PeerId>,
    /// Viewers that wait for a handshake step.
    pub(crate) handshakes: VecDeque<PeerId>,
    /// Viewers whose response is being sent straight from a ring.
    pub(crate) from_ring: Vec<PeerId>,
    /// Viewers of which it matters by which device they leave.
    pub(crate) ways_out: WaysOut,
    /// Viewers that bytes of rings are lent to.
    pub(crate) borrowers: Borrowers,
    /// Streams that this loop owns, by number.
    pub(crate) owned: BTreeMap<usize, StreamOwner>,
    /// This loop's readers of rings, by ring number.
    pub(crate) readers: HashMap<u64, Rc<LoopReader>>,
    accepts: Accepts,
    /// Viewers and encoders connected.
    connections: [u64; 2],
    /// Viewers that have ever come.
    accepted: u64,
    completions: Vec<Completion<Lease>>,
    viewers_completions: Vec<Completion<Lease>>,
    /// Memory for whole requests, lent to one peer at a time.
    pub(crate) scratch: Vec<u8>,
    /// What a handshake step sends, copied into a buffer at once.
    pub(crate) handshake_out: Vec<u8>,
    pub(crate) path_room: PathRoom,
    pub(crate) uploads: u64,
    /// The `Date` of responses, and the second that it shows.
    date: (u64, HttpDate),
    /// Since when nobody is accepted, and until when what is in flight may go on.
    pub(crate) draining: Option<Time>,
    next_chore: Time,
    /// It has drained, and the others know.
    left: bool,
    /// Mail is left to be taken: the next turn does not wait.
    hurry: bool,
    /// Mail is left to be sent: the next turn waits a little, for the other loop to take some.
    undelivered: bool,
}

impl<D: Driver<Hold = Lease>> Loop<D> {
    /// A loop that accepts on `listeners` (index: [`Shared::listeners`]).
    pub(crate) fn new(
        driver: D,
        id: LoopId,
        shared: Arc<Shared>,
        boxes: Arc<[Mailbox]>,
        listeners: Vec<(usize, ListenerId)>,
    ) -> Self {
        let now = driver.now();
        Self {
            id,
            zone: shared.loops[usize::from(id.0)],
            counters: shared.counters[usize::from(id.0)].clone(),
            post: Post::new(boxes),
            peers: Slab::default(),
            timers: Timers::default(),
            waiting: WaitingLists::default(),
            starved: VecDeque::new(),
            handshakes: VecDeque::new(),
            from_ring: Vec::new(),
            ways_out: WaysOut::default(),
            borrowers: Borrowers::default(),
            owned: BTreeMap::new(),
            readers: HashMap::new(),
            accepts: Accepts::new(listeners),
            connections: [0; 2],
            accepted: 0,
            completions: Vec::new(),
            viewers_completions: Vec::new(),
            scratch: Vec::with_capacity(SCRATCH_BYTES),
            handshake_out: Vec::new(),
            path_room: PathRoom::default(),
            uploads: 0,
            date: (u64::MAX, HttpDate::from_unix(0)),
            draining: None,
            next_chore: now,
            hurry: false,
            undelivered: false,
            left: false,
            shared,
            driver,
        }
    }

    /// This loop's reader of a track's ring.
    pub(crate) fn reader(&mut self, track: &Track) -> Rc<LoopReader> {
        let id = self.id;
        let make = || {
            track
                .ring
                .for_loop(id)
                .expect("one reader a loop, of rings made for all")
        };
        self.readers
            .entry(track.ring_number)
            .or_insert_with(make)
            .clone()
    }

    /// The `Date` of a response that is made now.
    pub(crate) fn date(&mut self) -> HttpDate {
        let now = (self.shared.epoch_unix_ns + self.driver.now().0) / 1_000_000_000;
        if self.date.0 != now {
            self.date = (now, HttpDate::from_unix(now));
        }
        self.date.1
    }

    /// Books one connection more, or less.
    pub(crate) fn count_peer(&mut self, role: Role, joined: bool) {
        let count = &mut self.connections[role as usize];
        *count = if joined { *count + 1 } else { *count - 1 };
        let [viewers, encoders] = self.connections;
        self.counters.viewers.set(viewers);
        self.counters.encoders.set(encoders);
        self.accepted += u64::from(joined && role == Role::Viewer);
        if let Some(board) = &self.shared.steering_board {
            board.publish(self.id.0, viewers as u32, self.accepted);
        }
    }
}
