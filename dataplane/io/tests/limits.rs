//! What happens when something runs out: connections, receive buffers, the driver's own life.

#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use common::{ACCEPT, Bench, PATIENCE, RECEIVE, SEND, config, name};
use zonecast_io::{Conn, Descriptors, Driver, Event, Outgoing, Token};

/// Shows that a full table ends the accept, and that after a close a new accept works, over and
/// over; the numbers of what is closed are used again, and `Closed` comes before the number's next
/// `Accepted`.
#[test]
fn a_full_table_ends_the_accept() {
    for descriptors in [Descriptors::Direct, Descriptors::Plain] {
        let mut config = config();
        config.connections_max = 2;
        let mut bench: Bench = Bench::new(config);
        let (listener, address) = bench.listen("127.0.0.1", descriptors);
        let mut open: Vec<(TcpStream, Conn)> = (0..2).map(|_| bench.connect(address)).collect();
        for round in 0..20 {
            let _refused = TcpStream::connect(address).unwrap();
            let Event::AcceptEnded(error) = bench.wait(ACCEPT) else {
                panic!()
            };
            assert_eq!(error.raw_os_error(), Some(libc::ENFILE), "round {round}");
            let (_, conn) = open.remove(0);
            bench.driver.close(conn, common::CLOSE);
            bench.driver.accept(listener, ACCEPT);
            let waiting = TcpStream::connect(address).unwrap();
            let again = closed_then_accepted(&mut bench);
            assert_eq!(again, conn, "the only free number");
            open.push((waiting, again));
        }
    }
}

fn closed_then_accepted(bench: &mut Bench) -> Conn {
    while bench.out.len() < 2 {
        bench
            .driver
            .turn(Some(bench.driver.now() + PATIENCE), &mut bench.out)
            .unwrap();
    }
    assert!(matches!(bench.out[0].event, Event::Closed));
    assert_eq!(bench.out.remove(0).token, common::CLOSE);
    bench.accepted()
}

/// Clients that have each written their number.
fn writers(bench: &mut Bench, address: SocketAddr, count: u8) -> Vec<(TcpStream, Conn)> {
    let mut peers: Vec<_> = (0..count).map(|_| bench.connect(address)).collect();
    for (number, (client, _)) in (0..).zip(&mut peers) {
        client.write_all(&[number]).unwrap();
    }
    peers
}

/// Shows that receives beyond the buffers wait inside the driver and go on, in their order, as
/// buffers are dropped; that a turn still waits meanwhile; and that a waiting one can be cancelled.
#[test]
fn receives_wait_for_a_buffer() {
    let mut config = config();
    config.receive_buffers = 2;
    let mut bench: Bench = Bench::new(config);
    let (_, address) = bench.listen("127.0.0.1", Descriptors::Direct);
    let peers = writers(&mut bench, address, 6);
    let ops: Vec<_> = (0..6)
        .map(|number| {
            bench
                .driver
                .receive(peers[number].1, Token(100 + number as u64))
        })
        .collect();
    bench.turn_for(Duration::from_millis(50));
    assert_eq!(bench.out.len(), 2, "as many as there are buffers");
    assert_eq!(bench.driver.stats().starved, 4);
    let enters = bench.driver.stats().enters;
    bench.turn_for(Duration::from_millis(50));
    assert!(
        bench.driver.stats().enters - enters < 5,
        "waiting is no spinning"
    );

    bench.driver.cancel(ops[3]);
    let Event::Received(Err(error)) = bench.wait(Token(103)) else {
        panic!()
    };
    assert_eq!(error.raw_os_error(), Some(libc::ECANCELED));
    let mut order = Vec::new();
    while let Some(completion) = bench.out.pop() {
        order.push(completion.token.0 - 100);
        let Event::Received(Ok(received)) = completion.event else {
            panic!()
        };
        assert_eq!(u64::from(received[0]), completion.token.0 - 100);
        drop(received);
        if bench.out.is_empty() && order.len() < 5 {
            bench
                .driver
                .turn(Some(bench.driver.now() + PATIENCE), &mut bench.out)
                .unwrap();
        }
    }
    order.sort_unstable();
    assert_eq!(order, [0, 1, 2, 4, 5]);
}

