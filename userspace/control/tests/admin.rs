//! The admin API over real sockets, in front of a source that the test controls.

#![allow(clippy::unwrap_used, reason = "a test's panic is its verdict")]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use zonecast_control::{Admin, AdminConfig, AdminLimits, Source};
use zonecast_dataplane::{CounterSnapshot, ListenAddress, StreamStatus, TrackStatus};

/// A source whose `counters` wait while the test holds the other end of `hold`.
#[derive(Default)]
struct Fake {
    ready: AtomicBool,
    hold: Mutex<Option<Receiver<()>>>,
}

impl Source for Fake {
    fn counters(&self) -> CounterSnapshot {
        if let Some(hold) = self.hold.lock().unwrap().take() {
            let _ = hold.recv();
        }
        CounterSnapshot::default()
    }

    fn streams(&self) -> Vec<StreamStatus> {
        let track = TrackStatus {
            name: "main".to_owned(),
            objects: 3,
            ..TrackStatus::default()
        };
        vec![StreamStatus {
            id: "news".to_owned(),
            live: true,
            tracks: vec![track],
            refusals: vec![("cut".to_owned(), 2)],
            last_error: Some("from \"x\"".to_owned()),
            ..StreamStatus::default()
        }]
    }

    fn ready(&self) -> bool {
        self.ready.load(Ordering::Relaxed)
    }
}

fn start(fake: &Arc<Fake>, limits: AdminLimits) -> (Admin, SocketAddr) {
    let listen = ListenAddress::Tcp("127.0.0.1:0".parse().unwrap());
    let config = AdminConfig {
        listen,
        cpus: Vec::new(),
        limits,
    };
    let admin = Admin::start(config, fake.clone()).unwrap();
    let ListenAddress::Tcp(address) = *admin.address() else {
        panic!("a TCP address")
    };
    (admin, address)
}

