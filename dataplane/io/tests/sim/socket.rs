//! How connections behave without faults: ends, resets, windows, a full table, missing buffers.

use std::time::Duration;

use zonecast_io::sim::{End, Faults, SimConfig};
use zonecast_io::{Driver, Event, Token};

use crate::harness::{ACCEPT, Bench, CLOSE, SHUTDOWN, pattern};

const SECOND: Duration = Duration::from_secs(1);

/// Shows that both directions finish on their own, and that a close after that is in order.
#[test]
fn ends_in_order() {
    let mut bench = Bench::new(Faults::none());
    let (mut peer, conn) = bench.connect();
    assert_eq!(peer.write(b"question"), 8);
    peer.finish();
    assert_eq!(peer.write(b"too late"), 0);
    assert_eq!(bench.receive(conn).unwrap(), b"question");
    assert!(bench.receive(conn).unwrap().is_empty());
    assert_eq!(bench.send(conn, b"answer").unwrap(), 6);
    bench.driver.shutdown(conn, SHUTDOWN);
    assert!(matches!(bench.wait(SHUTDOWN), Event::Shutdown(Ok(()))));
    let error = bench.send(conn, b"more").unwrap_err();
    assert_eq!(error.raw_os_error(), Some(libc::EPIPE));
    bench.close(conn);
    bench.run_for(SECOND);
    assert_eq!(peer.take_received(), b"answer");
    assert_eq!(peer.received_end(), End::Finished);
}

/// Shows that an abort is a reset for the peer, and so is a close over bytes that nobody has read or
/// that come after it.
#[test]
fn resets_of_the_loop() {
    let mut bench = Bench::new(Faults::none());
    let (aborted, conn) = bench.connect();
    bench.driver.abort(conn, CLOSE);
    assert!(matches!(bench.wait(CLOSE), Event::Closed));
    let (mut unread, conn) = bench.connect();
    unread.write(b"nobody reads this");
    bench.run_for(SECOND);
    bench.close(conn);
    let (mut late, conn) = bench.connect();
    bench.close(conn);
    late.write(b"nobody is there");
    late.pause();
    bench.run_for(SECOND);
    for peer in [&aborted, &unread] {
        assert_eq!(peer.received_end(), End::Reset);
    }
    // The end came first, in order; after the reset nothing can be written any more.
    assert_eq!(late.received_end(), End::Finished);
}

/// Shows that a peer's reset is heard once as an error, after what arrived before it, and that
/// afterwards receives end and sends fail.
#[test]
fn a_reset_of_the_peer() {
    let mut bench = Bench::new(Faults::none());
    let (mut peer, conn) = bench.connect();
    peer.write(b"before");
    bench.run_for(SECOND);
    peer.reset();
    bench.run_for(SECOND);
    assert_eq!(bench.receive(conn).unwrap(), b"before");
    let error = bench.receive(conn).unwrap_err();
    assert_eq!(error.raw_os_error(), Some(libc::ECONNRESET));
    assert!(bench.receive(conn).unwrap().is_empty());
    let error = bench.send(conn, b"into the void").unwrap_err();
    assert_eq!(error.raw_os_error(), Some(libc::EPIPE));
    assert_eq!(peer.received_end(), End::Reset);
    bench.close(conn);
}

/// Shows that a slow peer's window paces a send, and that the send takes as long as that needs.
#[test]
fn a_slow_peer_paces_a_send() {
    let mut bench = Bench::new(Faults::none());
    let (mut peer, conn) = bench.connect();
    peer.set_window(1000);
    peer.read_slowly(500, Duration::from_millis(100));
    let bytes = pattern(1, 10_000);
    let started = bench.world.now();
    assert_eq!(bench.send(conn, &bytes).unwrap(), 10_000);
    let took = bench.world.now() - started;
    assert!(
        (SECOND..SECOND * 3).contains(&took),
        "9,000 bytes at 500 in 100 ms, and the last window: {took:?}"
    );
    bench.run_for(SECOND);
    assert!(peer.take_received() == bytes);
}

