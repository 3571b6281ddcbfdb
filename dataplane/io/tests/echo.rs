//! Whole conversations over real sockets: accept, receive, send, shut down, close.

#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use common::{ACCEPT, Bench, CLOSE, RECEIVE, SEND, SHUTDOWN, config};
use zonecast_io::listen::{ListenOptions, bind_tcp, bind_unix};
use zonecast_io::{
    BUFFER_BYTES, Conn, Descriptors, Driver, Event, Outgoing, RingKind, Time, UringDriver,
};

const KINDS: [RingKind; 3] = [
    RingKind::DeferTaskrun,
    RingKind::CoopTaskrun,
    RingKind::Plain,
];

/// Sends back what comes until the peer finishes, then finishes too and closes.
fn echo(bench: &mut Bench, conn: Conn) {
    loop {
        let received = bench.receive(conn);
        if received.is_empty() {
            break;
        }
        let buffer = bench.filled(&received);
        drop(received);
        bench
            .driver
            .send(conn, Outgoing::Buffer(buffer), false, SEND);
        let Event::Sent { result, outgoing } = bench.wait(SEND) else {
            panic!("expected Sent")
        };
        assert_eq!(result.unwrap(), outgoing.len());
    }
    bench.driver.shutdown(conn, SHUTDOWN);
    assert!(matches!(bench.wait(SHUTDOWN), Event::Shutdown(Ok(()))));
    bench.close(conn);
}

/// Runs a client that writes, finishes, and reads to the end, against `echo`.
fn converse(bench: &mut Bench, mut client: impl Read + Write + Send, finish: impl FnOnce()) {
    let conn = bench.accepted();
    let question: Vec<u8> = (0..3000u32).map(|n| (n % 251) as u8).collect();
    client.write_all(&question).unwrap();
    finish();
    echo(bench, conn);
    let mut answer = Vec::new();
    client.read_to_end(&mut answer).unwrap();
    assert_eq!(answer, question);
    assert_eq!(bench.driver.buffers_free(), 16, "every buffer came back");
}

fn converse_over_tcp(bench: &mut Bench, ip: &str, descriptors: Descriptors) {
    let (_, address) = bench.listen(ip, descriptors);
    let client = std::net::TcpStream::connect(address).unwrap();
    client.set_read_timeout(Some(common::PATIENCE)).unwrap();
    let finisher = client.try_clone().unwrap();
    converse(bench, client, move || {
        finisher.shutdown(Shutdown::Write).unwrap()
    });
}

/// Shows a conversation with direct descriptors, over IPv4 and IPv6, on one driver.
#[test]
fn echo_with_direct_descriptors() {
    let mut bench = Bench::new(config());
    println!("step downs: {:?}", bench.driver.step_downs());
    converse_over_tcp(&mut bench, "127.0.0.1", Descriptors::Direct);
    converse_over_tcp(&mut bench, "::1", Descriptors::Direct);
}

/// Shows the same with plain descriptors.
#[test]
fn echo_with_plain_descriptors() {
    let mut bench = Bench::new(config());
    converse_over_tcp(&mut bench, "127.0.0.1", Descriptors::Plain);
    converse_over_tcp(&mut bench, "::1", Descriptors::Plain);
}

/// Shows the same on the lesser kinds of ring, which older kernels offer.
#[test]
fn echo_on_every_kind_of_ring() {
    for kind in KINDS {
        let driver = UringDriver::with_ring(config(), kind).unwrap();
        let mut bench = Bench {
            driver,
            out: Vec::new(),
        };
        converse_over_tcp(&mut bench, "127.0.0.1", Descriptors::Direct);
    }
}

