//! Listeners and their limits: addresses of all kinds, connections, heads, rates.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use zonecast_dataplane::{ListenAddress, ListenerConfig};

use crate::pipeline_support::{Client, Running, bytes, chunk, config, put_head};

/// IPv6, a Unix socket and a second listener, each with its own limits.
#[test]
fn listeners_of_all_kinds() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("zonecast.sock");
    let mut config = config();
    let mut add = |name: &str, address| {
        let limits = config.listeners[0].limits;
        config.listeners.push(ListenerConfig {
            name: name.into(),
            address,
            tls: false,
            kernel_tls: true,
            nic_tls12: false,
            zone: None,
            limits,
        });
    };
    add(
        "six",
        ListenAddress::Tcp("[::1]:0".parse::<SocketAddr>().unwrap()),
    );
    add("unix", ListenAddress::Unix(path.clone()));
    config.listeners[1].limits.connections_max = 1;
    let running = Running::start(config);
    let body = bytes(1, 700_000);
    assert_eq!(running.put("/live/a/x.ts", &body), 201);
    let six = running.address("six");
    let mut held = Client::connect(six);
    for mut viewer in [running.viewer(), Client::connect_unix(&path)] {
        assert!(viewer.get("/live/a/x.ts", "").body == body);
    }
    assert!(held.get("/live/a/x.ts", "").body == body);
    assert!(
        Client::connect(six).is_ended(),
        "one connection there, no more"
    );
    running.until("counted", |_| running.sum(|z| z.accepts_refused) == 1);
    drop(held);
    running.until("there is room again", |_| {
        let mut again = Client::connect(six);
        again
            .try_send(b"HEAD /live/a/x.ts HTTP/1.1\r\nHost: x\r\n\r\n")
            .is_ok()
            && !again.is_ended()
    });
    running.stop();
}

/// Heads that do not come in time get 408; connections that say nothing just end.
#[test]
fn slow_heads() {
    let mut config = config();
    config.listeners[0].limits.header_timeout = Duration::from_millis(400);
    config.listeners[0].limits.idle_timeout = Duration::from_millis(900);
    config.ingest.limits.header_timeout = Duration::from_millis(400);
    let running = Running::start(config);
    assert_eq!(running.put("/live/a/x.ts", b"body"), 201);
    // A byte now and then does not help.
    for at in [running.viewers, running.ingest] {
        let mut slow = Client::connect(at);
        let started = Instant::now();
        for byte in b"GET /live/a" {
            slow.try_send(&[*byte]).unwrap();
            std::thread::sleep(Duration::from_millis(30));
        }
        let got = slow.response();
        assert_eq!((got.status, got.field("Connection")), (408, Some("close")));
        assert!(started.elapsed() < Duration::from_millis(1500));
        assert!(slow.is_ended());
    }
    assert!(running.viewer().is_ended());
    // A head that begins late has its time all the same.
    let mut late = running.viewer();
    assert_eq!(late.get("/live/a/x.ts", "").status, 200);
    std::thread::sleep(Duration::from_millis(700));
    late.send(b"GET /live/a/x.ts HT");
    std::thread::sleep(Duration::from_millis(300));
    late.send(b"TP/1.1\r\nHost: x\r\n\r\n");
    assert_eq!(late.response().status, 200);
    assert!(late.is_ended(), "idle for too long");
    assert_eq!(running.sum(|zone| zone.timeouts), 2);
    running.stop();
}

/// An upload that falls silent is cut, and is nothing then.
#[test]
fn silent_uploads() {
    let mut config = config();
    config.ingest.ingest_idle = Duration::from_millis(300);
    config.ingest.limits.request_timeout = Duration::from_millis(600);
    let running = Running::start(config);
    let mut encoder = running.open("/live/a/x.ts", b"some");
    assert!(encoder.is_ended());
    // The stream's owner, which may be another loop, hears of it a moment later.
    running.until("it is nothing", |_| {
        running.get("/live/a/x.ts").status == 404
    });
    // Who may not upload does not stay by sending a byte at times.
    let mut stranger = running.encoder();
    stranger.send(b"PUT /live/a/x.ts HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n");
    let started = Instant::now();
    while stranger.try_send(&chunk(b"x")).is_ok() {
        assert!(started.elapsed() < Duration::from_secs(3));
        std::thread::sleep(Duration::from_millis(50));
    }
    let errors = running.dataplane.counters().ingest_errors;
    assert!(errors.contains(&("idle", 1)), "{errors:?}");
    running.stop();
}

/// A viewer that takes nothing is cut; one that takes little, but enough, is not.
#[test]
fn slow_viewers() {
    let mut config = config();
    config.listeners[0].limits.rate_min = 20_000;
    config.limits.open_ring_bytes = 32 << 20;
    config.limits.object_bytes_max = 32 << 20;
    let running = Running::start(config);
    let body = bytes(1, 14_000_000);
    assert_eq!(running.put("/live/a/x.ts", &body), 201);
    let mut small = running.viewer();
    let request = b"GET /live/a/x.ts HTTP/1.1\r\nHost: x\r\n\r\n";
    small.send(request);
    let mut stalled = running.viewer();
    stalled.send(request);
    let started = Instant::now();
    // More than the least rate, but far less than one send in ten seconds.
    let mut got = 0;
    while running.sum(|zone| zone.timeouts) == 0 {
        assert!(started.elapsed() < Duration::from_secs(60));
        got += small.some(8_000);
        std::thread::sleep(Duration::from_millis(200));
    }
    assert!(
        started.elapsed() >= Duration::from_secs(9),
        "{:?}",
        started.elapsed()
    );
    running.until("it is gone", |_| running.sum(|zone| zone.viewers) == 1);
    let head = small.head();
    let rest = small.rest(&head);
    assert!(rest.complete && rest.body == body, "{got}");
    running.stop();
}

/// Bytes that an encoder sends after a refusal without reading it do not stop anybody.
#[test]
fn encoders_that_do_not_read() {
    let running = Running::start(config());
    for n in 0..20 {
        let mut encoder = running.encoder();
        let path = format!("/live/a/{n}.ts");
        encoder.send(&put_head(
            &path,
            "Content-Type: text/html\r\nTransfer-Encoding: chunked\r\n",
        ));
        for _ in 0..50 {
            encoder.send(&chunk(&bytes(1, 20_000)));
        }
        encoder.send(b"0\r\n\r\n");
    }
    // Of these the last may not have been accepted when the others are gone.
    running.until("all are refused", |_| running.responses(415) == 20);
    running.until("all are gone", |_| running.sum(|zone| zone.encoders) == 0);
    running.stop();
}
