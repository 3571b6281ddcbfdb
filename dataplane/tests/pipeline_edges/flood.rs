//! A flood of handshakes delays no segment.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use rustls::client::Resumption;
use rustls::version::{TLS12, TLS13};

use crate::pipeline_support::tls::{self, Identity};
use crate::pipeline_support::{Client, Running, bytes, chunk, put_head};

/// Encoders upload over TLS, a segment every 100 ms, while viewers do nothing but shake
/// hands: every segment is committed in time, and those who watch get it in time.
#[test]
fn handshakes_and_uploads() {
    let identity = Identity::new();
    let running = Running::start(tls::config(&identity));
    let client = identity.client(&TLS13);
    let mut anew = rustls::ClientConfig::clone(&client);
    anew.resumption = Resumption::disabled();
    let anew = Arc::new(anew);
    let (done, handshakes) = (AtomicBool::new(false), AtomicU32::new(0));
    let mut late = Vec::new();
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    let mut viewer = Client::connect_tls_lazy(running.viewers, &anew);
                    drop(viewer.try_send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"));
                    handshakes.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        let mut encoder = Client::connect_tls(running.ingest, &client);
        let mut viewer = Client::connect_tls(running.viewers, &client);
        for n in 0..30 {
            let path = format!("/live/a/seg{n}.ts");
            let body = bytes(n, 300_000);
            let started = Instant::now();
            encoder.send(&put_head(&path, "Transfer-Encoding: chunked\r\n"));
            for part in body.chunks(32_768) {
                encoder.send(&chunk(part));
            }
            encoder.send(b"0\r\n\r\n");
            assert_eq!(encoder.response().status, 201, "{path}");
            let committed = started.elapsed();
            assert!(viewer.get(&path, "").body == body, "{path}");
            late.push((committed, started.elapsed()));
            std::thread::sleep(Duration::from_millis(100).saturating_sub(started.elapsed()));
        }
        done.store(true, Ordering::Relaxed);
    });
    let flood = handshakes.load(Ordering::Relaxed);
    let worst = late.iter().max().unwrap();
    println!("{flood} handshakes; worst upload and delivery {worst:?}");
    assert!(flood > 50, "{flood}");
    let limit = Duration::from_secs(2);
    assert!(
        late.iter().all(|(put, got)| *put < limit && *got < limit),
        "{worst:?}"
    );
    running.stop();
}

/// Records that cannot be opened end the connection, whatever it is doing, and nothing else.
#[test]
fn garbage_records() {
    let identity = Identity::new();
    let running = Running::start(tls::config(&identity));
    let garbage = [&[23, 3, 3, 0, 40][..], &[7; 40]].concat();
    let request = |path: &str| format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n").into_bytes();
    for version in [&TLS13, &TLS12] {
        let client = identity.client(version);
        let mut encoder = Client::connect_tls(running.ingest, &client);
        encoder.send(&put_head(
            "/live/a/open.ts",
            "Transfer-Encoding: chunked\r\n",
        ));
        encoder.send(&chunk(&bytes(1, 100_000)));
        running.until("it opens", |d| {
            d.streams().iter().any(|s| s.uploads_open > 0)
        });
        let viewing = [
            vec![],
            b"GET /li".to_vec(),
            request("/live/a/never.ts"),
            request("/live/a/done.m3u8"),
        ];
        let encoding = [
            vec![],
            put_head("/live/a/x.ts", "Content-Length: 100\r\n"),
            [
                put_head("/live/a/y.ts", "Content-Length: 100\r\n"),
                bytes(1, 100),
            ]
            .concat(),
        ];
        let viewing = viewing.into_iter().map(|sent| (running.viewers, sent));
        let encoding = encoding.into_iter().map(|sent| (running.ingest, sent));
        for (at, sent) in viewing.chain(encoding) {
            for at_once in [true, false] {
                let mut peer = Client::connect_tls(at, &client);
                peer.send(&sent);
                if !at_once {
                    std::thread::sleep(Duration::from_millis(20));
                }
                std::io::Write::write_all(&mut peer.socket(), &garbage).unwrap();
                while !peer.is_ended() {}
            }
        }
        encoder.send(b"0\r\n\r\n");
        assert!(matches!(encoder.response().status, 201 | 204));
        let got = Client::connect_tls(running.viewers, &client).get("/live/a/open.ts", "");
        assert!(got.body == bytes(1, 100_000));
    }
    running.until("nobody is left", |_| {
        running.sum(|z| z.viewers + z.encoders) == 0
    });
    running.stop();
}
