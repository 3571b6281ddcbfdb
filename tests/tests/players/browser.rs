//! The program that drives the browser (`tests/players/run.mjs`), and its lines.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use zonecast_perf::child::Child;
use zonecast_tests::bench::Bench;
use zonecast_tests::seconds;

use crate::install::folder;
use crate::plays::{BEHIND_SECONDS, GOAL_SECONDS, PLAYS, Play};

/// For how long the players are watched, in seconds.
const WATCHED: u32 = 30;
/// Beyond what is watched: how long starting and ending may take on a busy machine.
const SLACK: Duration = Duration::from_secs(90);
const LOOK_SECONDS: f64 = 0.1;

/// The running program. It is killed when dropped, and the browser ends with it, since the
/// pipe through which it is driven does.
#[derive(Debug)]
pub(crate) struct Browser {
    child: Child,
    log: PathBuf,
    deadline: Instant,
}

impl Browser {
    /// Starts a fresh browser with a page for each play.
    pub(crate) fn start(bench: &Bench) -> Result<Browser> {
        let log = bench.folder().join("players.log");
        let mut command = Command::new("node");
        command
            .arg("run.mjs")
            .arg(job(bench)?.to_string())
            .current_dir(folder());
        Ok(Browser {
            child: Child::start("players", command, &log)?,
            log,
            deadline: Instant::now() + SLACK + Duration::from_secs(WATCHED.into()),
        })
    }

    /// Waits until all players play.
    pub(crate) async fn begun(&mut self) -> Result<()> {
        loop {
            let ended = self.child.ended()?.is_some();
            if of_kind(&events(&self.log)?, "begun").next().is_some() {
                return Ok(());
            }
            if ended || Instant::now() > self.deadline {
                bail!("not all players play; {}", self.last_words()?);
            }
            seconds(LOOK_SECONDS).await;
        }
    }

    /// Waits for the end: everything that was said.
    pub(crate) async fn finish(mut self) -> Result<Vec<Value>> {
        let patience = self.deadline.saturating_duration_since(Instant::now());
        let status = self.child.wait(patience).await?;
        if !status.is_some_and(|status| status.success()) {
            bail!("the browser's program: {status:?}; {}", self.last_words()?);
        }
        events(&self.log)
    }

    /// What went wrong, as far as it is said.
    fn last_words(&self) -> Result<String> {
        let events = events(&self.log)?;
        let failed: Vec<String> = of_kind(&events, "failed").map(Value::to_string).collect();
        Ok(format!("{}\n{}", failed.join("\n"), self.child.log_tail()))
    }
}

fn job(bench: &Bench) -> Result<Value> {
    let profile = bench.folder().join("browser");
    let plays: Vec<Value> = PLAYS
        .iter()
        .map(|play: &Play| {
            let url = bench.url(&format!("{}/{}", play.stream, play.shape.entry()));
            json!({ "name": play.name(), "player": play.player, "url": url })
        })
        .collect();
    Ok(json!({
        "chromium": program("chromium").context("no chromium on the PATH")?,
        "profile": profile,
        "certificate": bench.config.certificate.chain_file,
        "behind": BEHIND_SECONDS,
        "goal": GOAL_SECONDS,
        "seconds": WATCHED,
        "plays": plays,
        "probe": bench.url("shaka-dash/init-stream0.m4s"),
    }))
}

fn program(name: &str) -> Option<PathBuf> {
    let folders = std::env::var_os("PATH")?;
    std::env::split_paths(&folders)
        .map(|folder| folder.join(name))
        .find(|file| file.is_file())
}

/// The whole lines that are there; what is no JSON (a warning of node's) is left out.
fn events(log: &Path) -> Result<Vec<Value>> {
    let text = std::fs::read_to_string(log)?;
    let lines = text
        .split_inclusive('\n')
        .filter(|line| line.ends_with('\n'));
    Ok(lines
        .filter_map(|line| serde_json::from_str(line).ok())
        .collect())
}

/// The events of one kind.
pub(crate) fn of_kind<'e>(events: &'e [Value], kind: &'e str) -> impl Iterator<Item = &'e Value> {
    events.iter().filter(move |event| event["event"] == kind)
}
