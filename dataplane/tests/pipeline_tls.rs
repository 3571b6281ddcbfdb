//! TLS over real sockets: viewers of both versions get every byte, sessions resume on any
//! loop, responses that end are followed by close_notify and cut ones are not, and an
//! encoder that closes without reading loses nothing.

#![allow(clippy::unwrap_used)]

mod pipeline_support;

use std::io::ErrorKind;
use std::sync::Arc;

use pipeline_support::tls::{self, Identity};
use pipeline_support::{Client, Running, bytes, chunk, put_head};
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, HandshakeKind};

fn start() -> (Running, Identity) {
    let identity = Identity::new();
    (Running::start(tls::config(&identity)), identity)
}

/// Uploads whole, over TLS.
fn put(running: &Running, client: &Arc<ClientConfig>, path: &str, body: &[u8]) -> u16 {
    let mut encoder = Client::connect_tls(running.ingest, client);
    encoder.send(&put_head(path, "Transfer-Encoding: chunked\r\n"));
    for part in body.chunks(30_000) {
        encoder.send(&chunk(part));
    }
    encoder.send(b"0\r\n\r\n");
    encoder.response().status
}

/// Objects of many sizes, whole and in part, on one kept connection of each version.
#[test]
fn every_byte_in_both_versions() {
    let (running, identity) = start();
    for version in [&TLS13, &TLS12] {
        let client = identity.client(version);
        let mut viewer = Client::connect_tls(running.viewers, &client);
        for (n, len) in [1, 9, 16_384, 49_152, 65_537, 3_000_000]
            .into_iter()
            .enumerate()
        {
            let path = format!("/live/a/{:?}-{n}.ts", version.version);
            let body = bytes(n as u64, len);
            assert_eq!(put(&running, &client, &path, &body), 201, "{path}");
            let got = viewer.get(&path, "");
            assert_eq!((got.status, got.body.len()), (200, len), "{path}");
            assert!(got.body == body && got.complete, "{path}");
            let tail = viewer.get(&path, "Range: bytes=-1\r\n");
            assert_eq!((tail.status, &tail.body[..]), (206, &body[len - 1..]));
        }
    }
    running.stop();
}

/// A viewer follows an open object over TLS; the end of the upload ends the response.
#[test]
fn an_open_object_is_followed() {
    let (running, identity) = start();
    for version in [&TLS13, &TLS12] {
        let client = identity.client(version);
        let path = format!("/live/a/{:?}.ts", version.version);
        let mut encoder = Client::connect_tls(running.ingest, &client);
        encoder.send(&put_head(&path, "Transfer-Encoding: chunked\r\n"));
        encoder.send(&chunk(b"hello"));
        let mut viewer = Client::connect_tls(running.viewers, &client);
        viewer.send(format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes());
        assert!(viewer.head().starts_with("HTTP/1.1 200 "));
        assert_eq!(viewer.chunked_bytes(5), b"hello");
        let rest = bytes(7, 800_000);
        for part in rest.chunks(100_000) {
            encoder.send(&chunk(part));
            assert!(viewer.chunked_bytes(part.len()) == part);
        }
        encoder.send(b"0\r\n\r\n");
        assert_eq!(viewer.one_chunk(), Some(vec![]));
        assert_eq!(encoder.response().status, 201);
    }
    running.stop();
}

/// Tickets of one loop are good at any other.
#[test]
fn sessions_resume_on_any_loop() {
    let (running, identity) = start();
    for version in [&TLS13, &TLS12] {
        let client = identity.client(version);
        let mut kinds = Vec::new();
        for _ in 0..24 {
            let mut viewer = Client::connect_tls(running.viewers, &client);
            assert_eq!(viewer.get("/live/none/x", "").status, 404);
            kinds.push(viewer.tls().handshake_kind().unwrap());
        }
        assert_eq!(kinds[0], HandshakeKind::Full);
        assert!(
            kinds[1..]
                .iter()
                .all(|kind| *kind == HandshakeKind::Resumed),
            "{version:?}: {kinds:?}"
        );
    }
    let zones = running.dataplane.counters().zones;
    assert!(
        zones.iter().all(|zone| zone.handshakes_resumed > 0),
        "{zones:?}"
    );
    assert_eq!(running.sum(|zone| zone.handshakes_full), 2);
    running.stop();
}