/// Shows that receives which wait for a buffer are not tried for those that lie in completions of a
/// later turn.
#[test]
fn buffers_of_a_later_turn_are_taken() {
    let mut config = config();
    (config.connections_max, config.receive_buffers) = (200, 64);
    let mut bench: Bench = Bench::new(config);
    let (_, address) = bench.listen("127.0.0.1", Descriptors::Direct);
    let peers = writers(&mut bench, address, 114);
    for (_, conn) in &peers {
        bench.driver.receive(*conn, Token(100));
    }
    bench.turn_for(Duration::from_millis(50));
    assert_eq!(bench.out.len(), 64, "as many as there are buffers");
    assert_eq!(bench.driver.stats().starved, 50, "the others");
    bench.out.truncate(24);
    bench.driver.turn(None, &mut bench.out).unwrap();
    assert_eq!(bench.driver.backlog(), 8, "a turn hands out 32");
    bench.turn_for(Duration::from_millis(50));
    assert_eq!(bench.driver.backlog(), 0);
    assert_eq!(bench.out.len(), 64);
    assert_eq!(bench.driver.stats().starved, 50, "nobody was tried in vain");
}

/// Shows that idle receives need no buffer: 50 of them are submitted while all buffers are taken, and
/// then one connection talks.
#[test]
fn an_idle_receive_holds_no_buffer() {
    let mut config = config();
    config.receive_buffers = 2;
    let mut bench: Bench = Bench::new(config);
    let (_, address) = bench.listen("127.0.0.1", Descriptors::Direct);
    let talking = writers(&mut bench, address, 2);
    let held: Vec<_> = talking
        .iter()
        .map(|(_, conn)| bench.receive(*conn))
        .collect();
    let idle: Vec<_> = (0..50).map(|_| bench.connect(address)).collect();
    for (_, conn) in &idle {
        bench.driver.receive(*conn, Token(99));
    }
    bench.turn_for(Duration::from_millis(20));
    drop(held);
    let (mut client, talks) = bench.connect(address);
    for round in 0..100u8 {
        client.write_all(&[round]).unwrap();
        assert_eq!(bench.receive(talks)[..], [round]);
    }
    assert_eq!(bench.driver.stats().starved, 0);
}

/// Shows that one which waited for a buffer and then finds nothing to receive (another receive on its
/// connection took it) does not hold up those behind it.
#[test]
fn a_receive_that_waited_in_vain_holds_up_nobody() {
    let mut config = config();
    config.receive_buffers = 1;
    let mut bench: Bench = Bench::new(config);
    let (_, address) = bench.listen("127.0.0.1", Descriptors::Direct);
    let peers = writers(&mut bench, address, 3);
    let held = bench.receive(peers[0].1);
    bench.driver.receive(peers[1].1, Token(101));
    bench.driver.receive(peers[1].1, Token(102));
    bench.driver.receive(peers[2].1, Token(103));
    bench.turn_for(Duration::from_millis(20));
    assert_eq!(bench.driver.stats().starved, 3);
    drop(held);
    let Event::Received(Ok(first)) = bench.wait(Token(101)) else {
        panic!()
    };
    drop(first);
    let Event::Received(Ok(last)) = bench.wait(Token(103)) else {
        panic!()
    };
    assert_eq!(last[..], [2]);
}

