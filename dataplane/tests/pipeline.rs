//! The pipeline over real sockets: what an encoder puts is what a viewer gets.

mod pipeline_support;

use pipeline_support::{Running, bytes, chunk, config, put_head};

/// Objects of many sizes come back byte by byte, on one kept connection each way.
#[test]
fn what_is_put_is_got() {
    let running = Running::start(config());
    let mut encoder = running.encoder();
    let mut viewer = running.viewer();
    for (n, len) in [1, 7, 8, 9, 1000, 65_536, 65_537, 200_000, 3_000_000]
        .into_iter()
        .enumerate()
    {
        let path = format!("/live/a/seg{n}.ts");
        let body = bytes(n as u64, len);
        encoder.send(&put_head(&path, "Transfer-Encoding: chunked\r\n"));
        for part in body.chunks(30_000) {
            encoder.send(&chunk(part));
        }
        encoder.send(b"0\r\n\r\n");
        assert_eq!(encoder.response().status, 201, "{path}");
        let got = viewer.get(&path, "");
        assert_eq!((got.status, got.body.len()), (200, len), "{path}");
        assert!(got.body == body, "{path}");
        assert_eq!(got.field("Content-Type"), Some("video/mp2t"));
    }
    running.stop();
}

/// Heads, ranges, tags, preflights and refusals, as HTTP has them.
#[test]
fn answers_are_http() {
    let running = Running::start(config());
    let body = bytes(1, 100_000);
    assert_eq!(running.put("/live/a/seg.ts", &body), 201);
    assert_eq!(running.put("/live/a/seg.ts", &body), 204);
    let mut viewer = running.viewer();
    let head = viewer.request("HEAD", "/live/a/seg.ts", "");
    assert_eq!(
        (head.status, head.field("Content-Length")),
        (200, Some("100000"))
    );
    for (range, part) in [
        ("0-9", 0..10),
        ("99990-", 99_990..100_000),
        ("-5", 99_995..100_000),
        ("65530-65550", 65_530..65_551),
    ] {
        let got = viewer.get("/live/a/seg.ts", &format!("Range: bytes={range}\r\n"));
        assert_eq!(
            (got.status, &got.body[..]),
            (206, &body[part.clone()]),
            "{range}"
        );
        let wanted = format!("bytes {}-{}/100000", part.start, part.end - 1);
        assert_eq!(got.field("Content-Range"), Some(wanted.as_str()));
    }
    assert_eq!(
        viewer
            .get("/live/a/seg.ts", "Range: bytes=100000-\r\n")
            .status,
        416
    );
    let tag = viewer
        .get("/live/a/seg.ts", "")
        .field("ETag")
        .unwrap()
        .to_owned();
    let again = viewer.get("/live/a/seg.ts", &format!("If-None-Match: {tag}\r\n"));
    assert_eq!((again.status, again.body.len()), (304, 0));
    let preflight = viewer.request(
        "OPTIONS",
        "/live/a/seg.ts",
        "Origin: https://x\r\nAccess-Control-Request-Method: GET\r\n",
    );
    assert_eq!(preflight.status, 204);
    assert_eq!(preflight.field("Access-Control-Allow-Origin"), Some("*"));
    assert_eq!(viewer.get("/live/b/seg.ts", "").status, 404);
    assert_eq!(viewer.get("/live/a/none.m3u8", "").status, 404);
    assert_eq!(viewer.get("/other", "").status, 404);
    let put = viewer.request("PUT", "/live/a/seg.ts", "Content-Length: 0\r\n");
    assert_eq!((put.status, put.field("Connection")), (405, Some("close")));
    running.stop();
}

/// A viewer follows an object while it is uploaded, and gets the rest as it comes.
#[test]
fn an_open_object_is_followed() {
    let running = Running::start(config());
    assert_eq!(running.put("/live/a/live.m3u8", b"#EXTM3U"), 201);
    let (first, second) = (bytes(1, 70_000), bytes(2, 90_000));
    let mut encoder = running.encoder();
    encoder.send(&put_head(
        "/live/a/seg.m4s",
        "Transfer-Encoding: chunked\r\n",
    ));
    encoder.send(&chunk(&first));
    let mut viewer = running.viewer();
    viewer.send(b"GET /live/a/seg.m4s HTTP/1.1\r\nHost: x\r\n\r\n");
    let head = viewer.head();
    assert!(
        head.starts_with("HTTP/1.1 200 ") && head.contains("Transfer-Encoding: chunked"),
        "{head}"
    );
    assert!(viewer.chunked_bytes(first.len()) == first);
    encoder.send(&chunk(&second));
    assert!(viewer.chunked_bytes(second.len()) == second);
    encoder.send(b"0\r\n\r\n");
    assert_eq!(viewer.one_chunk(), Some(vec![]));
    // Its init segment is not known: it is taken, and the encoder is told.
    assert_eq!(encoder.response().status, 412);
    assert_eq!(viewer.get("/live/a/seg.m4s", "").body.len(), 160_000);
    running.stop();
}

/// A request for a segment that is not there waits for its upload to open, or for a second.
#[test]
fn a_request_waits_for_its_segment() {
    let running = Running::start(config());
    assert_eq!(running.put("/live/a/seg0.ts", b"first"), 201);
    let mut early = running.viewer();
    early.send(b"GET /live/a/seg1.ts HTTP/1.1\r\nHost: x\r\n\r\n");
    let mut encoder = running.encoder();
    encoder.send(&put_head(
        "/live/a/seg1.ts",
        "Transfer-Encoding: chunked\r\n",
    ));
    encoder.send(&chunk(b"hello"));
    assert!(early.head().starts_with("HTTP/1.1 200"));
    assert_eq!(early.chunked_bytes(5), b"hello");
    let started = std::time::Instant::now();
    assert_eq!(running.get("/live/a/never.ts").status, 404);
    assert!(started.elapsed().as_millis() >= 1000);
    // The encoder goes away in mid-upload: the viewer is cut off, and sees that.
    drop(encoder);
    assert_eq!(early.one_chunk(), None);
    running.stop();
}
