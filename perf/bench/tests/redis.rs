//! Shows that the Redis peer's way works: what producers publish, the subscriber writes as files,
//! whole and right. Prints `SKIP:` where there is no Redis.
#![allow(clippy::unwrap_used, missing_docs)]

use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use zonecast_load::live::{Encoders, Media, ProduceSpec, Sink, Track};
use zonecast_perf::setup::Ports;

const PATIENCE: Duration = Duration::from_secs(30);
const SEGMENT: Duration = Duration::from_millis(500);

/// A process; killed when dropped.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn redis(port: u16) -> Option<Running> {
    let started = Command::new("redis-server")
        .args(["--bind", "127.0.0.1", "--port", &port.to_string()])
        .args(["--save", "", "--appendonly", "no"])
        .stdout(Stdio::null())
        .spawn();
    started.ok().map(Running)
}

/// The first segment of each track, when it is there and listed.
fn is_there(folder: &Path, media: &Media) -> bool {
    (0..media.tracks.len()).all(|track| {
        let listed = folder.join(media.tracks[track].playlist.trim_start_matches('/'));
        let listed = std::fs::read_to_string(listed).unwrap_or_default();
        listed.contains(&Media::name(4))
    })
}

/// Two tracks, published in slices, arrive as files with the right bytes.
#[test]
fn what_is_published_is_written() {
    let port = Ports::pick().unwrap().https;
    let Some(_redis) = redis(port) else {
        println!("SKIP: redis-server is not installed");
        return;
    };
    let target = Ports::four(port);
    let deadline = Instant::now() + PATIENCE;
    while TcpStream::connect(target).is_err() {
        assert!(Instant::now() < deadline, "Redis does not listen");
        std::thread::sleep(Duration::from_millis(10));
    }
    let folder = tempfile::tempdir().unwrap();
    let subscriber = Command::new(env!("CARGO_BIN_EXE_zonecast-subscriber"))
        .args([target.to_string().as_str()])
        .arg(folder.path())
        .spawn();
    let _subscriber = Running(subscriber.unwrap());
    let track = |n| Track {
        playlist: format!("/live/b{n}/index.m3u8"),
        rate: 8e6,
        weight: 1,
    };
    let media = Arc::new(Media::make(1, vec![track(0), track(1)], SEGMENT));
    let spec = ProduceSpec {
        sink: Sink::Redis {
            targets: vec![target],
            tls: None,
        },
        media: Arc::clone(&media),
        slices: 3,
        listed: 3,
        first: 0,
        preload: 1,
        board: None,
    };
    let mut encoders = Encoders::new(spec).unwrap();
    while !is_there(folder.path(), &media) {
        assert!(Instant::now() < deadline, "{:?}", encoders.take());
        encoders.run(Instant::now() + SEGMENT / 5).unwrap();
    }
    for track in 0..2 {
        let path = media.path(track, 4);
        let bytes = std::fs::read(folder.path().join(path.trim_start_matches('/'))).unwrap();
        assert_eq!(bytes.len(), media.size(track));
        media.compare(track, 4, 0, &bytes).unwrap();
    }
    let uploaded = encoders.take();
    assert_eq!(uploaded.broken, 0, "{uploaded:?}");
    assert!(uploaded.answers >= uploaded.segments, "{uploaded:?}");
}
