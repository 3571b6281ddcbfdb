//! Requests as they should not be, and as they may be cut up on the way.

use std::time::Instant;

use crate::pipeline_support::{Running, bytes, config};

/// What is no proper request gets its status, and the connection ends.
#[test]
fn hostile_requests() {
    let running = Running::start(config());
    let long = "x".repeat(9000);
    let table = [
        ("GET /live/a/x.ts HTTP/1.1\r\n\r\n".to_owned(), 400),
        ("GET  /live/a/x.ts HTTP/1.1\r\nHost: x\r\n\r\n".into(), 400),
        (
            "GET /live/a/x HTTP/1.1\r\nHost: x\r\n y: z\r\n\r\n".into(),
            400,
        ),
        (
            "GET /live/a/x HTTP/1.1\r\nHost: x\r\nA: \0\r\n\r\n".into(),
            400,
        ),
        ("GET /live/a/x HTTP/1.1\rHost: x\r\n\r\n".into(), 400),
        ("GET /live/a/x HTTP/2.0\r\nHost: x\r\n\r\n".into(), 505),
        (
            format!("GET /live/a/x HTTP/1.1\r\nHost: x\r\nA: {long}\r\n\r\n"),
            431,
        ),
        (
            format!("GET /live/a/{long} HTTP/1.1\r\nHost: x\r\n\r\n"),
            414,
        ),
        ("BREW /live/a/x HTTP/1.1\r\nHost: x\r\n\r\n".into(), 501),
        (
            "GET /live/a/x HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello".into(),
            413,
        ),
        (
            "GET /live/a/x HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
                .into(),
            413,
        ),
    ];
    for (request, status) in table {
        let mut viewer = running.viewer();
        viewer.send(request.as_bytes());
        let got = viewer.response();
        let wanted = if status == 414 {
            [414, 431]
        } else {
            [status; 2]
        };
        let shown = &request[..request.len().min(60)];
        assert!(wanted.contains(&got.status), "{shown:?}: {}", got.status);
        assert_eq!(got.field("Connection"), Some("close"), "{shown:?}");
        assert_eq!(got.field("Cache-Control"), Some("no-store"), "{shown:?}");
        assert!(viewer.is_ended(), "{shown:?}");
    }
    for path in [
        "/live/a/../x",
        "/live/../x/y",
        "/live/a/%2e%2e/x",
        "/live/a//x",
    ] {
        assert!(matches!(running.get(path).status, 400 | 404), "{path}");
    }
    running.until("all are gone", |_| running.sum(|zone| zone.viewers) == 0);
    running.stop();
}

/// Requests in one packet, and cut at every byte, are the same requests.
#[test]
fn pipelined_and_split() {
    let running = Running::start(config());
    let body = bytes(1, 5000);
    assert_eq!(running.put("/live/a/x.ts", &body), 201);
    let two = b"GET /live/a/x.ts HTTP/1.1\r\nHost: x\r\n\r\nHEAD /live/a/x.ts HTTP/1.1\r\nHost: x\r\n\r\n";
    let check = |viewer: &mut crate::pipeline_support::Client| {
        assert_eq!(viewer.response().body, body);
        assert!(viewer.head().contains("Content-Length: 5000"));
    };
    let mut viewer = running.viewer();
    for cut in 1..two.len() {
        viewer.send(&two[..cut]);
        std::thread::sleep(std::time::Duration::from_millis(1));
        viewer.send(&two[cut..]);
        check(&mut viewer);
    }
    for byte in two {
        viewer.send(&[*byte]);
    }
    check(&mut viewer);
    viewer.send(&two.repeat(400));
    for _ in 0..400 {
        check(&mut viewer);
    }
    running.stop();
}

/// A thousand requests on one connection, each of them fast; small answers do not wait for
/// more bytes.
#[test]
fn keep_alive() {
    let running = Running::start(config());
    assert_eq!(running.put("/live/a/l.m3u8", &bytes(1, 700)), 201);
    assert_eq!(running.put("/live/a/x.ts", &bytes(2, 700)), 201);
    let mut viewer = running.viewer();
    let mut slow = 0;
    for n in 0..1000 {
        let path = ["/live/a/l.m3u8", "/live/a/x.ts", "/live/a/n.m3u8"][n % 3];
        let started = Instant::now();
        let got = viewer.get(path, "");
        assert_eq!(got.status, [200, 200, 404][n % 3]);
        slow += u32::from(started.elapsed().as_millis() >= 50);
    }
    // The machine may be busy with other tests; a stall of the kernel's would hit all.
    assert!(slow < 100, "{slow} of 1000 took 50 ms or more");
    assert_eq!(running.responses(200), 667);
    running.stop();
}
