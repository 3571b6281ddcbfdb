//! Canaries: each rule that the simulation checks is broken once, and the seed is named.

use std::rc::Rc;
use std::time::Duration;

use zonecast_io::sim::{Faults, SimConfig, SimWorld};
use zonecast_io::{Driver, Outgoing, Token};

use crate::harness::{Bench, CLOSE, RECEIVE, SEND, SHUTDOWN, memory, panic_of, write};

/// Breaks a rule on a fresh connection, and returns what the panic says.
fn broken(test: impl FnOnce(&mut Bench, zonecast_io::Conn)) -> String {
    let mut bench = Bench::new(Faults::none());
    let (_peer, conn) = bench.connect();
    let message = panic_of(|| test(&mut bench, conn));
    assert!(message.starts_with("seed 1: "), "{message}");
    message
}

/// Shows that bytes which change between submission and completion are found, in the middle of a
/// span, although the peer has got the right ones; and that the hold is then still alive.
#[test]
fn changed_bytes_are_found() {
    let (regions, block, bytes) = memory(64 << 10);
    for changes in [false, true] {
        let faults = Faults::none();
        let mut bench = Bench::with(faults, &SimConfig::default(), Some(regions.clone()));
        let (mut peer, conn) = bench.connect();
        peer.pause();
        peer.set_window(1000);
        let (span, hold) = (block.span(), Rc::new(()));
        bench
            .driver
            .send(conn, Outgoing::Span { span, hold }, false, SEND);
        bench.run_for(Duration::from_millis(10));
        assert!(bench.out.is_empty(), "the window is full");
        if changes {
            write(&block, 70, &[!bytes[70]]);
        }
        peer.set_window(1 << 20);
        peer.resume();
        if changes {
            let message = panic_of(|| drop(bench.wait(SEND)));
            assert!(message.contains("byte 70 of 65536"), "{message}");
            assert!(message.starts_with("seed 1: "), "{message}");
            std::mem::forget(bench);
        } else {
            bench.wait(SEND);
            bench.run_for(Duration::from_millis(10));
            assert!(peer.take_received() == bytes);
        }
    }
}

/// Shows that changed bytes are found where the driver is dropped with the send in flight, too.
#[test]
fn changed_bytes_are_found_at_the_end() {
    let (regions, block, bytes) = memory(4096);
    let faults = Faults::none();
    let mut bench = Bench::with(faults, &SimConfig::default(), Some(regions));
    let (peer, conn) = bench.connect();
    let (span, hold) = (block.span(), Rc::new(()));
    bench
        .driver
        .send(conn, Outgoing::Span { span, hold }, false, SEND);
    write(&block, 0, &[!bytes[0]]);
    let Bench { driver, world, .. } = bench;
    let message = panic_of(move || drop(driver));
    assert!(message.contains("byte 0 of 4096"), "{message}");
    drop(peer);
    drop(world);
}

/// Shows that operations which exclude each other are found.
#[test]
fn double_use_is_found() {
    let message = broken(|bench, conn| {
        for _ in 0..2 {
            let buffer = bench.filled(b"twice");
            bench
                .driver
                .send(conn, Outgoing::Buffer(buffer), false, SEND);
        }
    });
    assert!(message.contains("a second Send is in flight"), "{message}");
    let message = broken(|bench, conn| {
        bench.driver.receive(conn, RECEIVE);
        bench.driver.receive(conn, RECEIVE);
    });
    assert!(message.contains("a second Receive"), "{message}");
    let message = broken(|bench, conn| {
        bench.driver.shutdown(conn, SHUTDOWN);
        bench.driver.shutdown(conn, SHUTDOWN);
    });
    assert!(message.contains("a second Shutdown"), "{message}");
}

/// Shows that a close with something in flight is found, even if that has ended and the loop has
/// not heard of it, and so is whatever comes after the close.
#[test]
fn use_around_a_close_is_found() {
    let message = broken(|bench, conn| {
        let op = bench.driver.receive(conn, RECEIVE);
        bench.driver.cancel(op);
        bench.driver.close(conn, CLOSE);
    });
    assert!(
        message.contains("closed while a Receive is in flight"),
        "{message}"
    );
    let message = broken(|bench, conn| {
        bench.driver.shutdown(conn, SHUTDOWN);
        bench.driver.abort(conn, CLOSE);
    });
    assert!(message.contains("while a Shutdown"), "{message}");
    let message = broken(|bench, conn| {
        bench.driver.close(conn, CLOSE);
        bench.driver.receive(conn, RECEIVE);
    });
    assert!(message.contains("which is not open"), "{message}");
    let message = broken(|bench, conn| {
        bench.close(conn);
        let (_other, _) = bench.connect();
        bench.driver.close(conn, CLOSE);
    });
    assert!(
        message.contains("Close on Conn(0), which is not open"),
        "{message}"
    );
}

/// Shows that a buffer which never came back is found when the world ends, and that one in a
/// completion which nobody fetched is none.
#[test]
fn a_lost_buffer_is_found() {
    let world = SimWorld::new(5, Faults::none(), None);
    let mut driver = world.driver::<()>(&SimConfig::default());
    std::mem::forget(driver.buffer());
    drop(driver);
    let message = panic_of(move || drop(world));
    assert!(
        message.contains("seed 5: loop 0: 1 send buffers"),
        "{message}"
    );

    let mut bench = Bench::new(Faults::none());
    let (mut peer, conn) = bench.connect();
    bench.driver.receive(conn, Token(9));
    bench.driver.turn(None, &mut bench.out).unwrap();
    peer.write(b"held by the completion");
    bench.world.advance(Duration::from_secs(1));
    assert_eq!(bench.world.leaks().len(), 1);
    drop(peer);
    drop(bench);
}
