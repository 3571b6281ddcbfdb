//! How the binary ends while viewers still watch.

#![allow(clippy::unwrap_used, reason = "a test's panic is its verdict")]

mod common;

use std::io::{Read, Write};
use std::net::TcpStream;

use common::daemon::{CONFIG, Daemon, TOKEN, address, exchange};
use rustix::process::Signal;

/// An upload that does not end, and a viewer who follows it and has its first bytes.
fn open_response(ready: &str) -> (TcpStream, TcpStream) {
    let mut encoder = TcpStream::connect(address(ready, "ingest")).unwrap();
    write!(
        encoder,
        "PUT /live/news/a.ts HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\n\
         Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"
    )
    .unwrap();
    let mut viewer = TcpStream::connect(address(ready, "http")).unwrap();
    viewer
        .write_all(b"GET /live/news/a.ts HTTP/1.1\r\nHost: x\r\n\r\n")
        .unwrap();
    let mut got = Vec::new();
    while !got.ends_with(b"hello\r\n") {
        let mut bytes = [0; 1024];
        let length = viewer.read(&mut bytes).unwrap();
        assert!(length > 0, "{}", String::from_utf8_lossy(&got));
        got.extend_from_slice(&bytes[..length]);
    }
    (encoder, viewer)
}

/// Draining is bounded: a response that would never end is cut after `drain_timeout`, meanwhile
/// `/readyz` says 503, and the exit code is 0.
#[test]
fn draining_is_bounded() {
    let folder = tempfile::tempdir().unwrap();
    let mut daemon = Daemon::start(&folder, CONFIG);
    let ready = daemon.logged(" ready ");
    let (_encoder, mut viewer) = open_response(&ready);
    let admin = TcpStream::connect(address(&ready, "admin")).unwrap();
    daemon.signal(Signal::TERM);
    daemon.logged("draining");
    let answer = exchange(admin, "/readyz");
    assert!(answer.contains(" 503 "), "{answer}");
    let mut rest = Vec::new();
    let _ = viewer.read_to_end(&mut rest);
    assert!(
        !rest.ends_with(b"0\r\n\r\n"),
        "a cut response must not look complete"
    );
    daemon.logged("stopped");
    assert!(daemon.end().success());
}

/// A second signal does not wait for what the first one waits for.
#[test]
fn a_second_signal_ends_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let text = CONFIG.replace("drain_timeout = '1s'", "drain_timeout = '1h'");
    let mut daemon = Daemon::start(&folder, &text);
    let ready = daemon.logged(" ready ");
    let _open = open_response(&ready);
    daemon.signal(Signal::INT);
    daemon.logged("SIGINT: draining");
    daemon.signal(Signal::TERM);
    daemon.logged("SIGTERM again: ending at once");
    assert_eq!(daemon.end().code(), Some(1));
}
