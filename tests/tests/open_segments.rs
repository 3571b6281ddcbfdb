//! Viewers of segments that are still being encoded: they follow the upload, and where the
//! encoder dies in the middle they are told so, never given a wrong byte.
#![allow(missing_docs)]

use std::collections::BTreeSet;
use std::sync::Arc;

use anyhow::{Context, Result, bail, ensure};
use rustix::process::Signal;
use zonecast_perf::client::{ClientError, Connection, Response, Want};
use zonecast_perf::ledger::{Judgement, Ledger, State};
use zonecast_perf::tee::Tee;
use zonecast_tests::bench::Bench;
use zonecast_tests::encoder::{Encoder, Shape};
use zonecast_tests::tool::play;
use zonecast_tests::{PATIENCE, have, seconds, until};

const VIDEO: &str = "news/chunk-stream0-";

/// The video segment whose upload is open, if one is.
fn open_segment(ledger: &Ledger) -> Option<String> {
    let keys = ledger.keys();
    let open = keys
        .iter()
        .filter(|key| key.starts_with(VIDEO))
        .find(|key| {
            let versions = ledger.versions(key);
            matches!(
                versions.last().map(|version| &version.state),
                Some(State::Open)
            )
        });
    open.map(|key| key.to_string())
}

/// Waits for the next video segment whose upload opens, other than `known` ones.
async fn next_segment(ledger: &Ledger, known: &mut BTreeSet<String>) -> Result<String> {
    let mut found = None;
    until("an open segment", || {
        found = open_segment(ledger).filter(|key| !known.contains(key));
        let is_there = found.is_some();
        async move { is_there }
    })
    .await?;
    let key = found.context("it was found")?;
    known.insert(key.clone());
    Ok(key)
}

async fn bench() -> Result<(Bench, Tee, Arc<Ledger>, Encoder)> {
    let bench = Bench::with_streams("open", &["news"]).await?;
    let (tee, ledger) = bench.tee()?;
    let url = bench.ingest_url(tee.address(), "news");
    let encoder = Encoder::new(Shape::LowLatency, url, &bench.config.token);
    Ok((bench, tee, ledger, encoder))
}

async fn get(bench: &Bench, key: &str) -> Result<Response, ClientError> {
    let mut connection = Connection::open(&bench.target()).await?;
    connection.get(&format!("/live/{key}"), Want::HASH).await
}

fn judge(ledger: &Ledger, key: &str, response: &Response) -> Judgement {
    let Response {
        sha256,
        length,
        asked,
        last_byte,
        ..
    } = response;
    ledger.judge(key, sha256, *length, *asked, *last_byte)
}

/// `-streaming 1 -ldash 1`: the first byte reaches a viewer before the upload ends, most of
/// a second before, and the whole is what the tee saw; a second viewer who comes in the
/// middle gets the same.
#[tokio::test]
async fn a_segment_is_read_while_it_is_encoded() -> Result<()> {
    if !have(&["ffmpeg", "ffprobe"]) {
        return Ok(());
    }
    let (bench, _tee, ledger, encoder) = bench().await?;
    let _encoder = encoder.start(&bench, "encoder")?;
    let mut known = BTreeSet::new();
    for _ in 0..3 {
        let key = next_segment(&ledger, &mut known).await?;
        let late = async {
            seconds(0.4).await;
            get(&bench, &key).await
        };
        let (early, late) = tokio::join!(get(&bench, &key), late);
        for response in [early?, late?] {
            ensure!(response.status() == 200, "{key}: {}", response.status());
            let ended = match ledger
                .versions(&key)
                .last()
                .map(|version| version.state.clone())
            {
                Some(State::Complete { at, .. }) => at,
                state => bail!("{key}: {state:?} though a viewer had all of it"),
            };
            ensure!(
                response.first_byte < ended,
                "{key}: the first byte came {:?} after the upload's end",
                response.first_byte - ended
            );
            ensure!(
                response.field("content-length").is_none(),
                "{key}: it had a length"
            );
            let judged = judge(&ledger, &key, &response);
            ensure!(
                matches!(judged, Judgement::Right { .. }),
                "{key}: {judged:?}"
            );
        }
    }
    play(&bench.url("news/live.mpd"), Some(1)).await?;
    bench.passed()
}

/// An encoder that is killed in mid-segment: who reads that segment is cut off without a
/// final chunk, who asks then is told 404 or 503 or waits, and after its restart the same
/// names are new generations with new ETags. Nobody gets bytes that no upload had.
#[tokio::test]
async fn killed_in_mid_segment_and_restarted() -> Result<()> {
    if !have(&["ffmpeg"]) {
        return Ok(());
    }
    let (bench, _tee, ledger, encoder) = bench().await?;
    let mut first = encoder.start(&bench, "first")?;
    let mut known = BTreeSet::new();
    let whole = next_segment(&ledger, &mut known).await?;
    let before = get(&bench, &whole).await?;
    let cut = next_segment(&ledger, &mut known).await?;
    let kill = async {
        seconds(0.4).await;
        first.stop(Signal::KILL, PATIENCE).await
    };
    let (reader, _killed) = tokio::join!(get(&bench, &cut), kill);
    match reader {
        Err(ClientError::Truncated {
            status: 200, got, ..
        }) => {
            ensure!(got > 0, "{cut}: the viewer had no byte of it");
        }
        other => bail!("{cut}: cut in the middle, but its viewer got {other:?}"),
    }
    let after = get(&bench, &cut).await?;
    ensure!(
        [404, 410, 503].contains(&after.status()),
        "{cut}: {} after its upload was cut",
        after.status()
    );
    ensure!(
        after.field("cache-control") == Some("no-store"),
        "{cut}: {:?}",
        after.head
    );
    let _second = encoder.start(&bench, "second")?;
    until("the whole segment anew", || async {
        let versions = ledger.versions(&whole);
        versions.len() > 1 && versions.iter().all(|version| version.settled().is_some())
    })
    .await?;
    let again = get(&bench, &whole).await?;
    ensure!(
        before.field("etag").is_some() && before.field("etag") != again.field("etag"),
        "{whole}: {:?} again",
        again.field("etag")
    );
    // The cut segment, too, comes again whole.
    until("the cut segment anew", || async {
        let versions = ledger.versions(&cut);
        versions
            .last()
            .is_some_and(|version| version.settled().is_some())
    })
    .await?;
    let mended = get(&bench, &cut).await?;
    for (key, response) in [(&whole, &before), (&whole, &again), (&cut, &mended)] {
        ensure!(response.status() == 200, "{key}: {}", response.status());
        let judged = judge(&ledger, key, response);
        ensure!(
            matches!(judged, Judgement::Right { .. }),
            "{key}: {judged:?}"
        );
    }
    bench.passed()
}
