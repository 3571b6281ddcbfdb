//! `zonecast-demo`: see the library's `demo` module.
#![forbid(unsafe_code)]

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Parser;
use zonecast_perf::demo;

/// Two live streams, fifty viewers that check every byte, a page to watch, a verdict.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    /// The daemon's binary
    #[arg(long, value_name = "PATH")]
    zonecast: PathBuf,
    /// End after so many seconds (default: at Ctrl-C)
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(6..))]
    seconds: Option<u32>,
    /// Viewers, each of which follows both streams
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    viewers: u32,
    /// Where configuration and logs go (default: a folder of its own, removed when all is well)
    #[arg(long, value_name = "FOLDER")]
    work_dir: Option<PathBuf>,
    /// The daemon's zones
    #[arg(long, default_value = "virtual:2")]
    zones: String,
    /// Video size (default: 1280x720, or 960x540 on fewer than four CPUs)
    #[arg(long, value_name = "WxH", value_parser = size)]
    video: Option<(u32, u32)>,
    /// The encoder
    #[arg(long, value_name = "PATH", default_value = "ffmpeg")]
    ffmpeg: PathBuf,
    /// A line a second instead of a screen
    #[arg(long)]
    plain_summary: bool,
}

fn main() -> ExitCode {
    match run(Arguments::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("demo: FAIL {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: Arguments) -> Result<bool> {
    let options = demo::Options {
        zonecast: arguments.zonecast,
        ffmpeg: arguments.ffmpeg,
        seconds: arguments.seconds,
        viewers: arguments.viewers,
        work_dir: arguments.work_dir,
        zones: arguments.zones,
        size: arguments.video.unwrap_or_else(size_here),
        plain_summary: arguments.plain_summary,
    };
    // Children are tied to the thread that starts them: this one, by a runtime without others.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("no runtime")?;
    runtime.block_on(demo::run(&options))
}

fn size(text: &str) -> Result<(u32, u32), String> {
    let parsed = text
        .split_once('x')
        .and_then(|(width, height)| Some((width.parse().ok()?, height.parse().ok()?)));
    parsed
        .filter(|(width, height)| [width, height].iter().all(|n| **n >= 64 && **n % 2 == 0))
        .ok_or_else(|| "give even numbers of at least 64, as 1280x720".to_owned())
}

/// Two encoders at 720p take about half a CPU; on a small machine viewers need it more.
fn size_here() -> (u32, u32) {
    match std::thread::available_parallelism() {
        Ok(cpus) if cpus.get() >= 4 => (1280, 720),
        _ => (960, 540),
    }
}
