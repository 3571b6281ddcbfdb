//! The servers that are compared: each started for one run, on the server's CPU, and ended
//! when it is dropped.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use clap::ValueEnum;
use rustix::process::{Pid, Signal};
use rustix::thread::{CpuSet, sched_setaffinity};
use tokio::runtime::{Builder, Runtime};
use zonecast_load::usage;
use zonecast_perf::child::Child;
use zonecast_perf::daemon::Daemon;
use zonecast_perf::setup::Ports;

use crate::bed::Bed;
use crate::memory::Memory;

mod floor;
pub(crate) mod nginx;
mod ours;
pub(crate) mod ours_live;
mod programs;
pub(crate) mod redis;
mod upload;
mod varnish;

pub use ours::ring_bytes;
pub use programs::Programs;

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
    /// Varnish behind hitch, which seals.
    Varnish,
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
            Kind::Varnish => "varnish",
            Kind::Redis => "redis",
        }
    }
}

/// What keeps a server alive.
pub(crate) enum Process {
    /// The daemon.
    Daemon(Daemon),
    /// Anything else.
    Child(Child),
    /// Varnish, and what is before and behind it.
    Varnish(Box<varnish::Chain>),
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
    /// Another of its addresses, where it has one.
    pub other_target: Option<SocketAddr>,
    /// What the daemon took without any stream, where the bed asks for that.
    pub empty: Option<Memory>,
    runtime: Runtime,
}

impl Peer {
    /// Starts a server, gives it the objects, and keeps all its threads on the server's CPU.
    ///
    /// # Errors
    /// It does not start; with the end of its log.
    pub fn start(kind: Kind, bed: &Bed) -> Result<Peer> {
        let runtime = runtime()?;
        let entered = runtime.enter();
        // What is started here inherits the CPU; the daemon plans its loops by it.
        let cpus = bed.server_cpus();
        stay_on(None, &cpus)?;
        // Before the server starts: memory for both may be more than may be locked.
        let empty = bed
            .asks_empty
            .then(|| ours::memory_without_streams(bed, &runtime));
        let empty = empty.transpose().context("a daemon without streams")?;
        let started = match kind {
            Kind::Ours => ours::start(bed, &runtime),
            Kind::Nginx => nginx::start(bed).map(alone),
            Kind::Floor => floor::start(bed, bed.floor_records).map(alone),
            Kind::Varnish => varnish::start(bed).map(alone),
            Kind::Redis => Err(anyhow::anyhow!("it takes part in live scenarios only")),
        };
        usage::pin(bed.load_cpu)?;
        let (mut process, target, other_target) =
            started.with_context(|| format!("no {}", kind.label()))?;
        drop(entered);
        let child = process.child();
        let pid = child.id().context("the server has ended")?;
        listening(child, target)?;
        // hitch and Varnish do the work in a child of theirs.
        let pid = match kind {
            Kind::Varnish => varnish::worker(pid)?,
            _ => pid,
        };
        if cpus.len() == 1 {
            keep_on(pid, &cpus)?;
        }
        Ok(Peer {
            process,
            kind,
            pid,
            target,
            other_target,
            empty,
            runtime,
        })
    }

    /// Ends it.
    ///
    /// # Errors
    /// It had ended before.
    pub fn stop(mut self) -> Result<()> {
        self.process.still_runs()?;
        self.process.kill(&self.runtime)
    }
}

impl Process {
    pub(crate) fn child(&mut self) -> &mut Child {
        match self {
            Process::Daemon(daemon) => daemon.child(),
            Process::Child(child) => child,
            Process::Varnish(chain) => chain.front(),
        }
    }

    /// # Errors
    /// It had ended before.
    pub(crate) fn still_runs(&mut self) -> Result<()> {
        let child = self.child();
        if let Some(status) = child.ended()? {
            bail!(
                "{} ended during the run ({status}); its log ends:\n{}",
                child.name(),
                child.log_tail()
            );
        }
        Ok(())
    }

    /// Nothing is to be saved: a stop in order would wait for viewers.
    pub(crate) fn kill(&mut self, runtime: &Runtime) -> Result<()> {
        let killed = self.child().stop(Signal::KILL, READY_MAX);
        runtime.block_on(killed)?;
        Ok(())
    }
}

/// Children are tied to the thread that starts them: this one, by a runtime without others.
pub(crate) fn runtime() -> Result<Runtime> {
    Builder::new_current_thread()
        .enable_all()
        .build()
        .context("no runtime")
}

/// A server with one address.
fn alone((process, target): (Process, SocketAddr)) -> (Process, SocketAddr, Option<SocketAddr>) {
    (process, target, None)
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

/// Keeps every thread of a process on some CPUs, whatever the threads chose themselves.
pub(crate) fn keep_on(pid: u32, cpus: &[usize]) -> Result<()> {
    for thread in threads(pid)? {
        stay_on(Some(thread), cpus)?;
    }
    Ok(())
}

/// Keeps a thread on some CPUs: this one, or another.
fn stay_on(thread: Option<Pid>, cpus: &[usize]) -> Result<()> {
    let mut set = CpuSet::new();
    for &cpu in cpus {
        set.set(cpu);
    }
    sched_setaffinity(thread, &set).context("a thread cannot be pinned")
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
