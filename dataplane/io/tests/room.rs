//! Room: sends that take what the socket takes, and waits until it takes more.

#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::io::Read;

use common::{Bench, PATIENCE, SEND, config};
use zonecast_io::{BUFFER_BYTES, Conn, Descriptors, Driver, Event, Time, Token};

const ROOM: Token = Token(6);

fn pattern(len: usize) -> Vec<u8> {
    (0..len).map(|n| (n * 31 % 251) as u8).collect()
}

/// Submits a send and a wait for room behind it; how many bytes were taken.
fn send_now(bench: &mut Bench<()>, conn: Conn, bytes: &[u8]) -> usize {
    let buffer = bench.filled(bytes);
    bench.driver.send_now(conn, buffer, false, SEND);
    match bench.wait(SEND) {
        Event::Sent { result, .. } => result.unwrap(),
        other => panic!("expected a send, not {}", common::name(&other)),
    }
}

/// Shows that a send and the wait for room behind it complete in the turn that submits them, while
/// the socket has room; that a full socket takes a part, then nothing; that the wait is over when
/// the peer has read; and that the peer gets what was taken, and nothing else.
#[test]
fn a_full_socket_takes_nothing_until_it_is_read() {
    for descriptors in [Descriptors::Direct, Descriptors::Plain] {
        let mut bench = Bench::<()>::new(config());
        let (_, address) = bench.listen("127.0.0.1", descriptors);
        let (mut client, conn) = bench.connect(address);
        let bytes = pattern(BUFFER_BYTES);

        let first = bench.filled(&bytes);
        bench.driver.send_now(conn, first, true, SEND);
        bench.driver.writable(conn, ROOM);
        bench.out.clear();
        bench.driver.turn(Some(Time(0)), &mut bench.out).unwrap();
        let events: Vec<_> = bench.out.iter().map(|c| common::name(&c.event)).collect();
        assert_eq!(events, ["Sent", "Writable"], "{descriptors:?}");
        bench.out.clear();

        let mut taken = BUFFER_BYTES;
        let mut sends = 0;
        loop {
            let n = send_now(&mut bench, conn, &bytes[taken % BUFFER_BYTES..]);
            if n == 0 {
                break;
            }
            taken += n;
            sends += 1;
            assert!(sends < 10_000, "a socket has an end");
        }
        bench.driver.writable(conn, ROOM);
        bench.turn_for(std::time::Duration::from_millis(50));
        assert!(bench.out.is_empty(), "nobody has read");

        let mut got = vec![0; taken];
        client.set_read_timeout(Some(PATIENCE)).unwrap();
        client.read_exact(&mut got).unwrap();
        assert!(
            got.chunks(BUFFER_BYTES)
                .all(|part| *part == bytes[..part.len()])
        );
        assert!(matches!(bench.wait(ROOM), Event::Writable(Ok(()))));
        assert_eq!(send_now(&mut bench, conn, b"again"), 5);
        let mut again = [0; 5];
        client.read_exact(&mut again).unwrap();
        assert_eq!(&again, b"again");
        bench.close(conn);
    }
}

/// Shows that a wait for room can be cancelled, and that it ends when the peer has gone.
#[test]
fn a_wait_ends_by_a_cancellation_or_with_the_connection() {
    let mut bench = Bench::<()>::new(config());
    let (_, address) = bench.listen("127.0.0.1", Descriptors::Direct);
    for gone in [false, true] {
        let (client, conn) = bench.connect(address);
        while send_now(&mut bench, conn, &pattern(BUFFER_BYTES)) > 0 {}
        let op = bench.driver.writable(conn, ROOM);
        bench.turn_for(std::time::Duration::from_millis(20));
        if gone {
            rustix::net::sockopt::set_socket_linger(&client, Some(std::time::Duration::ZERO))
                .unwrap();
            drop(client);
            assert!(matches!(bench.wait(ROOM), Event::Writable(_)));
            let buffer = bench.filled(b"nobody is there");
            bench.driver.send_now(conn, buffer, false, SEND);
            assert!(matches!(
                bench.wait(SEND),
                Event::Sent { result: Err(_), .. }
            ));
        } else {
            bench.driver.cancel(op);
            let Event::Writable(Err(error)) = bench.wait(ROOM) else {
                panic!("it was cancelled")
            };
            assert_eq!(error.raw_os_error(), Some(libc::ECANCELED));
        }
        bench.close(conn);
    }
}
