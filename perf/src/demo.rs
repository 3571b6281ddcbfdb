//! The demo: a daemon, two encoders, fifty viewers, a page and a verdict, in that order,
//! and all of it gone again at the end.
//!
//! Ctrl-C ends a run in order, with its verdict; a second one at once. On every way out
//! the children are killed when their handles are dropped.

use std::io::{IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use crate::verdict::Evidence;

mod ending;
mod run;
mod stage;

use stage::Stage;

/// What the demo is asked for.
#[derive(Debug, Clone)]
pub struct Options {
    /// The daemon's binary.
    pub zonecast: PathBuf,
    /// The encoder's binary.
    pub ffmpeg: PathBuf,
    /// End after so many seconds; `None` runs until Ctrl-C.
    pub seconds: Option<u32>,
    /// Viewers that follow both streams.
    pub viewers: u32,
    /// Where everything is written; `None` for a folder of its own that goes when all is well.
    pub work_dir: Option<PathBuf>,
    /// The daemon's zones.
    pub zones: String,
    /// Video width and height.
    pub size: (u32, u32),
    /// A line a second instead of a screen.
    pub plain_summary: bool,
}

/// How often Ctrl-C (or SIGTERM) came.
pub(crate) type Interrupts = watch::Receiver<u32>;

/// Does it all, printing as it goes; whether it passed.
///
/// # Errors
/// Something could not be set up, or the run was interrupted before it had begun.
pub async fn run(options: &Options) -> Result<bool> {
    let interrupts = interrupts()?;
    let mut twice = interrupts.clone();
    tokio::select! {
        passed = in_folder(options, interrupts) => passed,
        _ = twice.wait_for(|count| *count >= 2) => bail!("interrupted twice: all is killed"),
    }
}

fn interrupts() -> Result<Interrupts> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let (count, interrupts) = watch::channel(0);
    tokio::spawn(async move {
        loop {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            count.send_modify(|count| *count += 1);
        }
    });
    Ok(interrupts)
}

async fn in_folder(options: &Options, interrupts: Interrupts) -> Result<bool> {
    ensure!(
        crate::ffmpeg::available(&options.ffmpeg),
        "{} cannot be started: install ffmpeg",
        options.ffmpeg.display()
    );
    let temporary = match &options.work_dir {
        Some(_) => None,
        None => Some(
            tempfile::Builder::new()
                .prefix("zonecast-demo-")
                .tempdir()?,
        ),
    };
    let folder = match (&options.work_dir, &temporary) {
        (Some(folder), _) => folder.clone(),
        (None, Some(temporary)) => temporary.path().to_owned(),
        (None, None) => bail!("no work folder"),
    };
    std::fs::create_dir_all(&folder)
        .and_then(|()| folder.canonicalize())
        .with_context(|| format!("cannot make {}", folder.display()))?;
    let outcome = perform(options, &folder, interrupts).await;
    if let (Some(temporary), Ok(false) | Err(_)) = (temporary, &outcome) {
        // Keeps the logs.
        let _ = temporary.keep();
    }
    outcome.with_context(|| format!("the logs are in {}", folder.display()))
}

async fn perform(options: &Options, folder: &Path, mut interrupts: Interrupts) -> Result<bool> {
    let mut early = interrupts.clone();
    let mut stage = tokio::select! {
        stage = Stage::start(options, folder) => stage?,
        _ = early.changed() => bail!("interrupted"),
    };
    let plain = options.plain_summary || !std::io::stdout().is_terminal();
    let addresses = stage.addresses();
    show(&addresses);
    let shown = if plain {
        None
    } else {
        Some(addresses.as_str())
    };
    let ended = run::run(&mut stage, &mut interrupts, options.seconds, shown).await;
    show("stopping: encoders first, then viewers at the end of their playlists, then the daemon");
    let (tally, ledger) = stage.records();
    let evidence = ending::end(stage, ended).await;
    let findings: Vec<String> = tally
        .findings()
        .iter()
        .map(|found| format!("{found}\n"))
        .collect();
    for (name, text) in [
        ("findings.log", findings.concat()),
        ("uploads.log", ledger.describe()),
    ] {
        std::fs::write(folder.join(name), text).with_context(|| format!("cannot write {name}"))?;
    }
    Ok(conclude(&evidence, folder))
}

fn conclude(evidence: &Evidence, folder: &Path) -> bool {
    let (passed, line) = evidence.line();
    if !passed {
        for reason in evidence.reasons() {
            show(&format!("  because {reason}"));
        }
        let folder = folder.display();
        show(&format!(
            "  {folder}: findings.log, uploads.log (the tee), daemon.log, ffmpeg-*.log"
        ));
    }
    show(&line);
    passed
}

/// Prints; a terminal that has gone is no reason to stop.
pub(crate) fn show(text: &str) {
    let mut out = std::io::stdout();
    let _ = writeln!(out, "{text}");
    let _ = out.flush();
}

/// How long the daemon may take to be ready, and to drain.
pub(crate) const DAEMON_MAX: Duration = Duration::from_secs(20);
