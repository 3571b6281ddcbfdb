//! Browsers: hls.js and shaka-player in Chromium play real encoders' live streams over HTTPS,
//! from a page of another origin, while every encoder is killed and started again.
//!
//! The pages, and the program that drives the browser, are in `tests/players`. What each play
//! is held to is in `rule.rs`.
#![allow(missing_docs)]

mod browser;
mod install;
mod plays;
mod rule;

use std::net::SocketAddr;
use std::time::Instant;

use anyhow::{Result, ensure};
use rustix::process::Signal;
use zonecast_perf::child::Child;
use zonecast_tests::bench::Bench;
use zonecast_tests::encoder::Encoder;
use zonecast_tests::{PATIENCE, have, seconds, until};

use browser::Browser;
use plays::{BEHIND_SECONDS, PLAYS, Play};
use rule::{Outage, Watched, segments};

/// When the encoders are killed, in seconds after all players have begun.
const KILLED_AFTER: f64 = 11.0;
/// How long they are away, in seconds: without buffers everything would stop for longer.
const AWAY: f64 = 4.0;

fn encoders(bench: &Bench, address: SocketAddr, run: u32) -> Result<Vec<Child>> {
    let start = |play: &Play| {
        // In the path, since ffmpeg reads its own playlist without `-headers`.
        let url = format!(
            "http://{address}/ingest/{}/{}",
            bench.config.token, play.stream
        );
        let mut encoder = Encoder::new(play.shape, url, "");
        encoder.options = play.options();
        encoder.start(bench, &format!("{}-{run}", play.stream))
    };
    PLAYS.iter().map(start).collect()
}

/// Each player plays its stream for half a minute. Nothing stops until the encoders die; then
/// each player goes on by itself, and has stood for no longer than there was nothing new.
#[tokio::test]
async fn players_outlive_their_encoders() -> Result<()> {
    if !have(&["ffmpeg", "chromium", "node"]) || !install::packages().await? {
        return Ok(());
    }
    let bench = Bench::with_streams("players", &PLAYS.map(|play| play.stream)).await?;
    let (tee, ledger) = bench.tee()?;
    let mut running = encoders(&bench, tee.address(), 1)?;
    let ready = |play: &Play| segments(&ledger, play.stream).len() > BEHIND_SECONDS as usize;
    until("segments to begin with", || async {
        PLAYS.iter().all(ready)
    })
    .await?;

    let mut browser = Browser::start(&bench)?;
    browser.begun().await?;
    seconds(KILLED_AFTER).await;
    for encoder in &mut running {
        encoder.stop(Signal::KILL, PATIENCE).await?;
    }
    let killed = Instant::now();
    seconds(AWAY).await;
    running = encoders(&bench, tee.address(), 2)?;
    let events = browser.finish().await?;
    drop(running);

    let mut broken = Vec::new();
    for play in &PLAYS {
        let watched = Watched::of(&events, &play.name())?;
        let outage = Outage::of(&segments(&ledger, play.stream), killed)?;
        println!("{}: {watched}; {outage}", play.name());
        broken.extend(rule::broken(play, &watched, &outage));
    }
    broken.extend(rule::cors_broken(&events)?);
    ensure!(broken.is_empty(), "{}", broken.join("\n"));
    bench.passed()
}
