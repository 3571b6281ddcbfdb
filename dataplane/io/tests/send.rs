//! Sends: from a zone's memory, stuck and cancelled, and to a peer that has gone.

#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::io::Read;
use std::net::TcpListener;
use std::rc::Rc;

use common::{Bench, RECEIVE, SEND, config};
use zonecast_io::{Conn, Descriptors, Driver, Event, Outgoing};
use zonecast_numa::{Arena, Block, PageKind, RegionsBuilder, Span, ZoneId};

const SEGMENT_BYTES: u32 = 2 << 20;

/// A driver over an arena with one block, filled with bytes that differ from place to place.
fn with_segment(best: PageKind) -> (Bench<Rc<()>>, Block, Vec<u8>) {
    let mut regions = RegionsBuilder::default();
    let bytes = u64::from(SEGMENT_BYTES) * 2;
    let arena = Arena::create(ZoneId(0), None, bytes, best, &mut regions).unwrap();
    println!("pages: {:?}", arena.page());
    let block = arena.allocate(SEGMENT_BYTES).unwrap();
    let expected: Vec<u8> = (0..SEGMENT_BYTES)
        .map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8)
        .collect();
    // SAFETY: the block is ours alone and as long as `expected`.
    unsafe {
        block
            .as_ptr()
            .copy_from_nonoverlapping(expected.as_ptr(), expected.len())
    };
    let mut config = config();
    config.regions = Some(regions.build());
    (Bench::new(config), block, expected)
}

/// Shows that a 2 MiB span arrives whole and unchanged, that the hold is kept until the completion
/// and handed back, on each kind of descriptor.
#[test]
fn a_segment_from_a_zones_memory() {
    for descriptors in [Descriptors::Direct, Descriptors::Plain] {
        let (mut bench, block, expected) = with_segment(PageKind::Huge2M);
        let socket = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = socket.local_addr().unwrap();
        // Far less than the segment, so that the send takes many goes.
        rustix::net::sockopt::set_socket_send_buffer_size(&socket, 65_536).unwrap();
        bench.listen_on(socket.into(), descriptors);
        let (mut client, conn) = bench.connect(address);
        let lease = Rc::new(());
        let outgoing = Outgoing::Span {
            span: block.span(),
            hold: Rc::clone(&lease),
        };
        bench.driver.send(conn, outgoing, false, SEND);
        assert_eq!(Rc::strong_count(&lease), 2, "the driver holds the lease");
        let reader = std::thread::spawn(move || {
            let mut got = vec![0; SEGMENT_BYTES as usize];
            client.read_exact(&mut got).map(|()| got)
        });
        let Event::Sent { result, outgoing } = bench.wait(SEND) else {
            panic!()
        };
        assert_eq!(result.unwrap(), SEGMENT_BYTES as usize);
        assert_eq!(
            Rc::strong_count(&lease),
            2,
            "the lease comes back with the completion"
        );
        drop(outgoing);
        assert_eq!(Rc::strong_count(&lease), 1);
        assert!(
            reader.join().unwrap().unwrap() == expected,
            "every byte as it was"
        );
        bench.close(conn);
    }
}

/// Shows that a span outside the regions is refused, with its hold handed back.
#[test]
fn a_span_of_no_region_is_refused() {
    let (mut bench, block, _) = with_segment(PageKind::Plain);
    let (_, address) = bench.listen("127.0.0.1", Descriptors::Direct);
    let (_client, conn) = bench.connect(address);
    let span = Span {
        offset: 3 << 20,
        len: 2 << 20,
        ..block.span()
    };
    bench.driver.send(
        conn,
        Outgoing::Span {
            span,
            hold: Rc::new(()),
        },
        false,
        SEND,
    );
    let Event::Sent { result, outgoing } = bench.wait(SEND) else {
        panic!()
    };
    assert_eq!(result.unwrap_err().kind(), std::io::ErrorKind::InvalidInput);
    assert_eq!(outgoing.len(), 2 << 20);
    bench.close(conn);
}

