//! `zonecast-load`: one load against a server that already serves the objects; or, with `live`,
//! viewers that follow live playlists, and producers.
#![forbid(unsafe_code)]

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use clap::{Parser, Subcommand};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use zonecast_load::content::Objects;
use zonecast_load::{Latency, Load, Pace, Spec, tls, usage};

mod live;

/// Plays many viewers on one thread, checks what comes, prints one line of JSON.
#[derive(Debug, Parser)]
#[command(
    version,
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true
)]
struct Command {
    #[command(subcommand)]
    other: Option<Other>,
    #[command(flatten)]
    arguments: Option<Arguments>,
}

#[derive(Debug, Subcommand)]
enum Other {
    /// Viewers that follow live HLS playlists, and producers that upload them
    Live(Box<live::Arguments>),
}

#[derive(Debug, clap::Args)]
struct Arguments {
    /// The server
    #[arg(long, value_name = "ADDRESS:PORT")]
    target: SocketAddr,
    /// Speak TLS and trust this certificate (PEM); without, plain HTTP
    #[arg(long, value_name = "FILE")]
    root: Option<PathBuf>,
    /// Where the objects are on the server
    #[arg(long, default_value = "/live/bench/")]
    folder: String,
    /// Write the objects into this folder, for a server to take them from, and end
    #[arg(long, value_name = "FOLDER")]
    write: Option<PathBuf>,
    /// What the objects are made from
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How many objects there are
    #[arg(long, default_value_t = 40)]
    objects: usize,
    /// Bytes of each
    #[arg(long, default_value_t = 500_000)]
    size: usize,
    /// Viewers
    #[arg(long, default_value_t = 64)]
    connections: usize,
    /// One of so many opens and compares all that it gets
    #[arg(long, default_value_t = 16)]
    verify_every: usize,
    /// Milliseconds between a viewer's requests; 0 is a closed loop
    #[arg(long, default_value_t = 0)]
    interval_ms: u64,
    /// How long to measure, after as long a warm-up of at most five seconds
    #[arg(long, default_value_t = 10)]
    seconds: u64,
    /// The CPU to stay on
    #[arg(long)]
    cpu: Option<usize>,
}

fn main() -> ExitCode {
    let command = Command::parse();
    let done = match (command.other, command.arguments) {
        (Some(Other::Live(arguments)), _) => live::run(&arguments),
        (None, Some(arguments)) => run(&arguments).map(|()| ExitCode::SUCCESS),
        (None, None) => Err(anyhow::anyhow!("nothing to do; --help says what there is")),
    };
    match done {
        Ok(code) => code,
        Err(error) => {
            eprintln!("load: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<()> {
    let objects = Arc::new(Objects::make(
        arguments.seed,
        arguments.objects,
        arguments.size,
    ));
    if let Some(folder) = &arguments.write {
        for number in 0..objects.count() {
            let path = folder.join(objects.name(number));
            std::fs::write(&path, objects.get(number))
                .with_context(|| format!("cannot write {}", path.display()))?;
        }
        return Ok(());
    }
    if let Some(cpu) = arguments.cpu {
        usage::pin(cpu).with_context(|| format!("cannot stay on CPU {cpu}"))?;
    }
    let mut spec = Spec::new(arguments.target, &arguments.folder, objects);
    if let Some(root) = &arguments.root {
        let root = CertificateDer::from_pem_file(root)
            .with_context(|| format!("{} is no certificate", root.display()))?;
        spec.tls = Some(Arc::new(tls::client(root, false)?));
    }
    spec.connections = arguments.connections;
    spec.verify_every = arguments.verify_every;
    if arguments.interval_ms > 0 {
        spec.pace = Pace::Every(Duration::from_millis(arguments.interval_ms));
    }
    let lasting = Duration::from_secs(arguments.seconds);
    let mut load = Load::open(spec)?;
    load.run(lasting.min(Duration::from_secs(5)))?;
    let _ = load.take_counts();
    let (began, thread) = (Instant::now(), usage::thread_time());
    load.run(lasting)?;
    let (took, thread) = (began.elapsed(), usage::thread_time() - thread);
    let counts = load.take_counts();
    let body = load.body_bytes(counts.wire_bytes);
    load.finish(Duration::from_secs(10))?;
    let report = serde_json::json!({
        "seconds": took.as_secs_f64(),
        "responses": counts.responses,
        "verified": counts.verified,
        "body_bytes": body,
        "behind": counts.behind,
        "missed": counts.missed,
        "first_byte": Latency::of(&counts.first_byte),
        "last_byte": Latency::of(&counts.last_byte),
        "own_cpu_share": thread.as_secs_f64() / took.as_secs_f64(),
    });
    println!("{report}");
    Ok(())
}
