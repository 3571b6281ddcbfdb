//! Encoders and viewers that do everything at once, cut their requests anywhere and leave at
//! any moment, plain and over TLS: what is complete is right, and nothing is left behind.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rustls::ClientConfig;
use rustls::version::{TLS12, TLS13};

use crate::pipeline_support::tls::{self, Identity};
use crate::pipeline_support::{Client, Running, bytes, chunk, config, put_head};

/// Names that are used again and again, so that uploads replace and follow each other.
const NAMES: u64 = 12;

struct Chance(u64);

impl Chance {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(0x5851_f42d_4c95_7f2d)
            .wrapping_add(0x1405_7b7e_f767_814f);
        (self.0 >> 33) % n
    }
}

/// Says what it was about when it goes wrong.
struct Told<'a>(String, &'a Running);

impl Drop for Told<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let zones = self.1.dataplane.counters().zones;
            println!("{}: {zones:?} {:?}", self.0, self.1.dataplane.streams());
        }
    }
}

struct Scene<'a> {
    running: &'a Running,
    client: Option<Arc<ClientConfig>>,
    /// What each generation's first bytes say of the rest: its seed and its length.
    sent: Mutex<HashMap<Vec<u8>, (u64, usize)>>,
    seeds: AtomicU64,
    done: AtomicBool,
    complete: AtomicU64,
}

impl Scene<'_> {
    fn connect(&self, encoder: bool) -> Client {
        let at = if encoder {
            self.running.ingest
        } else {
            self.running.viewers
        };
        let plain = Client::connect(at);
        match &self.client {
            Some(config) => plain.with_tls(config),
            None => plain,
        }
    }

    fn encode(&self, seed: u64) {
        let mut chance = Chance(seed);
        let mut encoder = self.connect(true);
        while !self.done.load(Ordering::Relaxed) {
            let seed = self.seeds.fetch_add(1, Ordering::Relaxed);
            let len = 16 + [1000, 70_000, 260_000, 900_000][chance.below(4) as usize];
            let len = len + chance.below(5000) as usize;
            let body = bytes(seed, len);
            self.sent
                .lock()
                .unwrap()
                .insert(body[..16].to_vec(), (seed, len));
            let path = format!("/live/s{}/{}.ts", chance.below(2), chance.below(NAMES));
            let mut wire;
            if chance.below(2) == 0 {
                wire = put_head(&path, &format!("Content-Length: {len}\r\n"));
                wire.extend(&body);
            } else {
                wire = put_head(&path, "Transfer-Encoding: chunked\r\n");
                body.chunks(1 + chance.below(60_000) as usize)
                    .for_each(|part| wire.extend(chunk(part)));
                wire.extend(b"0\r\n\r\n");
            }
            let leaves = (chance.below(6) == 0).then(|| chance.below(wire.len() as u64) as usize);
            wire.truncate(leaves.unwrap_or(wire.len()));
            let piece = 700 + chance.below(50_000) as usize;
            let sent = wire.chunks(piece).try_for_each(|piece| {
                if chance.below(8) == 0 {
                    std::thread::sleep(Duration::from_millis(chance.below(4)));
                }
                encoder.try_send(piece)
            });
            if leaves.is_some() || chance.below(10) == 0 {
                encoder = self.connect(true);
                continue;
            }
            sent.unwrap();
            let answer = encoder.response();
            let status = answer.status;
            assert!(matches!(status, 201 | 204 | 503), "{path}: {status}");
            if answer.field("Connection") == Some("close") {
                encoder = self.connect(true);
            }
        }
    }

    fn view(&self, seed: u64) {
        let mut chance = Chance(seed);
        let mut viewer = self.connect(false);
        while !self.done.load(Ordering::Relaxed) {
            let path = format!("/live/s{}/{}.ts", chance.below(2), chance.below(NAMES));
            let fields = match chance.below(4) {
                0 => "Range: bytes=0-70000\r\n",
                1 => "Range: bytes=0-\r\n",
                _ => "",
            };
            let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\n{fields}\r\n");
            let cut = chance.below(request.len() as u64) as usize;
            let sent = viewer.try_send(&request.as_bytes()[..cut]);
            if sent
                .and_then(|()| viewer.try_send(&request.as_bytes()[cut..]))
                .is_err()
            {
                viewer = self.connect(false);
                continue;
            }
            if chance.below(8) == 0 {
                viewer = self.connect(false);
                continue;
            }
            let _told = Told(format!("{path} {fields:?}"), self.running);
            let Some(head) = viewer.try_head() else {
                // Cut, and its head with it.
                viewer = self.connect(false);
                continue;
            };
            let got = viewer.rest(&head);
            let ok = matches!(got.status, 200 | 206);
            assert!(ok || matches!(got.status, 404 | 410 | 503), "{}", got.head);
            if ok && got.body.len() >= 16 {
                let sent = self.sent.lock().unwrap();
                let (seed, len) = sent[&got.body[..16]];
                let body = bytes(seed, len);
                assert!(
                    got.body == body[..got.body.len()],
                    "wrong bytes: {}",
                    got.head
                );
                let whole =
                    got.body.len() == len || (got.status == 206 && !fields.ends_with("-\r\n"));
                assert!(
                    whole || !got.complete,
                    "{} of {len}: {}",
                    got.body.len(),
                    got.head
                );
                self.complete
                    .fetch_add(u64::from(got.complete), Ordering::Relaxed);
            }
            if !got.complete || got.field("Connection") == Some("close") {
                viewer = self.connect(false);
            }
        }
    }
}

fn play(config: zonecast_dataplane::Config, client: Option<Arc<ClientConfig>>, seed: u64) {
    println!("seed {seed}");
    let mut config = config;
    config.limits.open_ring_bytes = 5 << 20;
    config.limits.object_wait = Duration::from_millis(50);
    let running = Running::start(config);
    running.until("all buffers are there", |_| {
        running.sum(|z| z.send_buffers_free) == 256
    });
    let scene = Scene {
        running: &running,
        client,
        sent: Mutex::default(),
        seeds: AtomicU64::new(seed << 32),
        done: AtomicBool::new(false),
        complete: AtomicU64::new(0),
    };
    std::thread::scope(|scope| {
        for n in 0..4 {
            scope.spawn({
                let scene = &scene;
                move || scene.encode(seed * 100 + n)
            });
            scope.spawn({
                let scene = &scene;
                move || scene.view(seed * 200 + n)
            });
            scope.spawn({
                let scene = &scene;
                move || scene.view(seed * 300 + n)
            });
        }
        let started = Instant::now();
        while started.elapsed() < Duration::from_secs(4) && !running.dataplane.finished() {
            std::thread::sleep(Duration::from_millis(50));
        }
        scene.done.store(true, Ordering::Relaxed);
    });
    let complete = scene.complete.load(Ordering::Relaxed);
    println!("{complete} complete responses");
    assert!(complete > 20);
    running.until("nobody is left", |_| {
        running.sum(|z| z.viewers + z.encoders + z.waiting) == 0
    });
    assert_eq!(running.sum(|zone| zone.send_buffers_free), 256);
    assert!(
        running
            .dataplane
            .streams()
            .iter()
            .all(|s| s.uploads_open == 0)
    );
    running.stop();
}

#[test]
fn plain() {
    play(config(), None, 1);
}

#[test]
fn tls13() {
    let identity = Identity::new();
    play(tls::config(&identity), Some(identity.client(&TLS13)), 2);
}

#[test]
fn tls12() {
    let identity = Identity::new();
    play(tls::config(&identity), Some(identity.client(&TLS12)), 3);
}