/// Requests sent together, the first of them with the client's Finished.
#[test]
fn pipelined_with_finished() {
    let (running, identity) = start();
    let body = bytes(3, 50_000);
    assert_eq!(
        put(&running, &identity.client(&TLS13), "/live/a/x.ts", &body),
        201
    );
    for version in [&TLS13, &TLS12, &TLS13, &TLS12] {
        let client = identity.client(version);
        for _ in 0..2 {
            let mut viewer = Client::connect_tls_lazy(running.viewers, &client);
            let request = "GET /live/a/x.ts HTTP/1.1\r\nHost: x\r\n\r\n";
            viewer.send(request.repeat(20).as_bytes());
            for n in 0..20 {
                let got = viewer.response();
                assert!(got.status == 200 && got.body == body, "{version:?} {n}");
            }
        }
    }
    running.stop();
}

/// close_notify follows a complete last response; a response that is cut ends without it.
#[test]
fn close_notify_only_after_all() {
    let (running, identity) = start();
    for version in [&TLS13, &TLS12] {
        let client = identity.client(version);
        let path = format!("/live/a/{:?}.ts", version.version);
        let mut viewer = Client::connect_tls(running.viewers, &client);
        let got = viewer.get("/live/none/x", "Connection: close\r\n");
        assert_eq!(got.status, 404);
        assert!(viewer.is_ended());
        assert_eq!(viewer.ended, None, "a clean end");
        let mut encoder = Client::connect_tls(running.ingest, &client);
        encoder.send(&put_head(&path, "Transfer-Encoding: chunked\r\n"));
        encoder.send(&chunk(&bytes(1, 40_000)));
        // HTTP/1.0: only the connection's end tells where the body ends.
        let mut old = Client::connect_tls(running.viewers, &client);
        old.send(format!("GET {path} HTTP/1.0\r\n\r\n").as_bytes());
        assert!(old.head().starts_with("HTTP/1.1 200 "));
        let mut viewer = Client::connect_tls(running.viewers, &client);
        viewer.send(format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes());
        assert!(viewer.head().contains("chunked"));
        assert_eq!(viewer.chunked_bytes(40_000).len(), 40_000);
        drop(encoder);
        for mut cut in [viewer, old] {
            while !cut.is_ended() {}
            let how = cut.ended;
            assert!(
                matches!(
                    how,
                    Some(ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset)
                ),
                "{how:?}"
            );
        }
    }
    running.stop();
}

/// An encoder writes a segment and closes without reading a byte: nothing is lost, since
/// nothing was sent that it would not read.
#[test]
fn an_encoder_that_never_reads() {
    let (running, identity) = start();
    let client = identity.client(&TLS13);
    for n in 0..5 {
        let path = format!("/live/a/seg{n}.ts");
        let body = bytes(n, 1_000_000);
        let mut encoder = Client::connect_tls(running.ingest, &client);
        encoder.send(&put_head(&path, "Transfer-Encoding: chunked\r\n"));
        for part in body.chunks(32_768) {
            encoder.send(&chunk(part));
        }
        // Not a byte has come since the handshake: no ticket, no early status.
        encoder.socket().set_nonblocking(true).unwrap();
        let mut room = [0; 1];
        let read = encoder.socket().peek(&mut room).map_err(|e| e.kind());
        assert_eq!(read, Err(ErrorKind::WouldBlock));
        encoder.socket().set_nonblocking(false).unwrap();
        encoder.send(b"0\r\n\r\n");
        drop(encoder);
        let mut viewer = Client::connect_tls(running.viewers, &client);
        let got = viewer.get(&path, "");
        assert!(
            got.status == 200 && got.complete && got.body == body,
            "{path}"
        );
    }
    let errors = running.dataplane.counters().ingest_errors;
    assert!(errors.iter().all(|(_, n)| *n == 0), "{errors:?}");
    running.stop();
}
