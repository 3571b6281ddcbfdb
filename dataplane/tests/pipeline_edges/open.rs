//! Objects that are still being uploaded, and requests that wait for them.

use std::time::{Duration, Instant};

use crate::pipeline_support::{Running, bytes, chunk, config};

/// HEAD has no length; HTTP/1.0 gets the bytes until the connection ends.
#[test]
fn head_and_http10() {
    let running = Running::start(config());
    let body = bytes(1, 150_000);
    let mut encoder = running.open("/live/a/x.ts", &body[..50_000]);
    let head = running.viewer().request("HEAD", "/live/a/x.ts", "");
    assert_eq!((head.status, head.field("Content-Length")), (200, None));
    let mut old = running.viewer();
    old.send(b"GET /live/a/x.ts HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    let head = old.head();
    assert!(
        head.contains("Connection: close") && !head.contains("chunked"),
        "{head}"
    );
    encoder.send(&chunk(&body[50_000..]));
    // Everything is sent before the end comes, on its own.
    std::thread::sleep(Duration::from_millis(100));
    encoder.send(b"0\r\n\r\n");
    let started = Instant::now();
    let got = old.rest(&head);
    assert!(got.body == body && old.ended.is_none(), "{:?}", old.ended);
    assert!(
        started.elapsed() < Duration::from_secs(2),
        "the end comes at once"
    );
    running.stop();
}

/// Ranges of an open object wait for their bytes, or for the end; a suffix is all of it.
#[test]
fn ranges() {
    let running = Running::start(config());
    let body = bytes(1, 400_000);
    let mut encoder = running.open("/live/a/x.ts", &body[..100_000]);
    let ask = |range: &str| {
        let mut viewer = running.viewer();
        viewer.send(
            format!("GET /live/a/x.ts HTTP/1.1\r\nHost: x\r\nRange: bytes={range}\r\n\r\n")
                .as_bytes(),
        );
        viewer
    };
    let mut there = ask("10-19");
    let head = there.head();
    assert!(
        head.contains("206 ") && head.contains("bytes 10-19/*"),
        "{head}"
    );
    assert_eq!(there.rest(&head).body, &body[10..20]);
    // Over several chunks, some of which are to come.
    let mut over = ask("50000-299999");
    let mut from = ask("99000-");
    let mut suffix = ask("-5");
    assert!(suffix.head().contains("HTTP/1.1 200 "));
    std::thread::sleep(Duration::from_millis(100));
    for part in body[100_000..].chunks(70_000) {
        encoder.send(&chunk(part));
        std::thread::sleep(Duration::from_millis(10));
    }
    let head = over.head();
    assert!(head.contains("bytes 50000-299999/*"), "{head}");
    assert!(over.rest(&head).body == body[50_000..300_000]);
    encoder.send(b"0\r\n\r\n");
    assert_eq!(encoder.response().status, 201);
    let head = from.head();
    assert!(head.contains("bytes 99000-399999/400000"), "{head}");
    assert!(from.rest(&head).body == body[99_000..]);
    assert!(suffix.chunked_bytes(400_000) == body);
    running.stop();
}

/// The encoder is killed: who waits for bytes gets 503, who has some is cut off, and the
/// name is as if it had never been.
#[test]
fn a_killed_encoder() {
    let running = Running::start(config());
    let encoder = running.open("/live/a/x.ts", &bytes(1, 50_000));
    let mut waits = running.viewer();
    waits.send(b"GET /live/a/x.ts HTTP/1.1\r\nHost: x\r\nRange: bytes=60000-\r\n\r\n");
    let mut reads = running.viewer();
    reads.send(b"GET /live/a/x.ts HTTP/1.1\r\nHost: x\r\n\r\n");
    assert!(reads.head().contains("200 OK"));
    assert!(reads.chunked_bytes(50_000) == bytes(1, 50_000));
    running.until("both wait", |_| running.sum(|z| z.waiting) == 2);
    drop(encoder);
    assert_eq!(reads.one_chunk(), None);
    let got = waits.response();
    assert_eq!(
        (got.status, got.field("Cache-Control")),
        (503, Some("no-store"))
    );
    assert_eq!(running.get("/live/a/x.ts").status, 404);
    assert_eq!(running.put("/live/a/x.ts", b"again"), 201);
    assert_eq!(running.get("/live/a/x.ts").body, b"again");
    assert_eq!(running.sum(|zone| zone.waiting), 0);
    running.stop();
}

/// Only so many may wait; those who do are answered in time, with the object or without.
#[test]
fn waiting_is_bounded() {
    let mut config = config();
    config.limits.waiting_per_stream_max = 4;
    config.limits.object_wait = Duration::from_millis(600);
    let running = Running::start(config);
    assert_eq!(running.put("/live/a/x.ts", b"body"), 201);
    let mut viewers: Vec<_> = (0..40).map(|_| running.viewer()).collect();
    let started = Instant::now();
    for viewer in &mut viewers {
        viewer.send(b"GET /live/a/next.ts HTTP/1.1\r\nHost: x\r\n\r\n");
    }
    let answers: Vec<u16> = viewers.iter_mut().map(|v| v.response().status).collect();
    let count = |status| answers.iter().filter(|s| **s == status).count();
    assert!((1..=8).contains(&count(404)), "{answers:?}");
    assert_eq!(count(404) + count(503), 40, "{answers:?}");
    let took = started.elapsed();
    assert!(
        took >= Duration::from_millis(600) && took < Duration::from_secs(3),
        "{took:?}"
    );
    running.until("nobody waits", |_| running.sum(|z| z.waiting) == 0);
    running.stop();
}

/// A wait that ends as the upload opens, on all loops; the first bytes come at once.
#[test]
fn the_first_bytes_come_at_once() {
    let running = Running::start(config());
    assert_eq!(running.put("/live/a/x.ts", b"body"), 201);
    for n in 0..20 {
        let path = format!("/live/a/{n}.m4s");
        let mut viewers: Vec<_> = (0..6).map(|_| running.viewer()).collect();
        for viewer in &mut viewers {
            viewer.send(format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes());
        }
        running.until("they wait", |_| running.sum(|z| z.waiting) == 6);
        let mut encoder = running.encoder();
        encoder.send(&crate::pipeline_support::put_head(
            &path,
            "Transfer-Encoding: chunked\r\n",
        ));
        // The end of the chunk is not sent: what is there is enough.
        encoder.send(b"10\r\n0123456789abcdef");
        let started = Instant::now();
        for viewer in &mut viewers {
            assert!(viewer.head().contains("200 OK"));
            assert_eq!(viewer.chunked_bytes(16), b"0123456789abcdef");
        }
        assert!(
            started.elapsed() < Duration::from_millis(500),
            "{:?}",
            started.elapsed()
        );
        encoder.send(b"\r\n0\r\n\r\n");
        for viewer in &mut viewers {
            assert_eq!(viewer.one_chunk(), Some(vec![]));
        }
    }
    running.stop();
}
