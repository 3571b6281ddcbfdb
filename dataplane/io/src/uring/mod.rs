//! The io_uring driver: one ring a loop, made and used on the loop's own thread.
//!
//! An operation's life, and the file of each step:
//! 1. `accept`, `receive`, `send`, `close` put what the operation owns into the slab
//!    ([`operations`]) and an entry into the submission queue ([`queue`]).
//! 2. [`turn`] gives buffers back to the kernel, submits everything and waits, with one
//!    `io_uring_enter`, then takes each completion to the file that submitted it.
//! 3. `*_done` there takes the operation out of the slab and tells the pipeline.
//!
//! Invariants:
//! - Memory that the kernel may touch is owned by the slab, by the receive ring or by the driver,
//!   until the completion has been reaped; [`teardown`] keeps this over a drop.
//! - An entry that does not fit the submission queue waits in order; none is lost.
//! - A connection's slot knows how many operations it has in flight; closing asserts none.

mod accept;
mod buffer_ring;
mod cancel;
mod clock;
mod close;
mod config;
mod connections;
mod kernel;
mod leaving;
mod lent;
mod operations;
mod queue;
mod receive;
mod send;
mod setup;
mod teardown;
mod turn;

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use io_uring::cqueue;
use rustix::event::{EventfdFlags, eventfd};
use zonecast_numa::{Regions, Span};

use crate::driver::{
    Completion, Conn, Driver, Leaving, ListenerId, OpId, Outgoing, Owed, Time, Token,
};
use crate::egress::Offload;
use crate::kernel_tls::KernelKey;
use crate::memory::Memory;
use crate::pool::{BUFFER_BYTES, BURST_BYTES, BURSTS, Buffer, Pool};
use crate::wake::Waker;

use accept::Listener;
use buffer_ring::BufferRing;
use clock::{Clock, SplitMix};
use connections::Connections;
use leaving::Departures;
use lent::Lender;
use operations::Operations;
use queue::Queue;
use turn::bytes;

pub use accept::Descriptors;
pub use config::{UringConfig, UringStats};
pub use setup::RingKind;

/// The driver of one loop. Make it on the loop's thread; it cannot leave it.
pub struct UringDriver<H> {
    queue: Queue,
    operations: Operations<H>,
    connections: Connections,
    listeners: Vec<Option<Listener>>,
    receive_ring: BufferRing,
    /// Receives that wait for a buffer, oldest first; may name operations that are gone.
    starved: VecDeque<OpId>,
    send_pool: Rc<Pool>,
    burst_pool: Rc<Pool>,
    /// Bytes of sends that do not wait, since the kernel was last entered.
    queued: usize,
    /// Such sends were many enough to be submitted before the turn.
    burst: bool,
    regions: Option<Regions>,
    /// Completions that needed no kernel, for the next turn.
    ready: Vec<Completion<H>>,
    /// Completions between the kernel's queue and their handling.
    reaped: Vec<cqueue::Entry>,
    /// Those of them that are for a later turn, oldest first.
    later: VecDeque<cqueue::Entry>,
    /// Only where somebody wants to know.
    departures: Option<Departures>,
    /// Only where pages may be lent to network cards.
    lender: Option<Lender<H>>,
    waker: Waker,
    /// Where the wake-up's count goes; nobody reads it.
    wake_memory: Rc<Memory>,
    wake_armed: bool,
    clock: Clock,
    random: SplitMix,
    direct_supported: bool,
    step_downs: Vec<String>,
    turns: u64,
    starved_count: u64,
}

impl<H> UringDriver<H> {
    /// A driver for the calling thread, with the best ring that this kernel offers.
    ///
    /// # Errors
    /// When there is no io_uring here, or it lacks what cannot be done without (multishot accept and
    /// provided buffer rings: Linux 5.19), or the configuration is out of range.
    pub fn new(config: UringConfig) -> io::Result<Self> {
        Self::with_ring(config, RingKind::DeferTaskrun)
    }

    /// Like [`UringDriver::new`], with `best` as the best kind of ring to try.
    ///
    /// # Errors
    /// As for [`UringDriver::new`].
    pub fn with_ring(config: UringConfig, best: RingKind) -> io::Result<Self> {
        config.check()?;
        let setup::Made {
            ring,
            direct_max,
            step_downs,
        } = setup::make(&config, best)?;
        let receive_ring = BufferRing::new(
            &ring,
            config.receive_buffers,
            config.receive_buffer_bytes as usize,
        )?;
        let completions_max = ring.params().cq_entries() as usize;
        let operations_max = 3 * config.connections_max as usize + 64;
        Ok(UringDriver {
            queue: Queue::new(ring),
            operations: Operations::with_capacity(operations_max),
            connections: Connections::new(direct_max, config.connections_max),
            listeners: Vec::new(),
            receive_ring,
            starved: VecDeque::with_capacity(operations_max),
            send_pool: Pool::new(config.send_buffers, BUFFER_BYTES),
            burst_pool: Pool::new(BURSTS, BURST_BYTES),
            queued: 0,
            burst: false,
            regions: config.regions,
            ready: Vec::with_capacity(64),
            reaped: Vec::with_capacity(completions_max),
            later: VecDeque::with_capacity(completions_max),
            departures: None,
            lender: None,
            waker: Waker::with_eventfd(eventfd(0, EventfdFlags::CLOEXEC)?),
            wake_memory: Rc::new(Memory::new(size_of::<u64>())),
            wake_armed: false,
            clock: Clock::new(config.epoch),
            random: SplitMix::seeded(),
            direct_supported: direct_max > 0,
            step_downs,
            turns: 0,
            starved_count: 0,
        })
    }

