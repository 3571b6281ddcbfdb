//! Shows that the tee is transparent: bytes go on as they come, ends and resets are passed
//! as such, and an encoder that closes without reading answers loses nothing.
#![allow(clippy::unwrap_used, missing_docs)]

use std::io::ErrorKind;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{sleep, timeout};
use zonecast_perf::ledger::{Answer, Ledger, State};
use zonecast_perf::tee::Tee;

const PATIENCE: Duration = Duration::from_secs(10);

struct Bench {
    listener: TcpListener,
    ledger: Arc<Ledger>,
    tee: Tee,
}

impl Bench {
    async fn new() -> Bench {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let ledger = Ledger::new();
        let tee = Tee::start(listener.local_addr().unwrap(), ledger.clone()).unwrap();
        Bench {
            listener,
            ledger,
            tee,
        }
    }

    /// An encoder's connection and the daemon's end of it.
    async fn pair(&self) -> (TcpStream, TcpStream) {
        let encoder = TcpStream::connect(self.tee.address()).await.unwrap();
        let (daemon, _) = timeout(PATIENCE, self.listener.accept())
            .await
            .unwrap()
            .unwrap();
        (encoder, daemon)
    }

    /// Waits until the ledger says so.
    async fn until(&self, what: impl Fn(&Ledger) -> bool) {
        let wait = async {
            while !what(&self.ledger) {
                sleep(Duration::from_millis(5)).await;
            }
        };
        timeout(PATIENCE, wait)
            .await
            .expect("the ledger never said so");
    }
}

async fn expect(stream: &mut TcpStream, bytes: &[u8]) {
    let mut got = vec![0; bytes.len()];
    timeout(PATIENCE, stream.read_exact(&mut got))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(got, bytes);
}

const HEAD: &[u8] = b"PUT /live/s/a.ts HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n";

/// Each piece arrives before the next is sent: nothing is stored to be forwarded later.
#[tokio::test]
async fn relays_as_it_comes() {
    let bench = Bench::new().await;
    let (mut encoder, mut daemon) = bench.pair().await;
    for piece in [HEAD, b"3\r\nab", b"c\r\n", b"0\r\n", b"\r\n"] {
        encoder.write_all(piece).await.unwrap();
        expect(&mut daemon, piece).await;
    }
    let state = &bench.ledger.versions("s/a.ts")[0].state;
    assert!(
        matches!(state, State::Complete { length: 3, .. }),
        "{state:?}"
    );
    daemon
        .write_all(b"HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n")
        .await
        .unwrap();
    expect(&mut encoder, b"HTTP/1.1 201 Created\r\n").await;
    bench
        .until(|ledger| matches!(ledger.versions("s/a.ts")[0].answer, Answer::Status(201, _)))
        .await;
}

/// A half-closed encoder still gets its answer, and both ends see proper ends.
#[tokio::test]
async fn passes_ends_on() {
    let bench = Bench::new().await;
    let (mut encoder, mut daemon) = bench.pair().await;
    encoder
        .write_all(b"DELETE /live/s/a.ts HTTP/1.1\r\n\r\n")
        .await
        .unwrap();
    encoder.shutdown().await.unwrap();
    let mut got = Vec::new();
    timeout(PATIENCE, daemon.read_to_end(&mut got))
        .await
        .unwrap()
        .unwrap();
    assert!(got.ends_with(b"\r\n\r\n"));
    daemon
        .write_all(b"HTTP/1.1 204 No Content\r\n\r\n")
        .await
        .unwrap();
    drop(daemon);
    let mut answer = Vec::new();
    timeout(PATIENCE, encoder.read_to_end(&mut answer))
        .await
        .unwrap()
        .unwrap();
    assert!(answer.starts_with(b"HTTP/1.1 204"));
    assert_eq!(bench.ledger.totals().deletes, 1);
}

/// An encoder that breaks off in mid-object arrives as broken, not as finished.
#[tokio::test]
async fn passes_resets_on() {
    let bench = Bench::new().await;
    let (mut encoder, mut daemon) = bench.pair().await;
    encoder.write_all(HEAD).await.unwrap();
    encoder.write_all(b"3\r\na").await.unwrap();
    expect(&mut daemon, HEAD).await;
    expect(&mut daemon, b"3\r\na").await;
    encoder.set_zero_linger().unwrap();
    drop(encoder);
    let error = timeout(PATIENCE, daemon.read(&mut [0; 8]))
        .await
        .unwrap()
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    bench.until(|ledger| ledger.totals().aborted == 1).await;
    assert_eq!(bench.ledger.totals().lost, 0);
}

/// An encoder that sends everything and resets, since it never reads answers, loses not a
/// byte, and the ledger still learns the answer.
#[tokio::test]
async fn a_reset_after_the_last_byte_loses_nothing() {
    let bench = Bench::new().await;
    let (mut encoder, mut daemon) = bench.pair().await;
    let body = vec![7; 300_000];
    let head = format!(
        "PUT /live/s/a.ts HTTP/1.1\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    encoder.write_all(head.as_bytes()).await.unwrap();
    encoder.write_all(&body).await.unwrap();
    bench.until(|ledger| ledger.totals().complete == 1).await;
    encoder.set_zero_linger().unwrap();
    drop(encoder);
    let mut got = Vec::new();
    timeout(PATIENCE, daemon.read_to_end(&mut got))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(got.len(), head.len() + body.len());
    daemon
        .write_all(b"HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n")
        .await
        .unwrap();
    bench
        .until(|ledger| matches!(ledger.versions("s/a.ts")[0].answer, Answer::Status(201, _)))
        .await;
}

/// A daemon that dies with an upload unanswered: the encoder sees it broken, and the ledger
/// does not demand that object.
#[tokio::test]
async fn a_dead_daemon_loses_the_upload() {
    let bench = Bench::new().await;
    let (mut encoder, mut daemon) = bench.pair().await;
    let request = b"PUT /live/s/a.ts HTTP/1.1\r\nContent-Length: 2\r\n\r\nxy";
    encoder.write_all(request).await.unwrap();
    expect(&mut daemon, request).await;
    daemon.set_zero_linger().unwrap();
    drop(daemon);
    let error = timeout(PATIENCE, encoder.read(&mut [0; 8]))
        .await
        .unwrap()
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    bench.until(|ledger| ledger.totals().lost == 1).await;
    assert_eq!(bench.ledger.versions("s/a.ts")[0].settled(), None);
}

/// With no daemon at all an encoder is reset.
#[tokio::test]
async fn no_daemon_is_a_reset() {
    let Bench {
        listener,
        ledger,
        tee,
    } = Bench::new().await;
    drop(listener);
    let mut encoder = TcpStream::connect(tee.address()).await.unwrap();
    let error = timeout(PATIENCE, encoder.read(&mut [0; 8]))
        .await
        .unwrap()
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    assert_eq!(ledger.totals().begun, 0);
}
