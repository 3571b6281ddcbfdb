//! Echo loops under faults: what comes back is what was sent, or the connection is seen to be cut.

use std::cell::RefCell;
use std::time::Duration;

use zonecast_io::Time;
use zonecast_io::sim::{End, Faults, SimConfig, SimPeer, SimWorld};

use crate::echo_loop::{EchoLoop, Mistake};
use crate::harness::{Turns, assert_whole_or_reset, panic_of, pattern, run};

/// A peer that sends all of its bytes, finishes, and keeps what comes back.
struct Client {
    peer: SimPeer,
    bytes: Vec<u8>,
    written: usize,
    got: Vec<u8>,
}

impl Client {
    /// True when the connection has ended.
    fn act(&mut self) -> bool {
        if self.written < self.bytes.len() {
            self.written += self.peer.write(&self.bytes[self.written..]);
            if self.written == self.bytes.len() {
                self.peer.finish();
            }
        }
        self.got.append(&mut self.peer.take_received());
        self.peer.received_end() != End::Open
    }
}

/// What a run came to.
#[derive(Debug, PartialEq, Eq)]
struct Summary {
    hash: u64,
    len: u64,
    whole: usize,
    reset: usize,
}

/// Two echo loops and eight clients, until all of them have ended.
fn echo(seed: u64, faults: Faults, mistake: Mistake) -> Summary {
    let world = SimWorld::new(seed, faults, None);
    let config = SimConfig {
        connections_max: 3,
        send_buffers: 4,
        receive_buffers: 2,
        ..SimConfig::default()
    };
    let mut loops: Vec<RefCell<Box<dyn Turns>>> = Vec::new();
    let mut clients = Vec::new();
    for index in 0..2 {
        let mut driver = world.driver(&config);
        let listener = driver.listen();
        loops.push(RefCell::new(Box::new(EchoLoop::new(
            driver, listener, mistake,
        ))));
        for _ in 0..4 {
            let len = world.random() as usize % 40_000;
            clients.push(Client {
                peer: world.connect(index, listener),
                bytes: pattern(world.random(), len),
                written: 0,
                got: Vec::new(),
            });
        }
    }
    let limit = Time(0) + Duration::from_secs(900);
    run(&world, &loops, limit, || {
        let ended = clients
            .iter_mut()
            .filter_map(|client| client.act().then_some(()));
        ended.count() == 8
    });
    let mut whole = 0;
    for client in &clients {
        let end = client.peer.received_end();
        whole += usize::from(assert_whole_or_reset(seed, &client.got, &client.bytes, end));
    }
    Summary {
        hash: world.log_hash(),
        len: world.log_len(),
        whole,
        reset: clients.len() - whole,
    }
}

/// Shows that over 200 seeds with faults every byte comes back, or the peer sees a reset; that a
/// good part of the connections survives, and that the faults do end some.
#[test]
fn bytes_come_back_or_the_connection_is_cut() {
    let (mut whole, mut reset, mut events) = (0, 0, 0);
    for seed in 0..200 {
        let summary = echo(seed, Faults::from_seed(seed), Mistake::None);
        whole += summary.whole;
        reset += summary.reset;
        events += summary.len;
    }
    println!("seeds 0..200: {whole} whole, {reset} reset, {events} events");
    assert!(whole > 400 && reset > 100);
}

/// Shows that where nothing is lost, everything comes back: short sends and receives, delays,
/// reordering, small windows and missing buffers do no harm. A full table still refuses.
#[test]
fn nothing_is_lost_without_losses() {
    for seed in 0..50 {
        let summary = echo(seed, Faults::lossless(), Mistake::None);
        println!("seed {seed}: {summary:?}");
        assert!(summary.whole >= 6, "seed {seed}: at most a refusal a loop");
    }
}

/// Shows that a seed repeats itself event for event, and that seeds differ.
#[test]
fn a_seed_repeats() {
    let mut hashes = Vec::new();
    for seed in 0..30 {
        let first = echo(seed, Faults::from_seed(seed), Mistake::None);
        assert_eq!(
            first,
            echo(seed, Faults::from_seed(seed), Mistake::None),
            "seed {seed}"
        );
        assert!(first.len > 50);
        hashes.push(first.hash);
    }
    hashes.sort_unstable();
    hashes.dedup();
    assert_eq!(hashes.len(), 30);
}

/// Shows that the first test can fail: mistakes that a loop might make are seen by some seed.
#[test]
fn mistakes_are_seen() {
    for mistake in [Mistake::CloseForAbort, Mistake::ForgetRest] {
        let message = panic_of(|| {
            for seed in 0..200 {
                let faults = Faults {
                    backlogs: 0,
                    ..Faults::from_seed(seed)
                };
                echo(seed, faults, mistake);
            }
        });
        println!("{mistake:?}: {message}");
        assert!(
            message.contains("are not the same"),
            "{mistake:?}: {message}"
        );
    }
}