/// Shows that a driver can be dropped with every kind of operation in flight: the clients see their
/// connections end, the lease comes back, and buffers that the pipeline still holds stay valid.
#[test]
fn a_drop_with_operations_in_flight() {
    let mut bench: Bench = Bench::new(config());
    let (_, address) = bench.listen("127.0.0.1", Descriptors::Direct);
    let (_, plain) = bench.listen("127.0.0.1", Descriptors::Plain);
    let (mut receiving, conn) = bench.connect(address);
    bench.driver.receive(conn, RECEIVE);
    let (mut receiving_into, conn) = bench.connect(plain);
    let buffer = bench.driver.buffer().unwrap();
    bench.driver.receive_into(conn, buffer, 0, RECEIVE);
    let (_sending, conn) = bench.connect(address);
    while bench.driver.buffers_free() > 1 {
        let buffer = bench.filled(&[1; 65536]);
        bench
            .driver
            .send(conn, Outgoing::Buffer(buffer), false, SEND);
    }
    let (mut writer, conn) = bench.connect(address);
    writer.write_all(b"kept").unwrap();
    bench.driver.receive(conn, Token(77));
    let Event::Received(Ok(kept)) = bench.wait(Token(77)) else {
        panic!()
    };
    let mut buffer = bench.filled(b"kept too");
    bench
        .driver
        .turn(Some(bench.driver.now()), &mut bench.out)
        .unwrap();
    let waker = bench.driver.waker();

    let started = std::time::Instant::now();
    drop(bench);
    assert!(
        started.elapsed() < Duration::from_secs(2),
        "nothing was stuck"
    );
    waker.wake();
    assert_eq!(&kept[..], b"kept");
    assert_eq!(buffer.filled(), b"kept too");
    buffer.fill(0);
    for client in [&mut receiving, &mut receiving_into] {
        let end = client
            .read(&mut [0; 1])
            .map_err(|error| error.raw_os_error());
        assert!(
            matches!(end, Ok(0) | Err(Some(libc::ECONNRESET))),
            "the connection is gone: {end:?}"
        );
    }
}

/// Shows that whatever has not been submitted yet does not disturb a drop.
#[test]
fn a_drop_before_the_first_turn() {
    let mut bench: Bench = Bench::new(config());
    let (_, address) = bench.listen("127.0.0.1", Descriptors::Direct);
    let _client = TcpStream::connect(address).unwrap();
    drop(bench);
}

/// Shows that nothing of a driver stays behind on its thread, where the kernel has room for 16 rings.
#[test]
fn a_driver_leaves_nothing_behind() {
    let mut config = config();
    config.receive_buffers = 1;
    let first = zonecast_io::UringDriver::<()>::new(config.clone()).unwrap();
    let expected = first.step_downs().to_vec();
    drop(first);
    for _ in 0..40 {
        let driver = zonecast_io::UringDriver::<()>::new(config.clone()).unwrap();
        assert_eq!(driver.step_downs(), expected);
    }
}

/// Shows that configurations out of range are refused.
#[test]
fn a_configuration_out_of_range_is_refused() {
    let mut bad = config();
    bad.receive_buffers = 40_000;
    let error = zonecast_io::UringDriver::<()>::new(bad).err().unwrap();
    assert_eq!(error.kind(), std::io::ErrorKind::InvalidInput);
}

/// Shows that more direct descriptors than the process may have is a step down, with its reason.
#[test]
fn too_many_direct_descriptors_step_down() {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile)
        .current
        .unwrap();
    let mut config = config();
    config.connections_max = u32::try_from(limit).unwrap().saturating_add(1).min(1 << 20);
    let wanted = config.connections_max;
    let mut bench: Bench = Bench::new(config);
    let reasons = bench.driver.step_downs();
    if u64::from(wanted) > limit {
        assert!(
            reasons
                .iter()
                .any(|reason| reason.contains("limit on open files")),
            "{reasons:?}"
        );
    }
    let (_, address) = bench.listen("127.0.0.1", Descriptors::Direct);
    let (_client, conn) = bench.connect(address);
    bench.close(conn);
    assert!(
        bench.out.is_empty(),
        "{:?}",
        bench.out.iter().map(|c| name(&c.event)).collect::<Vec<_>>()
    );
}
