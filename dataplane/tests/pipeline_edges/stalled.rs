//! Viewers that ask and then do not read: they hold no send buffers, next to no memory, and
//! nobody up; when they read at last they get the right bytes.

use rustls::version::{TLS12, TLS13};

use crate::pipeline_support::tls::{self, Identity};
use crate::pipeline_support::{Client, Running, bytes};

/// Viewers that stall.
const VIEWERS: usize = 1000;
/// More than a socket's two ends hold.
const SEGMENT: usize = 6_000_000;
/// What a record takes on the wire, at most.
const RECORD: u64 = (16 << 10) + 29;
/// What each of the two loops keeps besides before it sends one record at a time, and a burst that may
/// be under way then.
const KEPT: u64 = (4 << 20) + (272 << 10);

/// Shows that a thousand viewers who do not read leave all send buffers in the pool, have been given
/// no more bytes than their sockets hold, and wait with little more than one sealed record each; that another
/// viewer is served meanwhile by a pool far smaller than they are many; that each of those who read
/// on gets the right bytes to the end.
#[test]
fn a_thousand() {
    let identity = Identity::new();
    let mut config = tls::config(&identity);
    config.listeners[0].limits.connections_max = 2 * VIEWERS as u32;
    config.listeners[0].limits.rate_min = 0;
    config.limits.send_buffers = 16;
    config.limits.open_ring_bytes = 16 << 20;
    let buffers = u64::from(config.limits.send_buffers) * 2;
    let running = Running::start(config);
    let clients = [identity.client(&TLS13), identity.client(&TLS12)];
    let connect = |n: usize| Client::connect_small(running.viewers).with_tls(&clients[n % 2]);
    let whole = bytes(7, SEGMENT);
    let mut encoder = Client::connect_tls(running.ingest, &clients[0]);
    let length = format!("Content-Length: {SEGMENT}\r\n");
    encoder.send(&crate::pipeline_support::put_head("/live/a/0.ts", &length));
    encoder.send(&whole);
    assert_eq!(encoder.response().status, 201);
    // An encoder has a buffer of its own while it is connected.
    drop(encoder);

    let mut stalled: Vec<Client> = (0..VIEWERS).map(connect).collect();
    for viewer in &mut stalled {
        viewer.send(b"GET /live/a/0.ts HTTP/1.1\r\nHost: x\r\n\r\n");
    }
    let sent = || -> u64 {
        let rows = running.dataplane.counters().bytes;
        rows.iter().map(|row| row.bytes).sum()
    };
    let mut before = 0;
    running.until("nothing more is sent", |_| {
        std::thread::sleep(std::time::Duration::from_millis(100));
        let (now, all) = (sent(), running.responses(200) >= VIEWERS as u64);
        all && std::mem::replace(&mut before, now) == now
    });
    let each = sent() / VIEWERS as u64;
    let kept = running.sum(|zone| zone.rest_bytes);
    let short = running.sum(|zone| zone.sends_short);
    println!("{each} bytes handed to each socket, {short} short sends, {kept} bytes kept in all");
    assert!(each < 512 << 10, "the socket has an end");
    let most = VIEWERS as u64 * RECORD + 2 * KEPT;
    assert!(kept <= most, "{kept} bytes kept, {most} at most");
    running.until("every buffer is in the pool", |_| {
        running.sum(|zone| zone.send_buffers_free) == buffers
    });

    let other = connect(0).get("/live/a/0.ts", "");
    assert!(other.complete && other.body == whole);
    for mut viewer in stalled.into_iter().step_by(50) {
        let got = viewer.response();
        assert!(got.complete && got.body == whole, "{}", got.body.len());
    }
    running.until("what was kept is gone", |_| {
        running.sum(|zone| zone.rest_bytes) == 0
    });
    running.stop();
}

/// Shows that new viewers are refused and counted while the kernel holds more for sockets than is
/// allowed, that those who are there are served, and that encoders are still taken.
#[test]
fn no_more_viewers_than_the_kernel_has_memory_for() {
    let mut config = crate::pipeline_support::config();
    // One page: a single connection with something unread is more.
    config.limits.socket_memory_max = 4096;
    let running = Running::start(config);
    assert_eq!(running.put("/live/a/0.ts", &bytes(1, 100_000)), 201);
    let mut first = running.viewer();
    assert_eq!(first.get("/live/a/0.ts", "").status, 200);
    let mut hog = Client::connect_small(running.viewers);
    hog.send(b"GET /live/a/0.ts HTTP/1.1\r\nHost: x\r\n\r\n");
    running.until("the hog is answered", |_| running.responses(200) == 2);
    running.until("the kernel holds something", |dataplane| {
        dataplane.sample_socket_memory();
        dataplane.counters().zones[0].overloaded
    });
    let mut refused = running.viewer();
    let _ = refused.try_send(b"GET /live/a/0.ts HTTP/1.1\r\nHost: x\r\n\r\n");
    assert!(refused.try_head().is_none(), "a reset");
    assert_eq!(running.sum(|zone| zone.accepts_refused), 1);
    assert!(first.get("/live/a/0.ts", "").complete);
    assert_eq!(running.put("/live/a/1.ts", &bytes(2, 1000)), 201);
    running.stop();
}
