//! Shows that a load against a server that does everything right ends well, and that each thing
//! done wrong ends it with an error that says what: wrong bytes on a connection that compares,
//! too many or too few on one that only counts, a connection that is closed.
//!
//! The server is a thread for each connection, without TLS.
#![allow(clippy::unwrap_used, missing_docs)]

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use zonecast_load::content::Objects;
use zonecast_load::{Counts, Load, LoadError, Pace, Spec};

const FOLDER: &str = "/live/bench/";
const SIZE: usize = 50_000;

/// Longer than any of this takes.
const PATIENCE: Duration = Duration::from_secs(20);
/// Responses of all viewers together.
const ENOUGH: u64 = 160;
/// Responses that are right on every connection, so that the size of each object is known.
const RIGHT: usize = 15;

/// What the server does wrong, on the connection with this number, after [`RIGHT`] responses.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Fault {
    None,
    Flip(usize),
    Other(usize),
    Long(usize),
    Short(usize),
    Close(usize),
    Missing(usize),
}

fn serve(objects: Arc<Objects>, fault: Fault) -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for (number, stream) in listener.incoming().flatten().enumerate() {
            let objects = Arc::clone(&objects);
            thread::spawn(move || answer(stream, &objects, number, fault));
        }
    });
    address
}

/// Answers until the client is gone.
fn answer(mut stream: TcpStream, objects: &Objects, number: usize, fault: Fault) {
    stream.set_nodelay(true).unwrap();
    let mut request = [0; 4096];
    for response in 0.. {
        let Ok(got @ 1..) = stream.read(&mut request) else {
            return;
        };
        let text = String::from_utf8_lossy(&request[..got]);
        let path = text.split(' ').nth(1).unwrap();
        let asked: usize = path
            .strip_prefix(FOLDER)
            .and_then(|name| name.strip_prefix('o')?.strip_suffix(".ts"))
            .and_then(|digits| digits.parse().ok())
            .unwrap();
        let mut body = objects.get(asked).to_vec();
        let mut status = "200 OK";
        let fault = if response >= RIGHT {
            fault
        } else {
            Fault::None
        };
        match fault {
            Fault::Flip(at) if at == number => body[SIZE - 1] ^= 1,
            Fault::Other(at) if at == number => body = objects.get(asked + 1).to_vec(),
            Fault::Long(at) if at == number => body.push(0),
            Fault::Short(at) if at == number => drop(body.pop()),
            Fault::Close(at) if at == number => return,
            Fault::Missing(at) if at == number => status = "404 No",
            _ => {}
        }
        let head = format!("HTTP/1.1 {status}\r\nContent-Length: {SIZE}\r\n\r\n");
        let response = [head.as_bytes(), &body].concat();
        if stream.write_all(&response).is_err() {
            return;
        }
    }
}

/// Four viewers, of which the first compares.
fn spec(fault: Fault, pace: Pace) -> Spec {
    let objects = Arc::new(Objects::make(3, 6, SIZE));
    let mut spec = Spec::new(serve(Arc::clone(&objects), fault), FOLDER, objects);
    spec.connections = 4;
    spec.verify_every = 4;
    spec.pace = pace;
    // One after the other, so that the server's numbers are the load's.
    spec.open_at_once = 1;
    spec
}

/// Goes on until there were enough responses for every fault to show, or an error; returns how
/// many there were and what the last counts were.
fn enough(load: &mut Load) -> Result<(u64, Counts), LoadError> {
    let (mut responses, deadline) = (0, Instant::now() + PATIENCE);
    loop {
        load.run(Duration::from_millis(50))?;
        let counts = load.take_counts();
        responses += counts.responses;
        if responses >= ENOUGH {
            return Ok((responses, counts));
        }
        assert!(Instant::now() < deadline, "{responses} responses only");
    }
}

/// A whole load; the counts are those of its end.
fn load(fault: Fault, pace: Pace) -> Result<Counts, LoadError> {
    let mut load = Load::open(spec(fault, pace))?;
    enough(&mut load)?;
    assert_eq!(load.alive(), 4);
    load.finish(Duration::from_secs(2))
}

/// Right bytes in a closed loop and at a pace: every response is counted, a part compared.
#[test]
fn a_right_server_passes() {
    for pace in [Pace::Closed, Pace::Every(Duration::from_millis(20))] {
        let mut load = Load::open(spec(Fault::None, pace)).unwrap();
        let (_, counts) = enough(&mut load).unwrap();
        assert!(counts.verified < counts.responses, "{counts:?}");
        assert_eq!(counts.last_byte.len(), counts.responses);
        assert_eq!(counts.broken, 0);
        load.finish(PATIENCE).unwrap();
    }
}

/// A viewer that compares finds a flipped bit, another object, and another status.
#[test]
fn a_comparing_viewer_finds_wrong_bytes() {
    for (fault, says) in [
        (Fault::Flip(0), "wrong byte at 49999"),
        (Fault::Other(0), "instead of"),
        (Fault::Missing(0), "status Some(404)"),
        (Fault::Long(0), "more bytes than the object has"),
    ] {
        let error = load(fault, Pace::Closed).unwrap_err();
        let wrong = matches!(error, LoadError::Wrong { connection: 0, .. });
        assert!(
            wrong && error.to_string().contains(says),
            "{fault:?}: {error}"
        );
    }
}

/// A viewer that only counts finds a byte too many, and one too few.
#[test]
fn a_counting_viewer_finds_a_wrong_length() {
    for pace in [Pace::Closed, Pace::Every(Duration::from_millis(20))] {
        let error = load(Fault::Long(2), pace).unwrap_err();
        let wrong = matches!(error, LoadError::Wrong { connection: 2, .. });
        let text = error.to_string();
        let counted = text.contains("were due") || text.contains("nobody asked for");
        assert!(wrong && counted, "{pace:?}: {error}");
        let error = load(Fault::Short(2), pace).unwrap_err();
        assert!(
            matches!(error, LoadError::TooSlow { .. }),
            "{pace:?}: {error}"
        );
    }
}

/// A connection that is closed ends the load, or is counted where that is allowed.
#[test]
fn a_closed_connection_is_seen() {
    let error = load(Fault::Close(3), Pace::Closed).unwrap_err();
    let broke = matches!(error, LoadError::Broke { connection: 3, .. });
    assert!(broke, "{error}");

    let mut spec = spec(Fault::Close(3), Pace::Every(Duration::from_millis(20)));
    spec.may_break = true;
    let mut load = Load::open(spec).unwrap();
    while load.alive() == 4 {
        load.run(Duration::from_millis(50)).unwrap();
    }
    assert_eq!(load.alive(), 3);
    let counts = load.finish(PATIENCE).unwrap();
    assert_eq!(counts.broken, 1);
}

/// A stalled viewer asks and never reads; a quiet one has had one response.
#[test]
fn viewers_hold_still() {
    for pace in [Pace::Stalled, Pace::Once] {
        let mut load = Load::open(spec(Fault::None, pace)).unwrap();
        load.run(Duration::from_millis(200)).unwrap();
        assert_eq!(load.alive(), 4);
        let counts = load.finish(PATIENCE).unwrap();
        assert_eq!(counts.responses, 0, "{pace:?}");
    }
}