/// Sends `head` as it is and returns all of the answer; the server closes.
fn exchange(mut stream: impl Read + Write, head: &str) -> String {
    stream.write_all(head.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

fn get(address: SocketAddr, path: &str) -> String {
    let head = format!("GET {path} HTTP/1.1\r\nHost: any.example\r\nConnection: close\r\n\r\n");
    exchange(TcpStream::connect(address).unwrap(), &head)
}

fn body(answer: &str) -> &str {
    answer.split_once("\r\n\r\n").unwrap().1
}

/// Each path answers as documented; readiness follows the source; other paths and methods are
/// refused, whatever the Host header says or if there is none.
#[test]
fn paths_and_methods() {
    let fake = Arc::new(Fake::default());
    let (_admin, address) = start(&fake, AdminLimits::default());
    assert!(get(address, "/healthz").starts_with("HTTP/1.1 200 OK\r\n"));
    assert!(get(address, "/readyz").starts_with("HTTP/1.1 503 "));
    fake.ready.store(true, Ordering::Relaxed);
    let ready = get(address, "/readyz");
    assert!(ready.starts_with("HTTP/1.1 200 OK\r\n") && body(&ready) == "ready\n");
    let metrics = get(address, "/metrics");
    assert!(metrics.contains("content-type: text/plain; version=0.0.4; charset=utf-8\r\n"));
    assert!(body(&metrics).contains("\nzonecast_ready 1\n"));
    assert!(get(address, "/nothing").starts_with("HTTP/1.1 404 "));
    let connect = || TcpStream::connect(address).unwrap();
    let post = exchange(
        connect(),
        "POST /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
    );
    assert!(
        post.starts_with("HTTP/1.1 405 ") && post.contains("\r\nallow: GET,HEAD\r\n"),
        "{post}"
    );
    let old = exchange(connect(), "HEAD /healthz HTTP/1.0\r\n\r\n");
    assert!(
        old.starts_with("HTTP/1.0 200 OK\r\n") && body(&old).is_empty(),
        "{old}"
    );
}

/// `/streams` is JSON with one object a stream.
#[test]
fn streams_are_json() {
    let (_admin, address) = start(&Arc::new(Fake::default()), AdminLimits::default());
    let answer = get(address, "/streams");
    let json: serde_json::Value = serde_json::from_str(body(&answer)).unwrap();
    let stream = &json[0];
    assert_eq!(
        (stream["id"].as_str(), stream["live"].as_bool()),
        (Some("news"), Some(true))
    );
    assert_eq!(stream["tracks"][0]["objects"], 3);
    assert_eq!(stream["ingest"]["errors"][0]["reason"], "cut");
    assert_eq!(stream["ingest"]["last_error"], "from \"x\"");
}

/// A data plane that does not answer gives 503 after the time-out, while `/healthz` still answers.
#[test]
fn a_silent_data_plane_does_not_silence_the_api() {
    let fake = Arc::new(Fake::default());
    let (release, hold): (Sender<()>, _) = channel();
    *fake.hold.lock().unwrap() = Some(hold);
    let limits = AdminLimits {
        answer_timeout: Duration::from_millis(50),
        ..AdminLimits::default()
    };
    let (_admin, address) = start(&fake, limits);
    let answer = get(address, "/metrics");
    assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
    assert_eq!(body(&answer), "the data plane does not answer\n");
    assert!(get(address, "/healthz").starts_with("HTTP/1.1 200 "));
    drop(release);
}

/// A connection that says nothing is closed after the header time-out, and gives its place to
/// the next: with one place, a second client is served as soon as the first is thrown out.
#[test]
fn silent_connections_are_closed() {
    let limits = AdminLimits {
        connections_max: 1,
        header_timeout: Duration::from_millis(100),
        ..AdminLimits::default()
    };
    let (_admin, address) = start(&Arc::new(Fake::default()), limits);
    let mut silent = TcpStream::connect(address).unwrap();
    assert!(get(address, "/healthz").starts_with("HTTP/1.1 200 "));
    let mut answer = Vec::new();
    let _ = silent.read_to_end(&mut answer);
    assert!(!answer.starts_with(b"HTTP/1.1 200"), "{answer:?}");
}

/// A kept-alive connection that goes silent after an answer is closed as well.
#[test]
fn idle_connections_are_closed() {
    let limits = AdminLimits {
        header_timeout: Duration::from_millis(100),
        ..AdminLimits::default()
    };
    let (_admin, address) = start(&Arc::new(Fake::default()), limits);
    let stream = TcpStream::connect(address).unwrap();
    let answer = exchange(&stream, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n");
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
}

/// A Unix socket serves too; one that was left behind is replaced, one that is served is not,
/// and the server removes its own at the end.
#[test]
fn unix_sockets() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("admin.sock");
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    let config = AdminConfig {
        listen: ListenAddress::Unix(path.clone()),
        cpus: Vec::new(),
        limits: AdminLimits::default(),
    };
    let admin = Admin::start(config.clone(), Arc::new(Fake::default())).unwrap();
    let head = "GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    assert!(exchange(UnixStream::connect(&path).unwrap(), head).starts_with("HTTP/1.1 200 "));
    let second = Admin::start(config, Arc::new(Fake::default())).unwrap_err();
    assert!(
        second
            .to_string()
            .starts_with(&format!("admin API at unix:{}: ", path.display()))
    );
    drop(admin);
    assert!(!path.exists());
}

/// An address in use is an error that names it.
#[test]
fn an_address_in_use_is_named() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let config = AdminConfig {
        listen: ListenAddress::Tcp(address),
        cpus: Vec::new(),
        limits: AdminLimits::default(),
    };
    let error = Admin::start(config, Arc::new(Fake::default())).unwrap_err();
    let expected = format!("admin API at {address}: Address already in use (os error 98)");
    assert_eq!(error.to_string(), expected);
}
