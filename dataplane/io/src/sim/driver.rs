//! The driver of one simulated loop: the trait's operations, and the checks of what a loop does.
//!
//! It owns what operations send from and receive into; the world carries copies. What a span named
//! at submission is compared with what it names at completion, so a lease that ended early, and let
//! the ring use the bytes again, is found even where the peer got the right ones.

use std::cell::RefCell;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;

use crate::driver::{Completion, Conn, Driver, Leaving, ListenerId, OpId, Outgoing, Time, Token};
use crate::egress::Offload;
use crate::kernel_tls::KernelKey;
use crate::pool::{Buffer, Pool};
use crate::wake::Waker;

use super::complete::check;
use super::config::SimConfig;
use super::random::Random;
use super::routes;
use super::side::{Side, Submission};
use super::slab::{Operation, Payload, Slab, Target};
use super::span;
use super::table::Kind;
use super::world::World;

/// See [`Driver::backlog`] of the simulated driver.
const LEFT_STANDS_FOR: usize = 16;

/// The simulated driver of one loop; made by [`SimWorld::driver`](super::SimWorld::driver).
///
/// [`Driver::turn`] never waits: it hands out what is due at the world's time and notes until when
/// the loop wanted to wait, so it may return with nothing before that. The world moves the clock.
///
/// # Panics
/// With the seed and the last events, when the loop breaks a rule: an operation on a connection
/// that is not open; a second receive, send, wait for room or shutdown in flight on one; a close with anything in
/// flight; a span whose bytes changed while they were being sent.
pub struct SimDriver<H> {
    pub(super) index: usize,
    pub(super) slab: Slab<H>,
    send_pool: Rc<Pool>,
    burst_pool: Rc<Pool>,
    waker: Waker,
    now: Time,
    random: Random,
    addresses: bool,
    /// How often routes had moved when this was last told.
    routes_told: u64,
    /// The last field, so that the slab's buffers are back when the world looks for them.
    world: Rc<RefCell<World>>,
}

impl<H> SimDriver<H> {
    pub(super) fn new(world: Rc<RefCell<World>>, config: &SimConfig) -> SimDriver<H> {
        let side = Side::new(config);
        let (send_pool, waker) = (Rc::clone(&side.send_pool), side.waker.clone());
        let burst_pool = Rc::clone(&side.burst_pool);
        let mut inside = world.borrow_mut();
        let index = inside.sides.len();
        inside.sides.push(side);
        let (random, now) = (Random::new(inside.random.next()), inside.now);
        drop(inside);
        SimDriver {
            world,
            index,
            slab: Slab::new(),
            send_pool,
            burst_pool,
            waker,
            now,
            random,
            addresses: config.addresses,
            routes_told: routes::moved(now),
        }
    }

    /// The loop's number in the world, counted from 0 in the order of making.
    pub fn index(&self) -> usize {
        self.index
    }

    /// A new listener, for [`SimWorld::connect`](super::SimWorld::connect).
    pub fn listen(&mut self) -> ListenerId {
        self.world.borrow_mut().listen(self.index)
    }

    fn withheld(&self) -> bool {
        let world = self.world.borrow();
        world.sides[self.index].withheld_until > world.now
    }

    /// Books an operation on a connection; `submission` is made of the connection's socket.
    fn submit(
        &mut self,
        conn: Conn,
        kind: Kind,
        token: Token,
        payload: Payload<H>,
        submission: impl FnOnce(usize) -> Submission,
    ) -> OpId {
        let mut world = self.world.borrow_mut();
        let socket = match world.sides[self.index].table.begin(conn, kind) {
            Ok(socket) => socket,
            Err(wrong) => world.violated(&wrong),
        };
        let op = self.slab.insert(Operation {
            token,
            target: Target::Conn(conn),
            payload,
        });
        let submitted = &mut world.sides[self.index].submitted;
        submitted.push_back((op, submission(socket)));
        op
    }

    fn submit_close(&mut self, conn: Conn, token: Token, reset: bool) {
        let mut world = self.world.borrow_mut();
        let socket = match world.sides[self.index].table.begin_close(conn) {
            Ok(socket) => socket,
            Err(wrong) => world.violated(&wrong),
        };
        let op = self.slab.insert(Operation {
            token,
            target: Target::Conn(conn),
            payload: Payload::Nothing,
        });
        let submission = if reset {
            Submission::Abort(socket, conn)
        } else {
            Submission::Close(socket, conn)
        };
        let submitted = &mut world.sides[self.index].submitted;
        submitted.push_back((op, submission));
    }
}

impl<H> Driver for SimDriver<H> {
    type Hold = H;

    fn now(&self) -> Time {
        self.now
    }

    fn random(&mut self) -> u64 {
        self.random.next()
    }

    fn accept(&mut self, listener: ListenerId, token: Token) -> OpId {
        let op = self.slab.insert(Operation {
            token,
            target: Target::Listener(listener),
            payload: Payload::Nothing,
        });
        let mut world = self.world.borrow_mut();
        let submitted = &mut world.sides[self.index].submitted;
        submitted.push_back((op, Submission::Accept(listener)));
        op
    }

    fn receive(&mut self, conn: Conn, token: Token) -> OpId {
        self.submit(conn, Kind::Receive, token, Payload::Nothing, |socket| {
            Submission::Receive(socket, None)
        })
    }