/// Sends segments until one does not complete at once, and gives that one's name.
fn get_stuck(bench: &mut Bench<Rc<()>>, conn: Conn, span: Span) -> zonecast_io::OpId {
    for _ in 0..64 {
        let outgoing = Outgoing::Span {
            span,
            hold: Rc::new(()),
        };
        let op = bench.driver.send(conn, outgoing, true, SEND);
        bench.turn_for(std::time::Duration::from_millis(20));
        let Some(at) = bench
            .out
            .iter()
            .position(|completion| completion.token == SEND)
        else {
            return op;
        };
        bench.out.remove(at);
    }
    panic!("the socket took 128 MiB that nobody read");
}

/// Shows that a send to a peer that does not read can be cancelled, that what it held comes back
/// with the count of what was taken, and that the connection can then be aborted.
#[test]
fn a_stuck_send_is_cancelled() {
    for descriptors in [Descriptors::Direct, Descriptors::Plain] {
        let (mut bench, block, _) = with_segment(PageKind::Plain);
        let (_, address) = bench.listen("127.0.0.1", descriptors);
        let (mut client, conn) = bench.connect(address);
        let op = get_stuck(&mut bench, conn, block.span());
        bench.driver.cancel(op);
        let Event::Sent { result, outgoing } = bench.wait(SEND) else {
            panic!()
        };
        match result {
            Ok(taken) => assert!(taken < SEGMENT_BYTES as usize, "not all of it was taken"),
            Err(error) => assert_eq!(error.raw_os_error(), Some(libc::ECANCELED)),
        }
        assert_eq!(outgoing.len(), SEGMENT_BYTES as usize);
        bench.driver.abort(conn, common::CLOSE);
        assert!(matches!(bench.wait(common::CLOSE), Event::Closed));
        let error = loop {
            match client.read(&mut [0; 65536]) {
                Ok(0) => panic!("a cut response looked complete"),
                Ok(_) => {}
                Err(error) => break error,
            }
        };
        assert_eq!(error.raw_os_error(), Some(libc::ECONNRESET));
    }
}

/// Shows that an idle connection that is aborted is reset and not finished, on each kind of
/// descriptor; and that one that is closed is finished and not reset.
#[test]
fn an_abort_is_a_reset_and_a_close_is_not() {
    for descriptors in [Descriptors::Direct, Descriptors::Plain] {
        let mut bench: Bench = Bench::new(config());
        let (_, address) = bench.listen("127.0.0.1", descriptors);
        let (mut client, conn) = bench.connect(address);
        bench.driver.abort(conn, common::CLOSE);
        assert!(matches!(bench.wait(common::CLOSE), Event::Closed));
        let error = client.read(&mut [0; 1]).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::ECONNRESET));
        let (mut client, conn) = bench.connect(address);
        bench.close(conn);
        assert_eq!(client.read(&mut [0; 1]).unwrap(), 0);
    }
}

/// Shows that sending to a peer that has reset the connection is an error and no signal.
#[test]
fn sending_to_a_peer_that_has_gone() {
    let mut bench: Bench = Bench::new(config());
    let (_, address) = bench.listen("127.0.0.1", Descriptors::Direct);
    let (client, conn) = bench.connect(address);
    rustix::net::sockopt::set_socket_linger(&client, Some(std::time::Duration::ZERO)).unwrap();
    drop(client);
    bench.driver.receive(conn, RECEIVE);
    let Event::Received(Err(error)) = bench.wait(RECEIVE) else {
        panic!()
    };
    assert_eq!(error.raw_os_error(), Some(libc::ECONNRESET));
    let buffer = bench.filled(b"too late");
    bench
        .driver
        .send(conn, Outgoing::Buffer(buffer), false, SEND);
    let Event::Sent { result, .. } = bench.wait(SEND) else {
        panic!()
    };
    assert_eq!(result.unwrap_err().raw_os_error(), Some(libc::EPIPE));
    bench.close(conn);
}

/// Shows that closing a connection with a receive in flight is refused loudly.
#[test]
#[should_panic(expected = "nothing is in flight")]
fn a_busy_connection_cannot_be_closed() {
    let mut bench: Bench = Bench::new(config());
    let (_, address) = bench.listen("127.0.0.1", Descriptors::Direct);
    let (_client, conn) = bench.connect(address);
    bench.driver.receive(conn, RECEIVE);
    bench.driver.close(conn, common::CLOSE);
}
