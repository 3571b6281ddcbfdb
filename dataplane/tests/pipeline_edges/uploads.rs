//! Uploads: odd sizes and bursts, names used again, names deleted.

use std::time::{Duration, Instant};

use crate::pipeline_support::{Running, bytes, chunk, config, put_head};

/// Sizes around the first bytes that are looked at, with a length and without.
#[test]
fn small_sizes() {
    let running = Running::start(config());
    let mut viewer = running.viewer();
    for len in 1..=20 {
        for kind in ["ts", "m4s"] {
            let body = bytes(len as u64, len);
            let whole = format!("/live/a/l{len}.{kind}");
            let status = running.put(&whole, &body);
            assert!(matches!(status, 201 | 412), "{whole}: {status}");
            assert_eq!(viewer.get(&whole, "").body, body, "{whole}");
            let parts = format!("/live/a/c{len}.{kind}");
            let mut encoder = running.open(&parts, &body);
            encoder.send(b"0\r\n\r\n");
            assert!(matches!(encoder.response().status, 201 | 412), "{parts}");
            assert_eq!(viewer.get(&parts, "").body, body, "{parts}");
        }
    }
    running.stop();
}

/// Segments that come in one burst and end near the end of a chunk, so that the next chunk
/// is asked for and comes too late: they stay, whatever comes after them.
#[test]
fn bursts_near_the_end_of_a_chunk() {
    let running = Running::start(config());
    let sizes: Vec<usize> = (0..12)
        .flat_map(|n| [30_000 + n * 3000, 180_000 + n * 1500])
        .collect();
    for (n, len) in sizes.iter().enumerate() {
        // Each connection may be another loop's: the owner answers later there.
        let mut encoder = running.encoder();
        let path = format!("/live/a/seg{n}.ts");
        let mut burst = put_head(&path, "Transfer-Encoding: chunked\r\n");
        burst.extend(chunk(&bytes(n as u64, *len)));
        burst.extend(b"0\r\n\r\n");
        encoder.send(&burst);
        assert_eq!(encoder.response().status, 201, "{path}");
    }
    for (n, len) in sizes.iter().enumerate() {
        let got = running.get(&format!("/live/a/seg{n}.ts"));
        assert_eq!(got.status, 200, "seg{n} of {len}");
        assert!(got.body == bytes(n as u64, *len), "seg{n} of {len}");
    }
    running.stop();
}

/// Uploads that follow each other on one connection without waiting for answers.
#[test]
fn uploads_in_a_row() {
    let running = Running::start(config());
    let mut encoder = running.encoder();
    let mut burst = Vec::new();
    for n in 0..50_u64 {
        let path = format!("/live/a/seg{n}.ts");
        burst.extend(put_head(&path, "Transfer-Encoding: chunked\r\n"));
        burst.extend(chunk(&bytes(n, 10_000 + n as usize)));
        burst.extend(b"0\r\n\r\n");
    }
    encoder.send(&burst);
    for n in 0..50 {
        assert_eq!(encoder.response().status, 201, "{n}");
    }
    for n in 0..50_u64 {
        let got = running.get(&format!("/live/a/seg{n}.ts"));
        assert!(got.body == bytes(n, 10_000 + n as usize), "{n}");
    }
    running.stop();
}

/// A name used again: readers of the old bytes finish them, later ones get the new ones,
/// under another tag. When the new upload is cut, the old bytes are there again.
#[test]
fn names_used_again() {
    let running = Running::start(config());
    let (old, new) = (bytes(1, 300_000), bytes(2, 200_000));
    assert_eq!(running.put("/live/a/seg.ts", &old), 201);
    let first = running.get("/live/a/seg.ts");
    let mut reader = running.viewer();
    reader.send(b"GET /live/a/seg.ts HTTP/1.1\r\nHost: x\r\n\r\n");
    let head = reader.head();
    let encoder = running.open("/live/a/seg.ts", &new[..100_000]);
    let mut follower = running.viewer();
    running.until("the new one opens", |_| {
        follower.send(b"HEAD /live/a/seg.ts HTTP/1.1\r\nHost: x\r\n\r\n");
        !follower.head().contains("Content-Length: 300000")
    });
    let rest = reader.rest(&head);
    assert!(rest.complete && rest.body == old, "the old one is finished");
    drop(encoder);
    running.until("the old one is back", |_| {
        running.get("/live/a/seg.ts").body == old
    });
    assert_eq!(running.put("/live/a/seg.ts", &new), 204);
    let second = running.get("/live/a/seg.ts");
    assert!(second.body == new);
    assert_ne!(first.field("ETag"), second.field("ETag"));
    let tag = format!("If-None-Match: {}\r\n", first.field("ETag").unwrap());
    assert_eq!(running.viewer().get("/live/a/seg.ts", &tag).status, 200);
    running.stop();
}

/// DELETE is answered 204 whatever the name; the object stays for a while, then it is gone.
#[test]
fn deletions() {
    let mut config = config();
    config.limits.delete_grace_segments = 10;
    let running = Running::start(config);
    let delete = |path: &str| {
        let mut encoder = running.encoder();
        encoder.send(
            format!(
                "DELETE {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer secret\r\n\
                 Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
            )
            .as_bytes(),
        );
        encoder.response().status
    };
    for n in 0..8 {
        assert_eq!(running.put(&format!("/live/a/{n}.ts"), b"body"), 201);
    }
    assert_eq!(running.put("/live/a/l.m3u8", b"#EXTM3U"), 201);
    assert_eq!(delete("/live/a/none.ts"), 204);
    assert_eq!(delete("/live/a/0.ts"), 204);
    assert_eq!(delete("/live/a/l.m3u8"), 204);
    assert_eq!(running.get("/live/a/0.ts").status, 200);
    let started = Instant::now();
    running.until("gone", |_| running.get("/live/a/0.ts").status == 410);
    running.until("gone too", |_| running.get("/live/a/l.m3u8").status == 410);
    assert!(started.elapsed() < Duration::from_secs(5));
    let gone = running.get("/live/a/0.ts");
    assert_eq!(gone.field("Cache-Control"), Some("no-store"));
    assert_eq!(running.put("/live/a/0.ts", b"again"), 201);
    assert_eq!(running.get("/live/a/0.ts").body, b"again");
    assert_eq!(delete("/live/a/1.ts"), 204);
    assert_eq!(running.put("/live/a/1.ts", b"newer"), 204);
    std::thread::sleep(Duration::from_millis(2500));
    assert_eq!(
        running.get("/live/a/1.ts").body,
        b"newer",
        "the deletion meant the old one"
    );
    running.stop();
}

/// An encoder that sends one object after the other and reads no answer loses none of them,
/// although it closes with answers unread: they are held until it is quiet.
#[test]
fn nothing_is_lost_to_unread_answers() {
    let running = Running::start(config());
    for round in 0..10 {
        let mut encoder = running.encoder();
        let objects: Vec<(String, Vec<u8>)> = (0..6)
            .map(|n| (format!("/live/a/{round}-{n}.ts"), bytes(n, 150_000)))
            .collect();
        for (path, body) in &objects {
            encoder.send(&put_head(path, "Transfer-Encoding: chunked\r\n"));
            encoder.send(&chunk(body));
            encoder.send(b"0\r\n\r\n");
        }
        // Unread answers would turn this close into a reset.
        drop(encoder);
        for (path, body) in &objects {
            running.until("all of it is there", |_| running.get(path).body == *body);
        }
    }
    running.stop();
}
