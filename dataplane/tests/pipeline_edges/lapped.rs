//! Viewers that are slower than the ring: they are cut off, never get a wrong byte, and
//! never stop an encoder.

use rustls::version::{TLS12, TLS13};

use crate::pipeline_support::tls::{self, Identity};
use crate::pipeline_support::{Client, Running, bytes, config};

/// Bytes of the segments here.
const SEGMENT: usize = 900_000;

/// A viewer that has asked for segment 0 and reads nothing.
fn ask(mut viewer: Client) -> Client {
    viewer.send(b"GET /live/a/seg0.ts HTTP/1.1\r\nHost: x\r\n\r\n");
    viewer
}

/// The ring is turned over many times while slow viewers hang in its first segment.
fn turn_over(
    running: &Running,
    put: impl Fn(&str, &[u8]) -> u16,
    secure: impl Fn(Client) -> Client,
) {
    let connect = || secure(running.viewer());
    assert_eq!(put("/live/a/seg0.ts", &bytes(0, SEGMENT * 3)), 201);
    let mut slow: Vec<Client> = (0..10)
        .map(|_| ask(secure(Client::connect_small(running.viewers))))
        .collect();
    std::thread::sleep(std::time::Duration::from_millis(100));
    for n in 1..40 {
        let path = format!("/live/a/seg{n}.ts");
        assert_eq!(put(&path, &bytes(n, SEGMENT)), 201, "{path}");
        let got = connect().get(&path, "");
        assert!(got.complete && got.body == bytes(n, SEGMENT), "{path}");
    }
    let whole = bytes(0, SEGMENT * 3);
    for viewer in &mut slow {
        let head = viewer.head();
        let got = viewer.rest(&head);
        assert!(!got.complete, "it lags by many rings");
        assert!(got.body == whole[..got.body.len()], "wrong bytes");
        println!("{} bytes, then {:?}", got.body.len(), viewer.ended);
    }
    let timeouts = running.sum(|zone| zone.timeouts);
    let lapped = running.sum(|zone| zone.viewers_lapped);
    assert_eq!((lapped, timeouts), (10, 0));
    let late = connect().get("/live/a/seg0.ts", "");
    assert_eq!(
        (late.status, late.field("Cache-Control")),
        (410, Some("no-store"))
    );
    running.until("all leases are back", |_| {
        running.sum(|zone| zone.viewers) == 0
    });
    let track = running.dataplane.streams().remove(0).tracks.remove(0);
    assert_eq!(track.refused, 0, "{track:?}");
}

#[test]
fn plain() {
    let mut config = config();
    config.limits.open_ring_bytes = 6 << 20;
    let running = Running::start(config);
    turn_over(
        &running,
        |path, body| running.put(path, body),
        |viewer| viewer,
    );
    running.stop();
}

#[test]
fn with_tls() {
    let identity = Identity::new();
    for version in [&TLS13, &TLS12] {
        let mut config = tls::config(&identity);
        config.limits.open_ring_bytes = 6 << 20;
        let running = Running::start(config);
        let client = identity.client(version);
        let put = |path: &str, body: &[u8]| {
            let mut encoder = Client::connect_tls(running.ingest, &client);
            let length = format!("Content-Length: {}\r\n", body.len());
            encoder.send(&crate::pipeline_support::put_head(path, &length));
            encoder.send(body);
            encoder.response().status
        };
        turn_over(&running, put, |viewer| viewer.with_tls(&client));
        running.stop();
    }
}

/// A stream is closed while viewers hang in it: all are cut, the memory comes back, and
/// its name can be used again.
#[test]
fn a_stream_that_closes() {
    let mut config = config();
    config.streams = vec![crate::pipeline_support::stream("a")];
    let running = Running::start(config);
    let free = running.sum(|zone| zone.arena_free);
    for round in 0..3 {
        let body = bytes(round, 3_000_000);
        assert_eq!(running.put("/live/a/seg0.ts", &body), 201);
        let mut slow: Vec<Client> = (0..20)
            .map(|_| ask(Client::connect_small(running.viewers)))
            .collect();
        std::thread::sleep(std::time::Duration::from_millis(100));
        let reload = |streams| zonecast_dataplane::Reload {
            streams,
            open_token: None,
            streams_max: 16,
            certificates: None,
        };
        assert_eq!(running.dataplane.reload(reload(vec![])).unwrap().closed, 1);
        for viewer in &mut slow {
            let head = viewer.head();
            let got = viewer.rest(&head);
            assert!(!got.complete && got.body == body[..got.body.len()]);
        }
        assert_eq!(running.get("/live/a/seg0.ts").status, 404);
        running.until("the memory is back", |_| {
            running.sum(|z| z.arena_free) == free
        });
        let again = reload(vec![crate::pipeline_support::stream("a")]);
        assert_eq!(running.dataplane.reload(again).unwrap().added, 1);
    }
    running.stop();
}
