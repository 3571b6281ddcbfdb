//! Every shape that ffmpeg sends, over fresh and kept connections, plain and TLS, comes out
//! byte for byte, and plays over HTTPS by IPv4 and IPv6.
#![allow(missing_docs)]

use std::io::Write as _;
use std::net::TcpStream;

use anyhow::{Context, Result, ensure};
use zonecast_perf::child::Child;
use zonecast_tests::bench::Bench;
use zonecast_tests::compare::{fetch_all, in_folder, in_ledger};
use zonecast_tests::encoder::{Encoder, FRAMES, Shape};
use zonecast_tests::tool::play;
use zonecast_tests::{PATIENCE, have, seconds};

const STREAMS: [(&str, Shape, bool); 6] = [
    ("fmp4", Shape::Fmp4, false),
    ("fmp4-kept", Shape::Fmp4, true),
    ("ts", Shape::Ts, false),
    ("ts-kept", Shape::Ts, true),
    ("dash", Shape::Dash, false),
    ("dash-kept", Shape::Dash, true),
];
const SECONDS: u32 = 6;

/// Starts an encoder, which keeps a copy of all that it sends.
fn start(
    bench: &Bench,
    (stream, shape, persistent): (&str, Shape, bool),
    url: String,
    seconds: Option<u32>,
) -> Result<Child> {
    let mut encoder = Encoder::new(shape, url, &bench.config.token);
    encoder.persistent = persistent;
    encoder.seconds = seconds;
    if !encoder.shape.entry().ends_with(".mpd") {
        encoder.options = "-hls_list_size 0".to_owned();
    }
    encoder.copy = Some(bench.folder().join(stream));
    encoder.start(bench, stream)
}

/// Waits for the encoders' ends, then compares every object and plays every stream.
async fn judge(bench: &Bench, encoders: &mut [Child]) -> Result<()> {
    for encoder in &mut *encoders {
        let status = encoder.wait(PATIENCE).await?;
        ensure!(
            status.is_some_and(|status| status.success()),
            "{}: {status:?}: {}",
            encoder.name(),
            encoder.log_tail()
        );
    }
    for encoder in &*encoders {
        let stream = encoder.name();
        let shape = STREAMS.iter().find(|(name, ..)| *name == stream);
        let (_, shape, _) = shape.context("it is one of them")?;
        let written = in_folder(&bench.folder().join(stream))?;
        ensure!(written.len() > SECONDS as usize, "{stream}: {written:?}");
        fetch_all(bench, stream, &written).await?;
        for url in bench.urls(&format!("{stream}/{}", shape.entry())) {
            let played = play(&url, None).await?;
            let frames = u64::from(SECONDS) * FRAMES;
            ensure!(played.video == frames, "{url}: {played:?}, not {frames}");
        }
    }
    Ok(())
}

/// Plain ingest, behind a tee: curl, the encoder's copy and the tee agree on every object.
#[tokio::test]
async fn plain_ingest() -> Result<()> {
    if !have(&["ffmpeg", "ffprobe", "curl"]) {
        return Ok(());
    }
    let bench = Bench::with_streams("plain", &STREAMS.map(|(stream, ..)| stream)).await?;
    let (tee, ledger) = bench.tee()?;
    let start = |stream| {
        start(
            &bench,
            stream,
            bench.ingest_url(tee.address(), stream.0),
            Some(SECONDS),
        )
    };
    let mut encoders = STREAMS.map(start).into_iter().collect::<Result<Vec<_>>>()?;
    judge(&bench, &mut encoders)
        .await
        .context(ledger.describe())?;
    for (stream, ..) in STREAMS {
        fetch_all(&bench, stream, &in_ledger(&ledger, stream)).await?;
    }
    let totals = ledger.totals();
    ensure!(
        totals.aborted + totals.refused + totals.unreadable == 0,
        "{totals:?}\n{}",
        ledger.describe()
    );
    bench.passed()
}

async fn tls_bench(test: &str, streams: &[(&str, Shape, bool)]) -> Result<Bench> {
    let mut bench = Bench::new(test)?;
    bench.config.ingest_tls = true;
    bench
        .config
        .add_streams(streams.iter().map(|(stream, ..)| *stream));
    bench.start().await?;
    Ok(bench)
}

/// TLS ingest, a connection an object: ffmpeg's own TLS, with nothing between it and the
/// daemon.
#[tokio::test]
async fn tls_ingest() -> Result<()> {
    if !have(&["ffmpeg", "ffprobe", "curl"]) {
        return Ok(());
    }
    let streams: Vec<_> = STREAMS.into_iter().filter(|(.., kept)| !kept).collect();
    let bench = tls_bench("tls", &streams).await?;
    let url = |stream| bench.ingest_url(bench.ingest(), stream);
    let start = |stream: &(_, _, _)| start(&bench, *stream, url(stream.0), Some(SECONDS));
    let mut encoders = streams.iter().map(start).collect::<Result<Vec<_>>>()?;
    judge(&bench, &mut encoders).await?;
    bench.passed()
}