    fn receive_into(&mut self, conn: Conn, buffer: Buffer, at: usize, token: Token) -> OpId {
        assert!(at < buffer.len(), "{at} is inside the buffer");
        let room = buffer.len() - at;
        let payload = Payload::Into(buffer, at);
        self.submit(conn, Kind::Receive, token, payload, |socket| {
            Submission::Receive(socket, Some(room))
        })
    }

    /// `more` makes no difference here.
    fn send(&mut self, conn: Conn, outgoing: Outgoing<H>, _more: bool, token: Token) -> OpId {
        let bytes: Option<Rc<[u8]>> = match &outgoing {
            Outgoing::Buffer(buffer) => Some(buffer.filled().into()),
            Outgoing::Span { span, .. } => span::copy(self.world.borrow().regions.as_ref(), *span),
        };
        let payload = Payload::Outgoing(outgoing, bytes.clone().unwrap_or_default());
        self.submit(conn, Kind::Send, token, payload, |socket| {
            Submission::Send(socket, bytes)
        })
    }

    /// `more` makes no difference here.
    fn send_now(&mut self, conn: Conn, buffer: Buffer, _more: bool, token: Token) -> OpId {
        let bytes: Rc<[u8]> = buffer.filled().into();
        let payload = Payload::Outgoing(Outgoing::Buffer(buffer), Rc::clone(&bytes));
        self.submit(conn, Kind::Send, token, payload, |socket| {
            Submission::SendNow(socket, bytes)
        })
    }

    fn writable(&mut self, conn: Conn, token: Token) -> OpId {
        self.submit(
            conn,
            Kind::Writable,
            token,
            Payload::Nothing,
            Submission::Writable,
        )
    }

    /// The simulated kernel seals nothing, and says so after a while.
    fn seal_in_kernel(&mut self, conn: Conn, _key: Box<KernelKey>, token: Token) -> OpId {
        self.submit(conn, Kind::Send, token, Payload::Nothing, |_| {
            Submission::SealInKernel
        })
    }

    /// # Panics
    /// Always: no connection is sealed by the simulated kernel.
    fn send_record(&mut self, _: Conn, _: u8, _: &[u8], _: Token) -> OpId {
        panic!("a control record on a connection that the kernel does not seal");
    }

    fn leaving(&mut self, conn: Conn) -> io::Result<Leaving> {
        let socket = self.world.borrow().sides[self.index].table.socket(conn);
        let socket = socket.ok_or(io::ErrorKind::NotConnected)?;
        Ok(routes::leaving(socket, self.now))
    }

    fn offload(&mut self, _: Conn) -> io::Result<Offload> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn leaving_changed(&mut self) -> bool {
        let now = routes::moved(self.now);
        std::mem::replace(&mut self.routes_told, now) != now
    }

    fn was_down(&self, _: Leaving) -> bool {
        true
    }

    fn shutdown(&mut self, conn: Conn, token: Token) -> OpId {
        self.submit(
            conn,
            Kind::Shutdown,
            token,
            Payload::Nothing,
            Submission::Shutdown,
        )
    }

    fn close(&mut self, conn: Conn, token: Token) {
        self.submit_close(conn, token, false);
    }

    fn abort(&mut self, conn: Conn, token: Token) {
        self.submit_close(conn, token, true);
    }

    fn cancel(&mut self, op: OpId) {
        let Some(operation) = self.slab.get(op) else {
            return;
        };
        let submission = Submission::Cancel(operation.target);
        let mut world = self.world.borrow_mut();
        let submitted = &mut world.sides[self.index].submitted;
        submitted.push_back((op, submission));
    }

    fn buffer(&mut self) -> Option<Buffer> {
        if self.withheld() {
            return None;
        }
        Buffer::take(&self.send_pool)
    }

    fn buffers_free(&self) -> usize {
        if self.withheld() {
            return 0;
        }
        self.send_pool.free_count()
    }

    fn burst(&mut self) -> Option<Buffer> {
        if self.withheld() {
            return None;
        }
        Buffer::take(&self.burst_pool)
    }

    fn peer(&self, conn: Conn) -> Option<SocketAddr> {
        let socket = self.world.borrow().sides[self.index].table.socket(conn)?;
        let [.., high, low] = socket.to_be_bytes();
        let port = 1024 + (socket % 60_000) as u16;
        let address = SocketAddr::from(([10, 0, high, low], port));
        self.addresses.then_some(address)
    }

    fn turn(&mut self, until: Option<Time>, out: &mut Vec<Completion<H>>) -> io::Result<()> {
        let shared = Rc::clone(&self.world);
        let mut world = shared.borrow_mut();
        world.turn(self.index, until);
        self.now = world.now;
        let most = world.handed_out_at_most();
        for _ in 0..most {
            let Some((op, outcome)) = world.sides[self.index].ready.pop_front() else {
                break;
            };
            out.push(self.hand_out(&mut world, op, outcome));
        }
        Ok(())
    }

    /// A simulated loop has few connections: what it leaves stands for many times as much.
    fn backlog(&self) -> usize {
        LEFT_STANDS_FOR * self.world.borrow().sides[self.index].ready.len()
    }

    fn waker(&self) -> Waker {
        self.waker.clone()
    }
}

impl<H> Drop for SimDriver<H> {
    /// As when the process is killed: the peers see their connections end.
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        let mut world = self.world.borrow_mut();
        for operation in self.slab.iter() {
            check(&world, operation);
        }
        world.end_loop(self.index);
    }
}