/// Shows the same over a Unix socket; that its mode is as asked; that a socket in use is refused
/// and a stale one is replaced.
#[test]
fn echo_over_a_unix_socket() {
    use std::os::unix::fs::PermissionsExt;
    let folder = std::env::temp_dir().join(format!("zonecast-io-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join("http.sock");
    for _ in 0..2 {
        let socket = bind_unix(&path, 0o600).unwrap();
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let in_use = bind_unix(&path, 0o600).unwrap_err();
        assert_eq!(in_use.kind(), std::io::ErrorKind::AddrInUse);
        let mut bench = Bench::new(config());
        bench.listen_on(socket, Descriptors::Direct);
        // The probe above has connected and gone; its connection comes first.
        let probe = bench.accepted();
        bench.close(probe);
        let client = UnixStream::connect(&path).unwrap();
        client.set_read_timeout(Some(common::PATIENCE)).unwrap();
        let finisher = client.try_clone().unwrap();
        converse(&mut bench, client, move || {
            finisher.shutdown(Shutdown::Write).unwrap()
        });
    }
    std::fs::remove_dir_all(&folder).unwrap();
}

/// Shows that what is set on the listener is what accepted connections have, and that several
/// listeners share an address only where they ask for it.
#[test]
fn connections_inherit_from_their_listener() {
    let options = ListenOptions {
        reuse_port: true,
        notsent_lowat: Some(131_072),
        cpu: Some(0),
        ..ListenOptions::default()
    };
    let first = bind_tcp("[::1]:0".parse().unwrap(), options).unwrap();
    let address = rustix::net::getsockname(&first).unwrap();
    let address = std::net::SocketAddr::try_from(address).unwrap();
    bind_tcp(address, options).expect("both asked to share");
    let alone = ListenOptions {
        reuse_port: false,
        ..options
    };
    assert!(bind_tcp(address, alone).is_err());
    let _client = std::net::TcpStream::connect(address).unwrap();
    let accepted = rustix::net::accept(&first).unwrap();
    assert!(rustix::net::sockopt::tcp_nodelay(&accepted).unwrap());
}

/// Shows that bytes go into the caller's buffer from the given offset on, and nowhere else, and that
/// an end of stream is a result of 0.
#[test]
fn receive_into_a_buffer() {
    let mut bench: Bench = Bench::new(config());
    let (_, address) = bench.listen("127.0.0.1", Descriptors::Direct);
    let (mut client, conn) = bench.connect(address);
    let mut buffer = bench.driver.buffer().unwrap();
    buffer.fill(7);
    buffer.set(1, 2);
    bench.driver.receive_into(conn, buffer, 1000, RECEIVE);
    client.write_all(b"into place").unwrap();
    let Event::ReceivedInto { result, buffer } = bench.wait(RECEIVE) else {
        panic!()
    };
    assert_eq!(result.unwrap(), 10);
    assert_eq!(&buffer[1000..1010], b"into place");
    assert!(
        buffer[..1000]
            .iter()
            .chain(&buffer[1010..])
            .all(|byte| *byte == 7)
    );
    assert_eq!(buffer.filled_range(), 1..2);
    drop(client);
    bench
        .driver
        .receive_into(conn, buffer, BUFFER_BYTES - 1, RECEIVE);
    let Event::ReceivedInto { result, .. } = bench.wait(RECEIVE) else {
        panic!()
    };
    assert_eq!(result.unwrap(), 0);
    bench.close(conn);
}

/// Shows that a plain descriptor knows its peer and a direct one does not.
#[test]
fn the_peer_of_a_plain_descriptor() {
    let mut bench: Bench = Bench::new(config());
    let (_, plain) = bench.listen("127.0.0.1", Descriptors::Plain);
    let (client, conn) = bench.connect(plain);
    assert_eq!(bench.driver.peer(conn), Some(client.local_addr().unwrap()));
    let (_, direct) = bench.listen("127.0.0.1", Descriptors::Direct);
    let (_client, conn) = bench.connect(direct);
    assert_eq!(bench.driver.peer(conn), None);
}

/// Shows that more operations than the queue has entries all take place: 200 clients on a queue of 4.
#[test]
fn a_full_queue_loses_nothing() {
    let mut config = config();
    config.sq_entries = 4;
    config.connections_max = 200;
    let mut bench: Bench = Bench::new(config);
    let (_, address) = bench.listen("127.0.0.1", Descriptors::Direct);
    let mut peers: Vec<_> = (0..200).map(|_| bench.connect(address)).collect();
    for (client, conn) in &mut peers {
        bench.driver.receive(*conn, RECEIVE);
        client.write_all(&conn.0.to_le_bytes()).unwrap();
    }
    let mut sum = 0;
    for _ in &peers {
        let Event::Received(Ok(received)) = bench.wait(RECEIVE) else {
            panic!()
        };
        sum += u32::from_le_bytes(received[..].try_into().unwrap());
    }
    assert_eq!(sum, (0..200).sum());
    for (_, conn) in &peers {
        bench.driver.close(*conn, CLOSE);
    }
    for _ in &peers {
        assert!(matches!(bench.wait(CLOSE), Event::Closed));
    }
}

/// Shows that a turn ends at `until` and not much before, when nothing happens.
#[test]
fn a_turn_ends_in_time() {
    let mut bench: Bench = Bench::new(config());
    bench
        .driver
        .turn(Some(bench.driver.now()), &mut bench.out)
        .unwrap();
    let until = bench.driver.now() + Duration::from_millis(30);
    bench.driver.turn(Some(until), &mut bench.out).unwrap();
    assert!(bench.driver.now() >= until);
    assert!(bench.out.is_empty());
    assert!(bench.driver.stats().enters <= bench.driver.stats().turns + 1);
}

/// Shows that a loop which never waits, because its time is always up, hears of completions too.
#[test]
fn a_turn_that_never_waits_still_completes() {
    for kind in KINDS {
        let driver = UringDriver::with_ring(config(), kind).unwrap();
        let mut bench: Bench = Bench {
            driver,
            out: Vec::new(),
        };
        let (_, address) = bench.listen("127.0.0.1", Descriptors::Direct);
        let (mut client, conn) = bench.connect(address);
        bench.driver.receive(conn, RECEIVE);
        let started = std::time::Instant::now();
        let mut turns = 0;
        while bench.out.is_empty() {
            bench.driver.turn(Some(Time(0)), &mut bench.out).unwrap();
            turns += 1;
            if turns == 100 {
                client.write_all(b"at last").unwrap();
            }
            assert!(started.elapsed() < common::PATIENCE, "never heard of");
        }
        assert!(
            bench.driver.stats().enters < 20,
            "and without a system call a turn"
        );
    }
}

/// Shows that cancelling an accept ends it, that its listener can then be taken back, and that a
/// stale name does no harm.
#[test]
fn an_accept_can_be_cancelled() {
    let mut bench: Bench = Bench::new(config());
    let socket = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let listener = bench
        .driver
        .add_listener(socket.into(), Descriptors::Direct)
        .unwrap();
    let accept = bench.driver.accept(listener, ACCEPT);
    bench.driver.cancel(accept);
    let Event::AcceptEnded(error) = bench.wait(ACCEPT) else {
        panic!()
    };
    assert_eq!(error.raw_os_error(), Some(libc::ECANCELED));
    bench.driver.cancel(accept);
    assert!(bench.driver.remove_listener(listener).is_some());
    assert!(bench.driver.remove_listener(listener).is_none());
}
