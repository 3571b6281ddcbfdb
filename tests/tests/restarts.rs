//! Encoders and the daemon die and come back; viewers go on, with the right bytes.
#![allow(missing_docs)]

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use rustix::process::Signal;
use zonecast_tests::bench::Bench;
use zonecast_tests::encoder::{Encoder, Shape};
use zonecast_tests::tool::{play, status};
use zonecast_tests::watching::Watching;
use zonecast_tests::{PATIENCE, have, seconds, until};

/// An HLS encoder is killed and started again with the same names, twice: viewers who never
/// stop get each run's segments, none of them corrupt or of an older run.
#[tokio::test]
async fn an_encoder_comes_back_under_viewers() -> Result<()> {
    if !have(&["ffmpeg"]) {
        return Ok(());
    }
    let bench = Bench::with_streams("again", &["news"]).await?;
    let (tee, ledger) = bench.tee()?;
    let url = bench.ingest_url(tee.address(), "news");
    let mut encoder = Encoder::new(Shape::Fmp4, url, &bench.config.token);
    let mut watching = None;
    for (run, lasts) in [(0, 3.5), (1, 3.2)] {
        let mut child = encoder.start(&bench, &format!("run-{run}"))?;
        if watching.is_none() {
            watching = Some(Watching::start(&bench, &ledger, "news", 4)?);
        }
        seconds(lasts).await;
        child.stop(Signal::KILL, PATIENCE).await?;
    }
    encoder.seconds = Some(4);
    let mut last = encoder.start(&bench, "last")?;
    last.wait(PATIENCE).await?;
    let Some(watching) = watching else {
        return Ok(());
    };
    let (followed, counts, findings) = watching.finish(Duration::from_secs(5)).await;
    ensure!(
        counts.corrupt + counts.stale + counts.late == 0,
        "{counts:?}\n{findings}\n{}",
        ledger.describe()
    );
    ensure!(
        followed.len() == 4 && followed.iter().all(|one| one.ended && one.segments >= 6),
        "{followed:?}\n{findings}\n{}",
        ledger.describe()
    );
    bench.passed()
}

/// The daemon is killed under two running encoders, which repeat nothing: neither init
/// segment nor master playlist. Within three segments of the restart new viewers play both.
#[tokio::test]
async fn the_daemon_comes_back_under_encoders() -> Result<()> {
    if !have(&["ffmpeg", "ffprobe", "curl"]) {
        return Ok(());
    }
    let mut bench = Bench::with_streams("killed", &["hls", "dash"]).await?;
    let url = |stream| bench.ingest_url(bench.ingest(), stream);
    let mut hls = Encoder::new(Shape::Fmp4, url("hls"), &bench.config.token);
    hls.options = "-hls_list_size 4 -master_pl_name master.m3u8".to_owned();
    let mut dash = Encoder::new(Shape::Dash, url("dash"), &bench.config.token);
    dash.options = "-window_size 4 -extra_window_size 4".to_owned();
    dash.persistent = true;
    let mut encoders = [hls.start(&bench, "hls")?, dash.start(&bench, "dash")?];
    let entries = ["hls/master.m3u8", "dash/live.mpd"].map(|path| bench.url(path));
    let [master, manifest] = &entries;
    for entry in &entries {
        until(entry, || async { play(entry, Some(1)).await.is_ok() }).await?;
    }
    bench.kill().await?;
    // Across a segment boundary at least.
    seconds(1.3).await;
    bench.start().await?;
    let back = Instant::now();
    ensure!(
        status(&bench, &[master]).await? == 200,
        "the master playlist was not kept"
    );
    let mut took = Vec::new();
    for (entry, media) in [(master, "hls/live.m3u8"), (manifest, "dash/live.mpd")] {
        // Until the encoder's next playlist a new viewer has nothing to open.
        let media = bench.url(media);
        until(&media, || async {
            status(&bench, &[&media])
                .await
                .is_ok_and(|code| code == 200)
        })
        .await?;
        until(entry, || async { play(entry, Some(1)).await.is_ok() }).await?;
        took.push(back.elapsed());
    }
    // Three segments, and what starting ffprobe twice may cost on a busy machine.
    let limit = Duration::from_secs(3 + 4);
    ensure!(
        took.iter().all(|took| *took < limit),
        "{took:?} after the restart"
    );
    for encoder in &mut encoders {
        ensure!(
            encoder.ended()?.is_none(),
            "{}: {}",
            encoder.name(),
            encoder.log_tail()
        );
    }
    let streams = bench.daemon()?.streams().await?.to_string();
    ensure!(!streams.contains("no_init"), "{streams}");
    bench.passed()
}