/// Shows that one connection too many ends the accept with ENFILE and is refused, and that after a
/// close the place is given again, under another number.
#[test]
fn a_full_table_ends_the_accept() {
    let config = SimConfig {
        connections_max: 1,
        addresses: true,
        ..SimConfig::default()
    };
    let mut bench = Bench::with(Faults::none(), &config, None);
    let (_first, conn) = bench.connect();
    assert!(bench.driver.peer(conn).is_some());
    let refused = bench.world.connect(0, bench.listener);
    let Event::AcceptEnded(error) = bench.wait(ACCEPT) else {
        panic!()
    };
    assert_eq!(error.raw_os_error(), Some(libc::ENFILE));
    bench.run_for(SECOND);
    assert_eq!(refused.received_end(), End::Reset);
    bench.close(conn);
    assert!(bench.driver.peer(conn).is_none());
    bench.driver.accept(bench.listener, ACCEPT);
    let (_second, again) = bench.connect();
    assert_ne!(again, conn);
}

/// Shows that receives without a buffer wait inside the driver, oldest first, until one is dropped.
#[test]
fn receives_wait_for_a_buffer() {
    let config = SimConfig {
        receive_buffers: 1,
        ..SimConfig::default()
    };
    let mut bench = Bench::with(Faults::none(), &config, None);
    let mut peers: Vec<_> = (0..4).map(|_| bench.connect()).collect();
    for (number, (peer, conn)) in (0..).zip(&mut peers) {
        peer.write(&[number]);
        bench.driver.receive(*conn, Token(100 + u64::from(number)));
    }
    let mut seen = Vec::new();
    for _ in 0..4 {
        bench.run_for(SECOND);
        assert_eq!(bench.out.len(), 1, "as many as there are buffers");
        let Event::Received(Ok(received)) = bench.out.pop().unwrap().event else {
            panic!()
        };
        seen.push(received[0]);
    }
    seen.sort_unstable();
    assert_eq!(seen, [0, 1, 2, 3]);
}

/// Shows that a driver can be dropped with anything in flight, and that its peers see it.
#[test]
fn a_driver_that_is_dropped() {
    let mut bench = Bench::new(Faults::none());
    let (mut peer, conn) = bench.connect();
    peer.set_window(10);
    bench.driver.receive(conn, Token(7));
    let buffer = bench.filled(&[1; 1000]);
    let outgoing = zonecast_io::Outgoing::Buffer(buffer);
    bench.driver.send(conn, outgoing, false, Token(8));
    bench.run_for(SECOND);
    let Bench {
        out,
        driver,
        world,
        listener,
    } = bench;
    drop((driver, out));
    let refused = world.connect(0, listener);
    while world.step().is_some() {}
    assert_eq!(
        peer.received_len(),
        1000,
        "the window opened as it was read"
    );
    assert_eq!(peer.received_end(), End::Finished);
    assert_eq!(refused.received_end(), End::Reset);
}

/// Shows that a send which does not wait takes the room that there is and no more, that a wait for
/// room ends when the peer has read, by a cancellation, or with the connection.
#[test]
fn a_send_that_does_not_wait() {
    const ROOM: Token = Token(77);
    let mut bench = Bench::new(Faults::none());
    let (mut peer, conn) = bench.connect();
    peer.set_window(1000);
    peer.pause();
    let bytes = pattern(1, 1500);
    assert_eq!(bench.send_now(conn, &bytes).unwrap(), 1000);
    assert_eq!(bench.send_now(conn, &bytes[1000..]).unwrap(), 0);
    let op = bench.driver.writable(conn, ROOM);
    bench.run_for(SECOND);
    bench.driver.cancel(op);
    assert!(matches!(bench.wait(ROOM), Event::Writable(Err(_))));
    bench.driver.writable(conn, ROOM);
    peer.read_slowly(100, Duration::from_millis(10));
    assert!(matches!(bench.wait(ROOM), Event::Writable(Ok(()))));
    let taken = bench.send_now(conn, &bytes[1000..]).unwrap();
    assert!(
        (100..=500).contains(&taken),
        "{taken} of a window that opens"
    );
    bench.run_for(SECOND);
    assert!(peer.take_received() == bytes[..1000 + taken]);
    peer.reset();
    bench.run_for(SECOND);
    bench.driver.writable(conn, ROOM);
    assert!(matches!(bench.wait(ROOM), Event::Writable(Ok(()))));
    assert!(bench.send_now(conn, b"into the void").is_err());
    bench.close(conn);
}
