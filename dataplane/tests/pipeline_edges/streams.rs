//! Streams come and go: reloads, idle streams, restarts.

use std::time::Duration;

use rustls::version::TLS13;
use zonecast_dataplane::Reload;

use crate::pipeline_support::tls::{self, Identity};
use crate::pipeline_support::{Client, Running, bytes, chunk, config, stream, token};

/// Streams are added and closed by a reload; an upload to a closed one is refused in order,
/// and its rest is never taken for a request.
#[test]
fn reload_adds_and_closes() {
    let mut config = config();
    config.streams = vec![stream("keep"), stream("close")];
    config.ingest.open_token = None;
    let running = Running::start(config);
    assert_eq!(running.put("/live/keep/x.ts", b"kept"), 201);
    assert_eq!(running.put("/live/close/x.ts", b"body"), 201);
    let mut encoder = running.open("/live/close/y.ts", &bytes(1, 50_000));
    let mut waiting = running.viewer();
    waiting.send(b"GET /live/close/z.ts HTTP/1.1\r\nHost: x\r\n\r\n");
    running.until("it waits", |_| running.sum(|z| z.waiting) == 1);
    let reload = Reload {
        streams: vec![stream("keep"), stream("new")],
        open_token: None,
        streams_max: 4,
        certificates: None,
    };
    let summary = running.dataplane.reload(reload).unwrap();
    assert_eq!((summary.added, summary.closed), (1, 1));
    assert_eq!(waiting.response().status, 404);
    for _ in 0..20 {
        encoder.send(&chunk(&bytes(2, 50_000)));
    }
    encoder.send(b"0\r\n\r\n");
    let refused = encoder.response();
    assert!(matches!(refused.status, 403 | 503), "{}", refused.status);
    assert_eq!(running.get("/live/close/x.ts").status, 404);
    assert_eq!(running.get("/live/keep/x.ts").body, b"kept");
    assert_eq!(running.put("/live/new/x.ts", b"new"), 201);
    assert_eq!(running.put("/live/close/x.ts", b"body"), 403);
    assert_eq!(running.responses(400), 0);
    running.stop();
}

/// New certificates are used by new connections; old connections go on.
#[test]
fn certificates_are_swapped() {
    let (old, new) = (Identity::new(), Identity::new());
    let running = Running::start(tls::config(&old));
    let mut held = Client::connect_tls(running.viewers, &old.client(&TLS13));
    assert_eq!(held.get("/live/a/l.m3u8", "").status, 404);
    let reload = |certificates| Reload {
        streams: vec![],
        open_token: Some(token("secret")),
        streams_max: 16,
        certificates,
    };
    assert!(running.dataplane.reload(reload(None)).is_err());
    running.dataplane.reload(reload(Some(new.store()))).unwrap();
    let mut viewer = Client::connect_tls(running.viewers, &new.client(&TLS13));
    assert_eq!(viewer.get("/live/a/l.m3u8", "").status, 404);
    assert_eq!(held.get("/live/a/l.m3u8", "").status, 404);
    let mut refused = Client::connect_tls_lazy(running.viewers, &old.client(&TLS13));
    assert!(refused.try_send(b"GET / HTTP/1.1\r\n\r\n").is_err());
    running.stop();
}

/// A stream without an encoder gives its memory back; when one comes again, tags of before
/// are not used for other bytes.
#[test]
fn idle_streams_give_back() {
    let mut config = config();
    config.limits.stream_idle = Duration::from_millis(700);
    config.streams = vec![stream("kept")];
    let running = Running::start(config);
    let free = running.sum(|zone| zone.arena_free);
    let mut tags = Vec::new();
    for round in 0..3 {
        for name in ["kept", "made"] {
            let body = bytes(round, 100_000);
            assert_eq!(running.put(&format!("/live/{name}/x.ts"), &body), 201);
            assert_eq!(
                running.put(&format!("/live/{name}/l.m3u8"), b"#EXTM3U"),
                201
            );
            for path in ["x.ts", "l.m3u8"] {
                let got = running.get(&format!("/live/{name}/{path}"));
                tags.push(format!("{name}/{path} {}", got.field("ETag").unwrap()));
            }
            assert!(running.get(&format!("/live/{name}/x.ts")).body == body);
        }
        assert!(running.sum(|zone| zone.arena_free) < free);
        running.until("the memory is back", |_| {
            running.sum(|z| z.arena_free) == free
        });
        assert_eq!(running.dataplane.streams().len(), 1);
    }
    let all = tags.len();
    tags.sort_unstable();
    tags.dedup();
    assert_eq!(tags.len(), all, "{tags:?}");
    running.stop();
}

/// Init segments and master playlists are there after a restart, and segments follow on.
#[test]
fn restart() {
    let dir = tempfile::tempdir().unwrap();
    let start = || {
        let mut config = config();
        config.state_dir = Some(dir.path().join("state"));
        config.streams = vec![stream("a")];
        Running::start(config)
    };
    let master = b"#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nlive.m3u8\n";
    let init = [&[0, 0, 0, 24][..], b"ftypiso5", &bytes(2, 900)].concat();
    let running = start();
    assert_eq!(running.put("/live/a/master.m3u8", master), 201);
    assert_eq!(
        running.put("/live/a/live.m3u8", b"#EXTM3U\n#EXTINF:2\nx\n"),
        201
    );
    assert_eq!(running.put("/live/a/init.mp4", &init), 201);
    let tag = running
        .get("/live/a/init.mp4")
        .field("ETag")
        .unwrap()
        .to_owned();
    running.stop();
    let running = start();
    assert_eq!(running.get("/live/a/master.m3u8").body, master);
    assert_eq!(running.get("/live/a/live.m3u8").status, 404);
    let got = running.get("/live/a/init.mp4");
    assert_eq!(got.body, init);
    assert_ne!(got.field("ETag"), Some(tag.as_str()));
    assert_eq!(
        running.put("/live/a/seg1.m4s", &bytes(3, 5000)),
        201,
        "no 412"
    );
    running.stop();
}
