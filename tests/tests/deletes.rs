//! Encoders delete what viewers still play: it stays readable within the grace, and goes
//! after it.
#![allow(missing_docs)]

use std::time::Duration;

use anyhow::{Result, ensure};
use zonecast_tests::bench::Bench;
use zonecast_tests::encoder::{Encoder, Shape};
use zonecast_tests::tool::{play, status};
use zonecast_tests::watching::Watching;
use zonecast_tests::{PATIENCE, have, seconds, until};

/// `-hls_flags delete_segments` with a short window: a segment is deleted as soon as its
/// playlist has dropped it, and viewers miss none.
#[tokio::test]
async fn viewers_do_not_notice_deletes() -> Result<()> {
    if !have(&["ffmpeg", "curl"]) {
        return Ok(());
    }
    let bench = Bench::with_streams("deletes", &["news"]).await?;
    let (tee, ledger) = bench.tee()?;
    let url = bench.ingest_url(tee.address(), "news");
    let mut encoder = Encoder::new(Shape::Ts, url, &bench.config.token);
    encoder.persistent = true;
    encoder.seconds = Some(9);
    encoder.options =
        "-hls_list_size 3 -hls_delete_threshold 1 -hls_flags delete_segments".to_owned();
    let mut child = encoder.start(&bench, "encoder")?;
    let watching = Watching::start(&bench, &ledger, "news", 4)?;
    child.wait(PATIENCE).await?;
    let (followed, counts, findings) = watching.finish(Duration::from_secs(5)).await;
    ensure!(
        counts.clean() && counts.lapped == 0,
        "{counts:?}\n{findings}\n{}",
        ledger.describe()
    );
    ensure!(
        followed.len() == 4 && followed.iter().all(|one| one.ended && one.segments >= 5),
        "{followed:?}\n{}",
        ledger.describe()
    );
    ensure!(
        ledger.deleted_at("news/live0.ts").is_some(),
        "{}",
        ledger.describe()
    );
    // Past the grace of three segments it is gone.
    let oldest = bench.url("news/live0.ts");
    until("410 or 404", || async {
        status(&bench, &[&oldest])
            .await
            .is_ok_and(|code| code == 410 || code == 404)
    })
    .await?;
    bench.passed()
}

/// At its exit (`-remove_at_exit 1`) a DASH encoder deletes all that it ever sent, manifest
/// and init segments too: who is still playing goes on within the grace.
#[tokio::test]
async fn an_encoders_exit_does_not_stop_viewers() -> Result<()> {
    if !have(&["ffmpeg", "ffprobe", "curl"]) {
        return Ok(());
    }
    let mut bench = Bench::new("exit")?;
    bench.config.add_streams(["news"]);
    bench.config.limits = "delete_grace_segments = 8".to_owned();
    bench.start().await?;
    let (tee, ledger) = bench.tee()?;
    let url = bench.ingest_url(tee.address(), "news");
    let mut encoder = Encoder::new(Shape::Dash, url, &bench.config.token);
    encoder.seconds = Some(5);
    encoder.options = "-remove_at_exit 1".to_owned();
    encoder.start(&bench, "encoder")?.wait(PATIENCE).await?;
    let segment = "news/chunk-stream0-00005.m4s";
    until("the deletes", || async {
        ledger.deleted_at(segment).is_some()
    })
    .await?;
    seconds(1.0).await;
    let played = play(&bench.url("news/live.mpd"), None).await?;
    ensure!(played.video == 125, "{played:?}\n{}", ledger.describe());
    let segment = bench.url(segment);
    until("410 or 404", || async {
        status(&bench, &[&segment])
            .await
            .is_ok_and(|code| code == 410 || code == 404)
    })
    .await?;
    bench.passed()
}
