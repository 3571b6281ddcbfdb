//! What the live scenarios share: servers that take streams and serve them, and one load on them.
//!
//! Producers and viewers are `perf/load`'s, on the generator's CPU; everything that a server needs
//! to take a stream (Redis, what speaks TLS for it, what writes the files) is on the server's CPU,
//! but for plain nginx, for which the generator writes the files: it takes nothing at all.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use zonecast_load::live::{
    self, Arrivals, Board, LiveReport, LiveSpec, Media, Plan, Pool, ProduceSpec, Sink, Track,
};
use zonecast_load::usage::{self, CpuTime};

use crate::bed::Bed;
use crate::figures::Figures;
use crate::peers::{Kind, Process, READY_MAX, keep_on, listening, nginx, ours_live, redis};

/// How long a segment plays.
pub(super) const SEGMENT: Duration = Duration::from_secs(2);
/// Segments that a playlist lists.
const LISTED: u64 = 4;
const PRELOAD: u64 = 3;
const SEED: u64 = 0x6C69_7665;

/// Streams with these numbers: a segment of each has as many bytes as an object.
pub(super) fn media(bed: &Bed, streams: usize) -> Arc<Media> {
    let rate = bed.objects.size() as f64 * 8.0 / SEGMENT.as_secs_f64();
    let track = |number| Track {
        playlist: format!("/live/b{number}/index.m3u8"),
        rate,
        weight: 1,
    };
    let tracks = (0..streams.max(1)).map(track).collect();
    Arc::new(Media::make(SEED, tracks, SEGMENT))
}

/// Servers that run, each once.
pub(super) struct Stage {
    kind: Kind,
    processes: Vec<Process>,
    /// Where viewers connect.
    target: SocketAddr,
    sink: Sink,
    /// Folders of segments.
    written: Vec<PathBuf>,
    runtime: tokio::runtime::Runtime,
}

