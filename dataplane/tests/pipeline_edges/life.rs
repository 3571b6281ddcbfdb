//! From start to end: idle loops rest, counters add up, nothing leaks, draining ends.

use std::time::{Duration, Instant};

use zonecast_dataplane::{BytePath, Dataplane, EgressZone};

use crate::pipeline_support::{Client, Running, bytes, chunk, config};

/// A loop with nothing to do turns a few times a second at most, with streams and
/// connections there too.
#[test]
fn idle_loops_rest() {
    let running = Running::start(config());
    let turns = || running.sum(|zone| zone.turns);
    let in_a_second = || {
        let before = turns();
        std::thread::sleep(Duration::from_secs(1));
        turns() - before
    };
    assert!(in_a_second() < 20);
    assert_eq!(running.put("/live/a/x.ts", b"body"), 201);
    let _encoder = running.open("/live/a/y.ts", &bytes(1, 100_000));
    let mut viewers: Vec<Client> = (0..20).map(|_| running.viewer()).collect();
    for viewer in &mut viewers {
        viewer.send(b"GET /live/a/y.ts HTTP/1.1\r\nHost: x\r\n\r\n");
        viewer.head();
    }
    std::thread::sleep(Duration::from_millis(200));
    let busy = in_a_second();
    assert!(busy < 60, "{busy} turns");
    running.stop();
}

/// The bytes that are counted are the bytes that came, by zone and path.
#[test]
fn counters_add_up() {
    let running = Running::start(config());
    for (stream, len) in [("a", 100_000), ("b", 200_000)] {
        assert_eq!(
            running.put(&format!("/live/{stream}/x.ts"), &bytes(1, len)),
            201
        );
        assert_eq!(
            running.put(&format!("/live/{stream}/l.m3u8"), &bytes(1, 500)),
            201
        );
    }
    let mut received = 0;
    for n in 0..40 {
        let mut viewer = running.viewer();
        let stream = ["a", "b"][n % 2];
        for path in ["x.ts", "l.m3u8", "none.m3u8"] {
            let got = viewer.get(&format!("/live/{stream}/{path}"), "");
            received += (got.head.len() + got.body.len()) as u64;
        }
    }
    running.until("nobody is left", |_| {
        running.sum(|z| z.viewers + z.encoders) == 0
    });
    let counters = running.dataplane.counters();
    let sum = |keep: &dyn Fn(&zonecast_dataplane::BytesRow) -> bool| -> u64 {
        counters
            .bytes
            .iter()
            .filter(|row| keep(row))
            .map(|row| row.bytes)
            .sum()
    };
    assert_eq!(running.sum(|zone| zone.ingest_bytes), 301_000);
    // What encoders are answered is none of viewers' bytes.
    assert_eq!(sum(&|row| row.path == BytePath::Plain), received);
    let of_rings = sum(&|row| row.ring_zone.is_some());
    assert!((20 * 300_000..20 * 300_000 + 40 * 600).contains(&of_rings));
    assert_eq!(sum(&|row| row.path != BytePath::Plain), 0);
    // Loopback is near no node, which matters where there are several.
    let one = zonecast_numa::topology::nodes_online("/sys".as_ref()) == 1;
    let out = if one {
        EgressZone::Any
    } else {
        EgressZone::Unknown
    };
    assert_eq!(sum(&|row| row.egress_zone == out), received);
    for zone in [0, 1] {
        assert!(sum(&|row| row.loop_zone == zone) > 0);
        assert!(sum(&|row| row.ring_zone == Some(zone)) >= 20 * 100_000);
    }
    assert_eq!((running.responses(200), running.responses(404)), (80, 40));
    running.stop();
}

/// Who connects to the address of a zone is served by that zone's loops, wherever the stream lives; a
/// zone that does not exist has none.
#[test]
fn a_zones_address_is_served_by_its_loops() {
    let mut config = config();
    config.listeners[0].zone = Some(1);
    let running = Running::start(config);
    assert_eq!(running.put("/live/a/x.ts", &bytes(1, 1000)), 201);
    for _ in 0..16 {
        assert_eq!(running.viewer().get("/live/a/x.ts", "").status, 200);
    }
    running.until("nobody is left", |_| running.sum(|z| z.viewers) == 0);
    let counters = running.dataplane.counters();
    let by = |zone| -> u64 {
        let rows = counters.bytes.iter().filter(|row| row.loop_zone == zone);
        rows.map(|row| row.bytes).sum()
    };
    assert!(by(1) > 16_000 && by(0) == 0, "{} and {}", by(0), by(1));
    running.stop();
    let mut config = crate::pipeline_support::config();
    config.listeners[0].zone = Some(2);
    let error = Dataplane::start(config).err().unwrap().to_string();
    assert_eq!(error, "listener http: zone 2 does not exist");
}

