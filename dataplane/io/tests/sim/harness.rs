//! One loop in the hands of a test, and names for events.

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::time::Duration;

use zonecast_io::sim::{End, Faults, SimConfig, SimDriver, SimPeer, SimWorld};
use zonecast_io::{Buffer, Completion, Conn, Driver, Event, ListenerId, Time, Token};
use zonecast_numa::{Arena, Block, Regions, RegionsBuilder, ZoneId};

pub(crate) const ACCEPT: Token = Token(1);
pub(crate) const RECEIVE: Token = Token(2);
pub(crate) const SEND: Token = Token(3);
pub(crate) const SHUTDOWN: Token = Token(4);
pub(crate) const CLOSE: Token = Token(5);

/// A world with one loop that a test drives by hand. The world goes last.
pub(crate) struct Bench {
    pub(crate) out: Vec<Completion<Rc<()>>>,
    pub(crate) driver: SimDriver<Rc<()>>,
    pub(crate) listener: ListenerId,
    pub(crate) world: SimWorld,
}

impl Bench {
    pub(crate) fn new(faults: Faults) -> Bench {
        Bench::with(faults, &SimConfig::default(), None)
    }

    pub(crate) fn with(faults: Faults, config: &SimConfig, regions: Option<Regions>) -> Bench {
        let world = SimWorld::new(1, faults, regions);
        let mut driver = world.driver(config);
        let listener = driver.listen();
        driver.accept(listener, ACCEPT);
        Bench {
            out: Vec::new(),
            driver,
            listener,
            world,
        }
    }

    pub(crate) fn connect(&mut self) -> (SimPeer, Conn) {
        let peer = self.world.connect(self.driver.index(), self.listener);
        let Event::Accepted(conn) = self.wait(ACCEPT) else {
            panic!("expected a connection")
        };
        (peer, conn)
    }

    /// Steps until something with this token has completed, and takes it out.
    pub(crate) fn wait(&mut self, token: Token) -> Event<Rc<()>> {
        loop {
            let place = self.out.iter().position(|done| done.token == token);
            if let Some(place) = place {
                return self.out.remove(place).event;
            }
            let order = self.world.step().expect("it completes at some time");
            for _ in order {
                self.driver.turn(None, &mut self.out).unwrap();
            }
        }
    }

    /// Runs for so long, whatever completes.
    pub(crate) fn run_for(&mut self, duration: Duration) {
        let limit = self.world.now() + duration;
        while let Some(order) = self.world.step_until(limit) {
            for _ in order {
                self.driver.turn(Some(limit), &mut self.out).unwrap();
            }
        }
        self.driver.turn(None, &mut self.out).unwrap();
    }

    pub(crate) fn receive(&mut self, conn: Conn) -> std::io::Result<Vec<u8>> {
        self.driver.receive(conn, RECEIVE);
        let Event::Received(result) = self.wait(RECEIVE) else {
            panic!("expected bytes")
        };
        result.map(|received| received.to_vec())
    }

    /// A pool buffer that is to send `bytes`.
    pub(crate) fn filled(&mut self, bytes: &[u8]) -> Buffer {
        filled(&mut self.driver, bytes).expect("a free buffer")
    }

    pub(crate) fn send(&mut self, conn: Conn, bytes: &[u8]) -> std::io::Result<usize> {
        let buffer = self.filled(bytes);
        let outgoing = zonecast_io::Outgoing::Buffer(buffer);
        self.driver.send(conn, outgoing, false, SEND);
        let Event::Sent { result, .. } = self.wait(SEND) else {
            panic!("expected the end of a send")
        };
        result
    }

    pub(crate) fn send_now(&mut self, conn: Conn, bytes: &[u8]) -> std::io::Result<usize> {
        let buffer = self.filled(bytes);
        self.driver.send_now(conn, buffer, false, SEND);
        let Event::Sent { result, .. } = self.wait(SEND) else {
            panic!("expected the end of a send")
        };
        result
    }

    pub(crate) fn close(&mut self, conn: Conn) {
        self.driver.close(conn, CLOSE);
        assert!(matches!(self.wait(CLOSE), Event::Closed));
    }
}

/// A pool buffer that is to send `bytes`, or as much of them as fits.
pub(crate) fn filled<D: Driver>(driver: &mut D, bytes: &[u8]) -> Option<Buffer> {
    let mut buffer = driver.buffer()?;
    let count = bytes.len().min(buffer.len());
    buffer[..count].copy_from_slice(&bytes[..count]);
    buffer.set(0, count);
    Some(buffer)
}

/// Bytes that differ from place to place, and from seed to seed.
pub(crate) fn pattern(seed: u64, len: usize) -> Vec<u8> {
    let mix = |n: usize| (seed ^ n as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 56;
    (0..len).map(|n| mix(n) as u8).collect()
}

/// Memory on the heap with one block, filled with [`pattern`].
pub(crate) fn memory(len: u32) -> (Regions, Block, Vec<u8>) {
    let mut regions = RegionsBuilder::new();
    let arena = Arena::heap(ZoneId(0), len, &mut regions).unwrap();
    let block = arena.allocate(len).unwrap();
    let bytes = pattern(99, len as usize);
    write(&block, 0, &bytes);
    (regions.build(), block, bytes)
}

/// Writes into a block that only the test has.
pub(crate) fn write(block: &Block, at: usize, bytes: &[u8]) {
    let (at, len) = (at as u32, bytes.len() as u32);
    let span = block.span().slice(at, len).expect("inside the block");
    let pointer = block.region().pointer(span).expect("inside its region");
    // SAFETY: the span holds as many bytes, in a block that the test alone has; a simulated driver
    // reads them only in calls that the test makes.
    unsafe {
        pointer
            .as_ptr()
            .copy_from_nonoverlapping(bytes.as_ptr(), bytes.len())
    };
}

/// What `test` panics with.
pub(crate) fn panic_of(test: impl FnOnce()) -> String {
    let caught = catch_unwind(AssertUnwindSafe(test)).expect_err("it panics");
    *caught.downcast::<String>().expect("with a message")
}

/// A loop that a simulation turns.
pub(crate) trait Turns {
    fn turn(&mut self);
}

/// Steps the world until `done` says so or the clock, without what it has leapt, is at `limit`.
pub(crate) fn run(
    world: &SimWorld,
    loops: &[RefCell<Box<dyn Turns + '_>>],
    limit: Time,
    mut done: impl FnMut() -> bool,
) {
    while let Some(order) = world.step_until(limit + world.leapt()) {
        for index in order {
            loops[index].borrow_mut().turn();
        }
        if done() {
            return;
        }
    }
}

/// What the peer has is what was to come, or a beginning of it if the connection was reset. Tells
/// whether it was complete.
pub(crate) fn assert_whole_or_reset(seed: u64, got: &[u8], expected: &[u8], end: End) -> bool {
    match end {
        End::Finished => assert!(
            got == expected,
            "seed {seed}: {} bytes of {} are not the same",
            got.len(),
            expected.len()
        ),
        End::Reset => assert!(
            expected.starts_with(got),
            "seed {seed}: wrong bytes before a reset"
        ),
        End::Open => panic!("seed {seed}: neither complete nor reset"),
    }
    end == End::Finished
}
