//! The load generator's live viewers and producers against the daemon: encoders by TLS, viewers
//! who follow playlists, viewers who ask for segments that are still being filled, and a crowd
//! with session tickets. Nobody may find an error; nothing here is about time.
#![allow(missing_docs)]

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, ensure};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use zonecast_load::live::{
    Arrivals, Board, LiveReport, LiveSpec, Media, Plan, Pool, ProduceSpec, Sink, Tally, Track,
    Verify, clients, run,
};
use zonecast_load::tls;
use zonecast_perf::setup::Ports;
use zonecast_tests::bench::Bench;

const STREAMS: usize = 3;
/// Longer than a busy machine keeps anybody waiting.
const PATIENT: Duration = Duration::from_secs(60);

/// Viewers and producers of a daemon that runs.
fn specs(bench: &Bench) -> Result<(LiveSpec, ProduceSpec)> {
    let track = |n| Track {
        playlist: format!("/live/b{n}/index.m3u8"),
        rate: 1e6 * (n + 1) as f64,
        weight: 1,
    };
    let tracks = (0..STREAMS).map(track).collect();
    let media = Arc::new(Media::make(11, tracks, Duration::from_secs(1)));
    let board = Arc::new(Board::new(STREAMS));
    let config = &bench.config;
    let root = CertificateDer::from_pem_file(&config.certificate.chain_file)?;
    let pool = Arc::new(Pool::default());
    let target = Ports::four(config.ports.https);
    let ramp = Arrivals::ramp(12, Duration::from_secs(1));
    let mut spec = LiveSpec::new(target, Arc::clone(&media), vec![ramp]);
    spec.tls = Some(clients(root.clone(), &pool)?);
    spec.verify = Verify::Media(4);
    (spec.cushion, spec.start_within) = (PATIENT, PATIENT);
    spec.board = Some(Arc::clone(&board));
    let sink = Sink::Http {
        targets: vec![bench.ingest()],
        tls: Some(Arc::new(tls::client(root, false)?)),
        token: Some(config.token.clone()),
    };
    let produce = ProduceSpec {
        sink,
        media,
        slices: 8,
        listed: 5,
        first: 0,
        preload: 3,
        board: Some(board),
    };
    Ok((spec, produce))
}

/// Until `enough`, which looks at all that came so far, or for a minute.
fn watch(
    (spec, produce): (LiveSpec, ProduceSpec),
    mut enough: impl FnMut(&Tally) -> bool,
) -> Result<LiveReport> {
    let plan = Plan {
        warm_up: Duration::ZERO,
        measured: PATIENT,
        cpus: Vec::new(),
    };
    let mut sum = Tally::default();
    let report = run(spec, Some(produce), &plan, |second| {
        sum.add(&second.tally);
        !enough(&sum)
    })?;
    ensure!(report.errors == 0, "{report}");
    ensure!(report.uploads_broken == 0, "{report}");
    Ok(report)
}

async fn bench(test: &str) -> Result<Bench> {
    let mut bench = Bench::new(test)?;
    bench.config.ingest_tls = true;
    bench.config.add_streams(["b0", "b1", "b2"]);
    bench.start().await?;
    Ok(bench)
}

/// Followers and a crowd: everything comes whole and in order, to those who open it and to those
/// who only count; tickets resume.
#[tokio::test]
async fn followers_and_a_crowd_find_no_error() -> Result<()> {
    let bench = bench("load-follow").await?;
    let (mut spec, produce) = specs(&bench)?;
    spec.arrivals.push("60@1+3/1~90%".parse()?);
    let report = watch((spec, produce), |sum| {
        sum.amounts.left >= 60 && sum.amounts.segments >= 150
    })?;
    ensure!(
        report.amounts.segments >= 150 && report.amounts.verified > 0,
        "{report}"
    );
    ensure!(
        report.amounts.verified < report.amounts.segments,
        "{report}"
    );
    ensure!(
        report.amounts.handshakes == 72 && report.amounts.resumed > 0,
        "{report}"
    );
    bench.passed()
}

/// Viewers at the edge: they are there before the segment, and get it while it is uploaded.
#[tokio::test]
async fn viewers_at_the_edge_find_no_error() -> Result<()> {
    let bench = bench("load-edge").await?;
    let (mut spec, produce) = specs(&bench)?;
    (spec.behind, spec.ahead) = (1, Some(Duration::from_millis(10)));
    let mut filling = 0;
    let report = watch((spec, produce), |sum| {
        filling = sum.live_first.len();
        filling >= 20
    })?;
    ensure!(filling >= 20, "{report}");
    bench.passed()
}