/// Two thousand connections that end in every way leave nothing behind.
#[test]
fn nothing_leaks() {
    let running = Running::start(config());
    running.until("all buffers are there", |_| {
        running.sum(|z| z.send_buffers_free) == 256
    });
    let body = bytes(1, 300_000);
    assert_eq!(running.put("/live/a/x.ts", &body), 201);
    for n in 0..500 {
        let mut reset = running.viewer();
        rustix::net::sockopt::set_socket_linger(reset.socket(), Some(Duration::ZERO)).unwrap();
        reset.send(b"GET /live/a/x.ts HTTP/1.1\r\nHost: x\r\n\r\n");
        let mut waits = running.viewer();
        waits.send(b"GET /live/a/never.ts HTTP/1.1\r\nHost: x\r\n\r\nGET /li");
        drop(reset);
        drop(running.open(&format!("/live/a/cut{}.ts", n % 7), &bytes(n, 70_000)));
        if n % 10 == 0 {
            // The ring goes round meanwhile.
            assert!(
                matches!(running.put("/live/a/x.ts", &body), 201 | 204),
                "{n}"
            );
            assert!(running.get("/live/a/x.ts").body == body, "{n}");
        }
    }
    running.until("nobody is left", |_| {
        running.sum(|z| z.viewers + z.encoders + z.waiting) == 0
    });
    assert_eq!(running.sum(|zone| zone.send_buffers_free), 256);
    let status = running.dataplane.streams().remove(0);
    assert_eq!(
        (status.uploads_open, status.tracks[0].objects > 0),
        (0, true),
        "{status:?}"
    );
    running.stop();
}

/// Draining: the idle are told goodbye, an upload and its followers on other loops finish,
/// nobody new comes in, and the end comes when the last one is done.
#[test]
fn draining_lets_finish() {
    let running = Running::start(config());
    let body = bytes(1, 120_000);
    // Loops are taken by chance: some of these are on another loop than the ring.
    let mut idle = running.viewer();
    assert_eq!(idle.get("/live/a/none.m3u8", "").status, 404);
    let mut encoders: Vec<Client> = (0..6)
        .map(|n| running.open(&format!("/live/a/{n}.ts"), &body[..60_000]))
        .collect();
    let mut viewers: Vec<Client> = (0..12).map(|_| running.viewer()).collect();
    for (n, viewer) in viewers.iter_mut().enumerate() {
        viewer.send(format!("GET /live/a/{}.ts HTTP/1.1\r\nHost: x\r\n\r\n", n % 6).as_bytes());
        assert!(viewer.chunked_head_and(60_000) == body[..60_000]);
    }
    running.dataplane.drain(Duration::from_secs(8));
    assert!(idle.is_ended() && idle.ended.is_none());
    std::thread::sleep(Duration::from_millis(500));
    assert!(!running.dataplane.finished());
    for encoder in &mut encoders {
        encoder.send(&chunk(&body[60_000..]));
        encoder.send(b"0\r\n\r\n");
        assert_eq!(encoder.response().status, 201);
        assert!(encoder.is_ended());
    }
    for viewer in &mut viewers {
        assert!(viewer.chunked_bytes(60_000) == body[60_000..]);
        assert_eq!(viewer.one_chunk(), Some(vec![]));
        assert!(viewer.is_ended());
    }
    let started = Instant::now();
    drop((encoders, viewers, idle));
    running.dataplane.join().unwrap();
    assert!(
        started.elapsed() < Duration::from_secs(3),
        "{:?}",
        started.elapsed()
    );
}

/// What does not finish is cut when the time is over.
#[test]
fn draining_is_bounded() {
    let running = Running::start(config());
    let mut encoder = running.open("/live/a/x.ts", &bytes(1, 60_000));
    let mut viewer = running.viewer();
    viewer.send(b"GET /live/a/x.ts HTTP/1.1\r\nHost: x\r\n\r\n");
    viewer.chunked_head_and(60_000);
    let started = Instant::now();
    running.dataplane.drain(Duration::from_millis(500));
    running.dataplane.join().unwrap();
    let took = started.elapsed();
    assert!(
        took >= Duration::from_millis(500) && took < Duration::from_secs(4),
        "{took:?}"
    );
    assert_eq!(viewer.one_chunk(), None);
    assert!(encoder.is_ended());
}
