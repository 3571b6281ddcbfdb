//! `zonecast-crowd`: viewers in a process of their own, which are there until its input ends.
//!
//! A process has so many descriptors, so a crowd of tens of thousands takes several. Says `open`
//! once all have connected and had a response (or asked for one, if they stall), and at the end
//! how many are left.
#![forbid(unsafe_code)]

use std::io::{Read as _, Write as _};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, Result};
use clap::Parser;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use zonecast_load::content::Objects;
use zonecast_load::{Load, Pace, Spec, tls, usage};

/// Viewers of objects that a server has already.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    #[arg(long)]
    target: SocketAddr,
    #[arg(long)]
    folder: String,
    /// By TLS, trusting this certificate
    #[arg(long)]
    root: Option<PathBuf>,
    #[arg(long)]
    seed: u64,
    #[arg(long)]
    objects: usize,
    #[arg(long)]
    size: usize,
    #[arg(long)]
    connections: usize,
    /// They ask again and again, after so many milliseconds; otherwise once
    #[arg(long)]
    interval_ms: Option<u64>,
    /// They ask and do not read, and have a receive buffer of so many bytes
    #[arg(long)]
    stalled_buffer: Option<usize>,
    #[arg(long)]
    cpu: usize,
    #[arg(long)]
    open_within_s: u64,
}

/// How long the load goes on before it is seen whether the input has ended.
const TURN: Duration = Duration::from_millis(100);

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("crowd: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<()> {
    usage::pin(arguments.cpu).context("cannot stay on the generator's CPU")?;
    let mut load = Load::open(spec(arguments)?)?;
    say("open")?;
    let ended = Arc::new(AtomicBool::new(false));
    let sees = Arc::clone(&ended);
    std::thread::spawn(move || {
        let _ = std::io::stdin().read(&mut [0]);
        sees.store(true, Ordering::Relaxed);
    });
    while !ended.load(Ordering::Relaxed) {
        load.run(TURN)?;
    }
    say(&load.alive().to_string())
}

fn spec(arguments: &Arguments) -> Result<Spec> {
    let objects = Objects::make(arguments.seed, arguments.objects, arguments.size);
    let mut spec = Spec::new(arguments.target, &arguments.folder, Arc::new(objects));
    if let Some(root) = &arguments.root {
        let root = CertificateDer::from_pem_file(root)
            .with_context(|| format!("{} is no certificate", root.display()))?;
        spec.tls = Some(Arc::new(tls::client(root, false)?));
    }
    spec.connections = arguments.connections;
    spec.open_within = Duration::from_secs(arguments.open_within_s);
    spec.receive_buffer = arguments.stalled_buffer;
    spec.pace = match (arguments.stalled_buffer, arguments.interval_ms) {
        (Some(_), _) => Pace::Stalled,
        (None, Some(millis)) => Pace::Every(Duration::from_millis(millis)),
        (None, None) => Pace::Once,
    };
    Ok(spec)
}

fn say(line: &str) -> Result<()> {
    let mut out = std::io::stdout();
    writeln!(out, "{line}")?;
    Ok(out.flush()?)
}