    /// Hands a listening socket to the driver. Where direct descriptors cannot be had (see
    /// [`UringDriver::step_downs`]) its connections get plain ones.
    ///
    /// # Errors
    /// When the socket cannot be switched to blocking mode, which io_uring needs to wait on it.
    pub fn add_listener(
        &mut self,
        listener: OwnedFd,
        descriptors: Descriptors,
    ) -> io::Result<ListenerId> {
        self.listener_added(listener, descriptors)
    }

    /// Takes a listening socket back, to pass it on or to close it.
    ///
    /// # Panics
    /// When an accept is still in flight on it: cancel that first and wait for its end.
    pub fn remove_listener(&mut self, listener: ListenerId) -> Option<OwnedFd> {
        self.listener_removed(listener)
    }

    /// From here on the driver can tell by which device a connection with a plain descriptor leaves.
    /// `sys` is where the kernel's files are (`/sys`): of the devices' NUMA nodes.
    ///
    /// # Errors
    /// What the kernel says: no descriptor is left, or it has no netlink.
    pub fn watch_egress(&mut self, sys: &Path) -> io::Result<()> {
        self.departures = Some(Departures::open(sys)?);
        Ok(())
    }

    /// From here on pages may be lent to network cards. They are kept for `drain` after the peer has
    /// acknowledged them, for copies that may still be in a card's queue.
    ///
    /// # Errors
    /// What the kernel lacks.
    pub fn lend_pages(&mut self, drain: Duration) -> io::Result<()> {
        self.lender = Some(Lender::open(drain)?);
        Ok(())
    }

    /// What the kernel lacked, and what is used instead; one line each.
    pub fn step_downs(&self) -> &[String] {
        &self.step_downs
    }

    /// What the driver has done so far.
    pub fn stats(&self) -> UringStats {
        UringStats {
            turns: self.turns,
            enters: self.queue.enters(),
            starved: self.starved_count,
        }
    }
}

impl<H> Driver for UringDriver<H> {
    type Hold = H;

    fn now(&self) -> Time {
        self.clock.now()
    }

    fn random(&mut self) -> u64 {
        self.random.next()
    }

    fn accept(&mut self, listener: ListenerId, token: Token) -> OpId {
        self.accept_submitted(listener, token)
    }

    fn receive(&mut self, conn: Conn, token: Token) -> OpId {
        self.receive_submitted(conn, token)
    }

    fn receive_into(&mut self, conn: Conn, buffer: Buffer, at: usize, token: Token) -> OpId {
        self.receive_into_submitted(conn, buffer, at, token)
    }

    fn send(&mut self, conn: Conn, outgoing: Outgoing<H>, more: bool, token: Token) -> OpId {
        self.send_submitted(conn, outgoing, more, token)
    }

    fn send_now(&mut self, conn: Conn, buffer: Buffer, more: bool, token: Token) -> OpId {
        self.send_now_submitted(conn, buffer, more, token)
    }

    fn writable(&mut self, conn: Conn, token: Token) -> OpId {
        self.writable_submitted(conn, token)
    }

    fn seal_in_kernel(&mut self, conn: Conn, key: Box<KernelKey>, token: Token) -> OpId {
        self.handover_submitted(conn, key, token)
    }

    fn send_record(&mut self, conn: Conn, record_type: u8, message: &[u8], token: Token) -> OpId {
        self.record_submitted(conn, record_type, message, token)
    }

    fn leaving(&mut self, conn: Conn) -> io::Result<Leaving> {
        self.leaves(conn)
    }

    fn offload(&mut self, conn: Conn) -> io::Result<Offload> {
        self.sealed_by(conn)
    }

    fn leaving_changed(&mut self) -> bool {
        self.departures.as_mut().is_some_and(Departures::changed)
    }

    fn was_down(&self, leaving: Leaving) -> bool {
        let departures = self.departures.as_ref();
        departures.is_none_or(|departures| departures.was_down(leaving))
    }

    fn may_lend(&mut self, conn: Conn) -> io::Result<()> {
        self.lending_begins(conn)
    }

    fn lend(&mut self, conn: Conn, span: Span, hold: H, more: bool) -> io::Result<usize> {
        self.lent_now(conn, span, hold, more)
    }

    fn owed(&mut self, conn: Conn, is_wanted: impl FnMut(&H) -> bool) -> io::Result<Owed> {
        self.still_owed(conn, is_wanted)
    }

    fn shutdown(&mut self, conn: Conn, token: Token) -> OpId {
        self.shutdown_submitted(conn, token)
    }

    fn close(&mut self, conn: Conn, token: Token) {
        self.close_when_acknowledged(conn, token);
    }

    fn abort(&mut self, conn: Conn, token: Token) {
        self.abort_submitted(conn, token);
    }

    fn cancel(&mut self, op: OpId) {
        self.cancel_submitted(op);
    }

    fn buffer(&mut self) -> Option<Buffer> {
        Buffer::take(&self.send_pool)
    }

    fn buffers_free(&self) -> usize {
        self.send_pool.free_count()
    }

    fn burst(&mut self) -> Option<Buffer> {
        Buffer::take(&self.burst_pool)
    }

    fn peer(&self, conn: Conn) -> Option<SocketAddr> {
        self.connections.peer(conn)
    }

    fn local(&self, conn: Conn) -> Option<SocketAddr> {
        self.connections.local(conn)
    }

    fn turn(&mut self, until: Option<Time>, out: &mut Vec<Completion<H>>) -> io::Result<()> {
        self.turn_until(until, out)
    }

    fn backlog(&self) -> usize {
        self.later.len()
    }

    fn waker(&self) -> Waker {
        self.waker.clone()
    }
}
