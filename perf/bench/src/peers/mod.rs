//! The servers that are compared: each started for one run, on the server's CPU, and ended
//! when it is dropped.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use clap::ValueEnum;
use rustix::process::Pid;
use rustix::thread::{CpuSet, sched_setaffinity};
use zonecast_load::usage;
use zonecast_perf::child::Child;
use zonecast_perf::daemon::Daemon;
use zonecast_perf::setup::Ports;

use crate::bed::Bed;
use crate::cli::Arguments;

mod floor;
pub(crate) mod nginx;
mod ours;
pub(crate) mod ours_live;
pub(crate) mod redis;
mod upload;

/// A server must take connections within this time.
pub(crate) const READY_MAX: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(20);

/// Which server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Kind {
    /// The daemon.
    Ours,
    /// nginx.
    Nginx,
    /// The floor program.
    Floor,
    /// Redis, a subscriber that writes files, and nginx (live scenarios).
    Redis,
}

impl Kind {
    /// Its name in tables.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Kind::Ours => "ours",
            Kind::Nginx => "nginx",
            Kind::Floor => "floor",
            Kind::Redis => "redis",
        }
    }
}

/// The binaries.
#[derive(Debug, Clone)]
pub struct Programs {
    /// The daemon.
    pub zonecast: PathBuf,
    /// The floor program.
    pub floor: PathBuf,
    /// nginx.
    pub nginx: PathBuf,
    /// Redis.
    pub redis: PathBuf,
    /// What speaks TLS for it.
    pub stunnel: PathBuf,
    /// What writes files of what Redis publishes.
    pub subscriber: PathBuf,
}

impl Programs {
    /// Makes sure that what will be started is there.
    ///
    /// # Errors
    /// It is not; with what to do about it.
    pub fn find(arguments: &Arguments, kinds: &[Kind]) -> Result<Programs> {
        let programs = Programs {
            zonecast: arguments.zonecast.clone(),
            floor: arguments.floor.clone(),
            nginx: on_path(&arguments.nginx),
            redis: on_path(Path::new("redis-server")),
            stunnel: on_path(Path::new("stunnel")),
            subscriber: std::env::current_exe()?.with_file_name("zonecast-subscriber"),
        };
        let daemon = (
            &programs.zonecast,
            "cargo build --release -p zonecast builds it",
        );
        let built = "cargo build --release -p zonecast-bench builds it";
        let nginx = (
            &programs.nginx,
            "cargo xtask setup installs it (nginx-light)",
        );
        for kind in kinds {
            let needed = match kind {
                Kind::Ours => vec![daemon],
                Kind::Nginx => vec![nginx],
                Kind::Floor => vec![(&programs.floor, built)],
                Kind::Redis => vec![
                    nginx,
                    (
                        &programs.redis,
                        "cargo xtask setup bench installs it (redis-server)",
                    ),
                    (
                        &programs.stunnel,
                        "cargo xtask setup bench installs it (stunnel4)",
                    ),
                    (&programs.subscriber, built),
                ],
            };
            for (program, hint) in needed {
                if !program.is_file() {
                    bail!("{} is not there; {hint}", program.display());
                }
            }
        }
        Ok(programs)
    }
}

/// A name without a folder is looked for on the PATH, and where daemons are.
fn on_path(program: &Path) -> PathBuf {
    if program.components().count() > 1 {
        return program.to_owned();
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain([PathBuf::from("/usr/sbin")])
        .map(|folder| folder.join(program))
        .find(|file| file.is_file())
        .unwrap_or_else(|| program.to_owned())
}

/// What keeps a server alive.
pub(crate) enum Process {
    /// The daemon.
    Daemon(Daemon),
    /// Anything else.
    Child(Child),
}

/// A running server that serves the bed's objects.
pub struct Peer {
    process: Process,
    /// Which one.
    pub kind: Kind,
    /// Its process.
    pub pid: u32,
    /// Where viewers connect: by TLS, or in plain where the bed says so.
    pub target: SocketAddr,
    runtime: tokio::runtime::Runtime,
}

impl Peer {
    /// Starts a server, gives it the objects, and keeps all its threads on the server's CPU.
    ///
    /// # Errors
    /// It does not start; with the end of its log.
    pub fn start(kind: Kind, bed: &Bed) -> Result<Peer> {
        // Children are tied to the thread that starts them: this one, by a runtime without others.
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .context("no runtime")?;
        let entered = runtime.enter();
        // What is started here inherits the CPU; the daemon plans its loops by it.
        usage::pin(bed.server_cpu)?;
        let started = match kind {
            Kind::Ours => ours::start(bed, &runtime),
            Kind::Nginx => nginx::start(bed),
            Kind::Floor => floor::start(bed, bed.floor_records),
            Kind::Redis => Err(anyhow::anyhow!("it takes part in live scenarios only")),
        };
        usage::pin(bed.load_cpu)?;
        let (mut process, target) = started.with_context(|| format!("no {}", kind.label()))?;
        drop(entered);
        let child = process.child();
        let pid = child.id().context("the server has ended")?;
        listening(child, target)?;
        keep_on(pid, bed.server_cpu)?;
        Ok(Peer {
            process,
            kind,
            pid,
            target,
            runtime,
        })
    }

    /// Ends it.
    ///
    /// # Errors
    /// It had ended before.
    pub fn stop(mut self) -> Result<()> {
        let child = self.process.child();
        if let Some(status) = child.ended()? {
            bail!(
                "{} ended during the run ({status}); its log ends:\n{}",
                self.kind.label(),
                child.log_tail()
            );
        }
        // Nothing is to be saved: a stop in order would wait for viewers.
        let killed = child.stop(rustix::process::Signal::KILL, READY_MAX);
        self.runtime.block_on(killed)?;
        Ok(())
    }
}

impl Process {
    pub(crate) fn child(&mut self) -> &mut Child {
        match self {
            Process::Daemon(daemon) => daemon.child(),
            Process::Child(child) => child,
        }
    }
}

/// One free port, and the address with it.
pub(crate) fn free_address() -> Result<SocketAddr> {
    Ok(Ports::four(Ports::pick()?.https))
}

/// Waits until a server takes connections.
pub(crate) fn listening(child: &mut Child, target: SocketAddr) -> Result<()> {
    let deadline = Instant::now() + READY_MAX;
    loop {
        if std::net::TcpStream::connect(target).is_ok() {
            return Ok(());
        }
        if let Some(status) = child.ended()? {
            bail!("it ended at once ({status}): {}", child.log_tail());
        }
        if Instant::now() > deadline {
            bail!(
                "it does not listen within {READY_MAX:?}: {}",
                child.log_tail()
            );
        }
        std::thread::sleep(POLL);
    }
}

/// Keeps every thread of a process on one CPU, whatever the threads chose themselves.
pub(crate) fn keep_on(pid: u32, cpu: usize) -> Result<()> {
    let mut set = CpuSet::new();
    set.set(cpu);
    for thread in threads(pid)? {
        sched_setaffinity(Some(thread), &set).context("a thread cannot be pinned")?;
    }
    Ok(())
}

/// The threads of a process.
///
/// # Errors
/// There is no such process.
pub fn threads(pid: u32) -> Result<Vec<Pid>> {
    let folder = std::fs::read_dir(format!("/proc/{pid}/task")).context("the server has ended")?;
    let ids = folder
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter_map(Pid::from_raw);
    Ok(ids.collect())
}
