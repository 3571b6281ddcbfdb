//! The servers of a live scenario: what takes streams, and what serves them.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use tokio::runtime::Runtime;
use zonecast_load::live::{Sink, Track};
use zonecast_load::usage;

use crate::bed::Bed;
use crate::peers::{self, Kind, Process, keep_on, listening, nginx, ours_live, redis};

/// Servers that run, each once.
pub(in crate::scenarios) struct Stage {
    pub(super) kind: Kind,
    processes: Vec<Process>,
    /// Where viewers connect.
    pub(super) target: SocketAddr,
    pub(super) sink: Sink,
    /// Folders of segments.
    pub(super) written: Vec<PathBuf>,
    runtime: Runtime,
}

impl Stage {
    /// Starts what serves these tracks. With several `nodes` each takes all of `tracks`; only the
    /// first serves viewers.
    pub(in crate::scenarios) fn start(
        bed: &Bed,
        kind: Kind,
        tracks: &[Track],
        nodes: usize,
    ) -> Result<Stage> {
        usage::raise_descriptors();
        let runtime = peers::runtime()?;
        let written = folders(bed, nodes);
        let entered = runtime.enter();
        // What is started here inherits the CPU; the daemon plans its loops by it.
        usage::pin(bed.server_cpu)?;
        let started = processes(bed, kind, tracks, nodes, &runtime);
        usage::pin(bed.load_cpu)?;
        let (mut processes, target, sink) =
            started.with_context(|| format!("no {}", kind.label()))?;
        drop(entered);
        for process in &mut processes {
            let pid = process.child().id().context("a server has ended")?;
            keep_on(pid, &[bed.server_cpu])?;
        }
        Ok(Stage {
            kind,
            processes,
            target,
            sink,
            written: written.iter().map(|folder| folder.join("live")).collect(),
            runtime,
        })
    }

    /// Ends them.
    ///
    /// # Errors
    /// One had ended before.
    pub(in crate::scenarios) fn stop(mut self) -> Result<()> {
        for process in &mut self.processes {
            process.still_runs()?;
        }
        for process in &mut self.processes {
            process.kill(&self.runtime)?;
        }
        // What was written is in memory, and not for the next run to find.
        for folder in self.written {
            if folder.is_dir() {
                std::fs::remove_dir_all(folder)?;
            }
        }
        Ok(())
    }
}

/// Where nodes keep files; nginx serves the first.
fn folders(bed: &Bed, nodes: usize) -> Vec<PathBuf> {
    let folder = |node| match node {
        0 => bed.document_root(),
        node => bed.folder().join(format!("node-{node}")),
    };
    (0..nodes).map(folder).collect()
}

type Started = (Vec<Process>, SocketAddr, Sink);

fn processes(
    bed: &Bed,
    kind: Kind,
    tracks: &[Track],
    nodes: usize,
    runtime: &Runtime,
) -> Result<Started> {
    let tls = Some(producer(bed)?);
    match kind {
        Kind::Ours => {
            let (mut processes, mut targets, mut token) = (Vec::new(), Vec::new(), None);
            let mut viewers = None;
            for node in 0..nodes {
                let name = format!("ours-{node}");
                let (process, target, ingest, own) =
                    ours_live::start(bed, runtime, tracks, &name, token.take())?;
                processes.push(process);
                targets.push(ingest);
                token = Some(own);
                viewers.get_or_insert(target);
            }
            let target = viewers.context("no node")?;
            let sink = Sink::Http {
                targets,
                tls,
                token,
            };
            Ok((processes, target, sink))
        }
        Kind::Nginx => {
            let (process, target) = started_nginx(bed)?;
            Ok((vec![process], target, Sink::Files(bed.document_root())))
        }
        Kind::Redis => {
            let folders = folders(bed, nodes);
            let folders: Vec<_> = folders.iter().map(PathBuf::as_path).collect();
            let (mut processes, ingest) = redis::start(bed, &folders)?;
            let (process, target) = started_nginx(bed)?;
            processes.push(process);
            let targets = vec![ingest];
            Ok((processes, target, Sink::Redis { targets, tls }))
        }
        Kind::Floor | Kind::Varnish => bail!("it serves no live streams"),
    }
}

fn started_nginx(bed: &Bed) -> Result<(Process, SocketAddr)> {
    let (mut process, target) = nginx::start_live(bed)?;
    listening(process.child(), target)?;
    Ok((process, target))
}

/// Producers' side of TLS.
fn producer(bed: &Bed) -> Result<Arc<rustls::ClientConfig>> {
    let config = zonecast_load::tls::client(bed.root.clone(), false)?;
    Ok(Arc::new(config))
}