impl Stage {
    /// Starts what serves these tracks. With several `nodes` each takes all of `tracks`; only the
    /// first serves viewers.
    pub(super) fn start(bed: &Bed, kind: Kind, tracks: &[Track], nodes: usize) -> Result<Stage> {
        usage::raise_descriptors();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .context("no runtime")?;
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
    pub(super) fn stop(mut self) -> Result<()> {
        for process in &mut self.processes {
            let child = process.child();
            if let Some(status) = child.ended()? {
                bail!(
                    "{} ended during the run ({status}); its log ends:\n{}",
                    child.name(),
                    child.log_tail()
                );
            }
        }
        for process in &mut self.processes {
            let child = process.child();
            let killed = child.stop(rustix::process::Signal::KILL, READY_MAX);
            self.runtime.block_on(killed)?;
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
    runtime: &tokio::runtime::Runtime,
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

/// One load.
pub(super) struct Load {
    pub(super) media: Arc<Media>,
    pub(super) arrivals: Vec<Arrivals>,
    /// See [`LiveSpec::ahead`].
    pub(super) ahead: Option<Duration>,
    /// See [`ProduceSpec::slices`].
    pub(super) slices: u32,
    pub(super) warm_up: Duration,
    pub(super) measured: Duration,
    /// More errors than this end it.
    pub(super) errors_max: u64,
}

/// What it came to.
pub(super) struct Outcome {
    pub(super) report: LiveReport,
    /// The server's CPU while it was measured.
    pub(super) server: CpuTime,
    /// The generator's.
    pub(super) own: CpuTime,
    /// Copies of streams that are written as files and were more than a segment old at the end:
    /// what lies between producers and files may hold as much as it likes.
    pub(super) lagging: usize,
}

impl Stage {
    /// Runs one load.
    fn measure(&self, bed: &Bed, load: Load) -> Result<Outcome> {
        let board = Arc::new(Board::new(load.media.tracks.len()));
        let pool = Arc::new(Pool::default());
        let mut spec = LiveSpec::new(self.target, Arc::clone(&load.media), load.arrivals);
        spec.tls = Some(live::clients(bed.root.clone(), &pool)?);
        spec.ahead = load.ahead;
        if spec.ahead.is_some() {
            (spec.behind, spec.cushion) = (1, SEGMENT);
        }
        spec.board = Some(Arc::clone(&board));
        let first = usage::unix_seconds() / SEGMENT.as_secs();
        let media = Arc::clone(&load.media);
        let produce = ProduceSpec {
            sink: self.sink.clone(),
            media: load.media,
            slices: load.slices,
            listed: LISTED,
            first,
            preload: PRELOAD,
            board: Some(board),
        };
        let plan = Plan {
            warm_up: load.warm_up,
            measured: load.measured,
            cpus: vec![bed.load_cpu],
        };
        let times = || -> Result<[CpuTime; 2]> {
            Ok([
                CpuTime::of_cpu(bed.server_cpu)?,
                CpuTime::of_cpu(bed.load_cpu)?,
            ])
        };
        let (began, mut lasted) = (Instant::now(), Duration::ZERO);
        let (mut before, mut errors) = (times()?, 0);
        let warm_up = load.warm_up.as_secs();
        let report = live::run(spec, Some(produce), &plan, |second| {
            if second.number == warm_up
                && let Ok(now) = times()
            {
                before = now;
            }
            lasted = began.elapsed();
            errors += u64::from(second.counts) * second.tally.errors();
            errors <= load.errors_max
        })?;
        let after = times()?;
        // Producers are up to a segment's duration out of step, and one segment is on its way.
        let made = lasted.as_secs() / SEGMENT.as_secs();
        let newest = (first + PRELOAD + made).saturating_sub(3);
        Ok(Outcome {
            lagging: self.lagging(&media, newest),
            report,
            server: after[0] - before[0],
            own: after[1] - before[1],
        })
    }

    /// Copies of tracks, in files, that do not list this segment or a later one.
    fn lagging(&self, media: &Media, newest: u64) -> usize {
        let lists = |folder: &PathBuf, track: &Track| {
            // The folder is `live` already.
            let path = track.playlist.trim_start_matches("/live/");
            let text = std::fs::read_to_string(folder.join(path)).unwrap_or_default();
            let names = text.lines().filter(|line| !line.starts_with('#'));
            names
                .max()
                .is_some_and(|last| *last >= *Media::name(newest))
        };
        let folders = match self.sink {
            Sink::Http { .. } => &[][..],
            Sink::Redis { .. } | Sink::Files(_) => &self.written,
        };
        let tracks = |folder| media.tracks.iter().map(move |track| (folder, track));
        let copies = folders.iter().flat_map(tracks);
        copies
            .filter(|(folder, track)| !lists(folder, track))
            .count()
    }

    /// Runs one load on servers that are then ended; without a single segment it says nothing.
    pub(super) fn measure_once(self, bed: &Bed, load: Load) -> Result<Outcome> {
        let measured = self.measure(bed, load);
        let kind = self.kind;
        match (measured, self.stop()) {
            (Ok(outcome), Ok(())) if outcome.is_empty() => {
                bail!(
                    "not one segment came while it was measured: {}",
                    outcome.report
                )
            }
            (Ok(outcome), Ok(())) => Ok(outcome),
            (Err(error), Ok(())) => Err(error),
            // A server that has ended is why the load failed.
            (_, Err(ended)) => Err(ended.context(kind.label())),
        }
    }
}

impl Outcome {
    /// Nobody was late, and nobody had anything.
    fn is_empty(&self) -> bool {
        let report = &self.report;
        report.viewers > 0 && report.segments == 0 && report.errors == 0
    }

    /// Notes what every live scenario shows.
    pub(super) fn note(&self, figures: &mut Figures) {
        let report = &self.report;
        let gigabytes = report.body_bytes as f64 / 1e9;
        figures.add("out_mb_per_s", gigabytes * 1e3 / report.seconds.max(1e-9));
        let uploaded = report.uploaded_bytes as f64 / 1e6;
        figures.add("in_mb_per_s", uploaded / report.seconds.max(1e-9));
        figures.add("errors", report.errors as f64);
        figures.add("uploads_behind", report.uploads_behind as f64);
        figures.add("copies_lagging", self.lagging as f64);
        figures.add("server_busy_percent", self.server.busy_share() * 100.0);
        figures.add("load_busy_percent", report.cpu_busy_percent);
        figures.add("load_own_percent", report.thread_busy_percent);
        figures.add("steal_s", self.server.steal_s + self.own.steal_s);
        figures.load_limited |= !report.counts;
        figures.notes.extend(report.examples.iter().cloned());
    }
}

/// Adds the quantiles of a delay under these names, where there was any.
pub(super) fn note_delay(
    figures: &mut Figures,
    report: &LiveReport,
    delay: &str,
    names: [&'static str; 3],
) {
    if let Some(latency) = report.delay(delay) {
        let values = [latency.p50_ms, latency.p99_ms, latency.p999_ms];
        for (name, value) in names.into_iter().zip(values) {
            figures.add(name, value);
        }
    }
}
