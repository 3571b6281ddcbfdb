//! What `/metrics` says is what happened: the names that the issue promises are there, and
//! the bytes are those that curl received.
#![allow(missing_docs)]

use anyhow::{Context, Result, ensure};
use zonecast_perf::metrics::Metrics;
use zonecast_tests::bench::Bench;
use zonecast_tests::encoder::{Encoder, Shape};
use zonecast_tests::tool::{curl, run, status, text};
use zonecast_tests::{PATIENCE, have, until};

/// Metrics that dashboards count on, with their labels.
const PROMISED: [(&str, &[&str]); 10] = [
    ("zonecast_viewers", &["zone"]),
    (
        "zonecast_bytes_total",
        &["ring_zone", "loop_zone", "egress_zone", "path"],
    ),
    ("zonecast_zone_bytes_total", &["zone", "path"]),
    ("zonecast_viewers_lapped_total", &["zone"]),
    ("zonecast_handshakes_total", &["zone", "resumed"]),
    ("zonecast_ring_bytes", &["stream", "track"]),
    ("zonecast_chunks_total", &["stream", "track"]),
    ("zonecast_zone_overloaded", &["zone"]),
    ("zonecast_ingest_errors_total", &["reason"]),
    ("zonecast_ingest_bytes_total", &["zone"]),
];
const PATHS: [&str; 5] = [
    "nic_ktls",
    "ktls",
    "ktls_fallback",
    "userspace_tls",
    "plain",
];

/// Body bytes that the daemon says it sent, by path.
fn sent(metrics: &Metrics, path: &str) -> f64 {
    metrics.sum("zonecast_bytes_total", &[("path", path)])
}

/// Has curl fetch these URLs: the body bytes that it received.
async fn fetch(bench: &Bench, urls: &[String]) -> Result<f64> {
    let mut arguments = vec!["-f", "-w", "%{size_download}\n"];
    for url in urls {
        arguments.extend(["-o", "/dev/null", url]);
    }
    let sizes = curl(bench, &arguments).await?;
    let sizes = sizes
        .lines()
        .map(|size| size.parse::<f64>().context("a size"));
    sizes.sum()
}

/// All promised names and labels, and byte counts that agree with curl's: body bytes of both
/// paths, the zone sums, handshakes, and the viewers gauge back at none.
#[tokio::test]
async fn metrics_agree_with_curl() -> Result<()> {
    if !have(&["ffmpeg", "curl"]) {
        return Ok(());
    }
    let mut bench = Bench::with_streams("metrics", &["news"]).await?;
    let url = bench.ingest_url(bench.ingest(), "news");
    let mut encoder = Encoder::new(Shape::Ts, url, &bench.config.token);
    encoder.seconds = Some(4);
    encoder.start(&bench, "encoder")?.wait(PATIENCE).await?;
    let wrong = bench.ingest_url(bench.ingest(), "news") + "/x.ts";
    let refused = status(
        &bench,
        &["-X", "DELETE", "-H", "Authorization: Bearer wrong", &wrong],
    )
    .await?;
    ensure!(refused == 403, "{refused}");

    let before = bench.daemon()?.metrics().await?;
    let names: Vec<String> = (0..4).map(|at| format!("news/live{at}.ts")).collect();
    let tls: Vec<String> = names.iter().map(|name| bench.url(name)).collect();
    let plain: Vec<String> = tls
        .iter()
        .map(|url| {
            let port = bench.config.ports;
            url.replace("https", "http")
                .replace(&port.https.to_string(), &port.http.to_string())
        })
        .collect();
    let got_tls = fetch(&bench, &tls).await?;
    let got_plain = fetch(&bench, &plain).await?;
    ensure!(
        got_tls > 100_000.0 && (got_tls - got_plain).abs() < 0.5,
        "{got_tls} {got_plain}"
    );

    let admin = format!("http://127.0.0.1:{}/metrics", bench.config.ports.admin);
    let mut page = String::new();
    for _ in 0..100 {
        page = curl(&bench, &[&admin]).await?;
        let now = Metrics::parse(&page);
        let added = |path| sent(&now, path) - sent(&before, path);
        if added("userspace_tls") >= got_tls && added("plain") >= got_plain {
            break;
        }
    }
    let now = Metrics::parse(&page);
    for (path, got) in [("userspace_tls", got_tls), ("plain", got_plain)] {
        let added = sent(&now, path) - sent(&before, path);
        // Heads are sent as well: at most 1 KiB for each of the four.
        ensure!(
            added >= got && added <= got + 4096.0,
            "{path}: {added} bytes sent, {got} received"
        );
        let zones = now.sum("zonecast_zone_bytes_total", &[("path", path)]);
        ensure!(
            (zones - sent(&now, path)).abs() < 0.5,
            "{path}: zones say {zones}"
        );
    }
    for (name, labels) in PROMISED {
        let sample = now
            .samples(name)
            .next()
            .with_context(|| format!("{name} is missing in\n{page}"))?;
        for label in labels {
            ensure!(sample.label(label).is_some(), "{name} has no label {label}");
        }
    }
    for path in now.values("zonecast_bytes_total", "path") {
        ensure!(PATHS.contains(&path.as_str()), "path {path}");
    }
    let handshakes = |metrics: &Metrics| metrics.sum("zonecast_handshakes_total", &[]);
    ensure!(
        handshakes(&now) > handshakes(&before),
        "no handshake counted"
    );
    ensure!(
        now.sum(
            "zonecast_ingest_errors_total",
            &[("reason", "unauthorised")]
        ) > 0.5,
        "{page}"
    );
    ensure!(
        now.sum(
            "zonecast_ring_bytes",
            &[("stream", "news"), ("track", "main")]
        ) > 0.5,
        "{page}"
    );
    let daemon = bench.daemon()?;
    until("no viewer", || async {
        let metrics = daemon.metrics().await;
        metrics.is_ok_and(|metrics| metrics.sum("zonecast_viewers", &[]) < 0.5)
    })
    .await?;
    bench.passed()
}

/// The ingest sends an encoder nothing that it will not read: no TLS 1.3 tickets. (Viewers
/// get some, and come back with them.)
#[tokio::test]
async fn tickets_for_viewers_only() -> Result<()> {
    if !have(&["openssl"]) {
        return Ok(());
    }
    let mut bench = Bench::new("tickets")?;
    bench.config.ingest_tls = true;
    bench.start().await?;
    let ports = bench.config.ports;
    let certificate = bench
        .config
        .certificate
        .chain_file
        .to_string_lossy()
        .into_owned();
    for (port, tickets) in [(ports.https, true), (ports.ingest, false)] {
        // A request after the handshake, so that what follows the handshake is read.
        let script = format!(
            "(printf 'GET /live/x/y HTTP/1.1\\r\\nHost: localhost\\r\\nConnection: close\\r\\n\\r\\n'; sleep 1) | \
             openssl s_client -tls1_3 -connect 127.0.0.1:{port} -CAfile {certificate} -servername localhost -ign_eof 2>&1"
        );
        let output = run("sh", &["-c", &script]).await?;
        let said = text(&output);
        ensure!(said.contains("HTTP/1.1 4"), "{port}: {said}");
        let got = said.contains("Post-Handshake New Session Ticket arrived");
        ensure!(got == tickets, "{port}: tickets {got}: {said}");
    }
    bench.passed()
}
