//! Cancelling, as the trait describes it: each operation still completes, once, with its buffer.

use std::io;
use std::rc::Rc;
use std::time::Duration;

use zonecast_io::sim::{End, Faults, SimConfig};
use zonecast_io::{Driver, Event, Outgoing};

use crate::harness::{ACCEPT, Bench, RECEIVE, SEND, memory};

fn assert_cancelled<T: std::fmt::Debug>(result: io::Result<T>) {
    let error = result.expect_err("it was cancelled");
    assert_eq!(error.raw_os_error(), Some(libc::ECANCELED));
}

/// Shows that a receive which waits is cancelled, of both kinds, and gives its buffer back.
#[test]
fn a_waiting_receive() {
    let mut bench = Bench::new(Faults::none());
    let (mut peer, conn) = bench.connect();
    let op = bench.driver.receive(conn, RECEIVE);
    bench.driver.turn(None, &mut bench.out).unwrap();
    bench.driver.cancel(op);
    let Event::Received(result) = bench.wait(RECEIVE) else {
        panic!()
    };
    assert_cancelled(result);
    bench.driver.cancel(op);

    let buffer = bench.filled(b"kept as it was");
    let op = bench.driver.receive_into(conn, buffer, 100, RECEIVE);
    bench.driver.cancel(op);
    let Event::ReceivedInto { result, buffer } = bench.wait(RECEIVE) else {
        panic!()
    };
    assert_cancelled(result);
    assert_eq!(buffer.filled(), b"kept as it was");

    peer.write(b"afterwards");
    bench.driver.cancel(op);
    assert_eq!(bench.receive(conn).unwrap(), b"afterwards");
}

/// Shows that a send of which the socket has taken a part reports that part; the peer gets exactly
/// that; and the hold is kept until then.
#[test]
fn a_send_that_is_stuck() {
    let (regions, block, bytes) = memory(64 << 10);
    let faults = Faults::none();
    let mut bench = Bench::with(faults, &SimConfig::default(), Some(regions));
    let (mut peer, conn) = bench.connect();
    peer.pause();
    peer.set_window(1234);
    let (span, hold) = (block.span(), Rc::new(()));
    let lease = Rc::clone(&hold);
    let outgoing = Outgoing::Span { span, hold };
    let op = bench.driver.send(conn, outgoing, false, SEND);
    bench.run_for(Duration::from_secs(5));
    assert!(bench.out.is_empty());
    bench.driver.cancel(op);
    assert_eq!(Rc::strong_count(&lease), 2);
    let Event::Sent { result, outgoing } = bench.wait(SEND) else {
        panic!()
    };
    assert_eq!(result.unwrap(), 1234);
    assert_eq!(Rc::strong_count(&lease), 2, "handed back, not dropped");
    drop(outgoing);
    let mut got = Vec::new();
    assert_eq!(peer.read(&mut got), 1234);
    assert_eq!(got, bytes[..1234]);
}

/// Shows that a send of which nothing was taken is cancelled as such.
#[test]
fn a_send_that_has_not_begun() {
    let mut bench = Bench::new(Faults::none());
    let (mut peer, conn) = bench.connect();
    peer.set_window(0);
    let buffer = bench.filled(b"never sent");
    let op = bench
        .driver
        .send(conn, Outgoing::Buffer(buffer), false, SEND);
    bench.driver.turn(None, &mut bench.out).unwrap();
    bench.driver.cancel(op);
    let Event::Sent { result, outgoing } = bench.wait(SEND) else {
        panic!()
    };
    assert_cancelled(result);
    let Outgoing::Buffer(buffer) = outgoing else {
        panic!()
    };
    assert_eq!(buffer.filled(), b"never sent");
}

/// Shows that a cancellation which comes too late changes nothing: the operation has its result.
#[test]
fn a_cancellation_that_is_too_late() {
    let mut faults = Faults::none();
    faults.delays = 1000;
    let mut bench = Bench::new(faults);
    let (mut peer, conn) = bench.connect();
    let buffer = bench.filled(b"sent all the same");
    let op = bench
        .driver
        .send(conn, Outgoing::Buffer(buffer), false, SEND);
    bench.driver.turn(None, &mut bench.out).unwrap();
    bench.driver.cancel(op);
    let Event::Sent { result, .. } = bench.wait(SEND) else {
        panic!()
    };
    assert_eq!(result.unwrap(), 17);
    bench.run_for(Duration::from_millis(10));
    assert_eq!(peer.take_received(), b"sent all the same");
    assert_eq!(peer.received_end(), End::Open);
}

/// Shows that a cancelled accept ends, and that who comes then waits for the next one.
#[test]
fn an_accept() {
    let mut bench = Bench::new(Faults::none());
    let op = bench.driver.accept(bench.listener, SEND);
    bench.driver.cancel(op);
    let Event::AcceptEnded(error) = bench.wait(SEND) else {
        panic!()
    };
    assert_cancelled::<()>(Err(error));
    bench.connect();

    let mut faults = Faults::none();
    faults.accept_errors = 1000;
    bench.world.set_faults(faults);
    let _peer = bench.world.connect(0, bench.listener);
    let Event::AcceptEnded(error) = bench.wait(ACCEPT) else {
        panic!()
    };
    assert!(error.raw_os_error().is_some());
}