/// TLS ingest over kept connections, looked at while the encoders run: at its exit ffmpeg
/// leaves answers unread (it reads one TLS record an object), which makes its close a reset,
/// and what its own kernel had not sent by then is lost.
#[tokio::test]
async fn tls_ingest_over_kept_connections() -> Result<()> {
    if !have(&["ffmpeg", "ffprobe", "curl"]) {
        return Ok(());
    }
    let streams: Vec<_> = STREAMS.into_iter().filter(|(.., kept)| *kept).collect();
    let bench = tls_bench("kept", &streams).await?;
    let url = |stream| bench.ingest_url(bench.ingest(), stream);
    let start = |stream: &(_, _, _)| start(&bench, *stream, url(stream.0), None);
    let mut encoders = streams.iter().map(start).collect::<Result<Vec<_>>>()?;
    seconds(f64::from(SECONDS) + 1.0).await;
    for (stream, shape, _) in &streams {
        let mut written = in_folder(&bench.folder().join(stream))?;
        // What is replaced with every segment, and the segment that is just being written.
        written.retain(|name, _| *name != shape.entry());
        for newest in ["live", "chunk-stream0-", "chunk-stream1-"] {
            let newest = written.keys().filter(|name| name.starts_with(newest));
            if let Some(newest) = newest.max().cloned() {
                written.remove(&newest);
            }
        }
        ensure!(written.len() >= 5, "{stream}: {written:?}");
        fetch_all(&bench, stream, &written).await?;
        for url in bench.urls(&format!("{stream}/{}", shape.entry())) {
            play(&url, Some(1)).await?;
        }
    }
    for encoder in &mut encoders {
        ensure!(encoder.ended()?.is_none(), "{}", encoder.log_tail());
    }
    bench.passed()
}

/// A connection that an encoder keeps, and closes with answers unread, ends by a reset. What
/// it had sent before arrives all the same: a large object, and two behind it.
#[tokio::test]
async fn a_reset_at_the_end_loses_nothing() -> Result<()> {
    if !have(&["curl"]) {
        return Ok(());
    }
    let bench = Bench::with_streams("reset", &["news"]).await?;
    let put = |name: &str, body: &[u8]| {
        let head = format!(
            "PUT /live/news/{name} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\
             Authorization: Bearer {}\r\n\r\n{:x}\r\n",
            bench.config.token,
            body.len()
        );
        [head.as_bytes(), body, b"\r\n0\r\n\r\n"].concat()
    };
    let folder = bench.folder().join("sent");
    std::fs::create_dir(&folder)?;
    for round in 0..8_u8 {
        let bodies = [
            ("first", vec![round; 10_000]),
            ("large", vec![round + 1; 50_000]),
            ("behind", vec![round + 2; 3000]),
            ("last", vec![round + 3; 300]),
        ];
        let requests = bodies.map(|(name, body)| {
            let name = format!("{name}-{round}.ts");
            std::fs::write(folder.join(&name), &body).map(|()| put(&name, &body))
        });
        let mut encoder = TcpStream::connect(bench.ingest())?;
        // What the encoder's own kernel still holds when it resets is lost, so hold nothing.
        encoder.set_nodelay(true)?;
        for (at, request) in requests.into_iter().enumerate() {
            encoder.write_all(&request?)?;
            if at == 0 {
                // Its answer is there, and never read.
                seconds(0.3).await;
            }
        }
    }
    fetch_all(&bench, "news", &in_folder(&folder)?).await?;
    bench.passed()
}

/// A connection an object, and no answer awaited: of two uploads of one name, one right
/// after the other, the later one stays. (DASH's last two manifests come like that.)
#[tokio::test]
async fn the_later_of_two_uploads_stays() -> Result<()> {
    if !have(&["curl"]) {
        return Ok(());
    }
    let mut bench = Bench::new("later")?;
    bench.config.add_streams(["news"]);
    bench.config.limits = "pinned_max = 128".to_owned();
    bench.start().await?;
    let folder = bench.folder().join("sent");
    std::fs::create_dir(&folder)?;
    for round in 0..100 {
        let name = format!("{round}.m3u8");
        let later = format!("#EXTM3U\n#later {round}\n");
        std::fs::write(folder.join(&name), &later)?;
        for body in ["#EXTM3U\n#earlier\n", &later] {
            let request = format!(
                "PUT /live/news/{name} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\
                 Connection: close\r\nAuthorization: Bearer {}\r\n\r\n{:x}\r\n{body}\r\n0\r\n\r\n",
                bench.config.token,
                body.len()
            );
            let mut encoder = TcpStream::connect(bench.ingest())?;
            encoder.write_all(request.as_bytes())?;
        }
    }
    fetch_all(&bench, "news", &in_folder(&folder)?).await?;
    bench.passed()
}
