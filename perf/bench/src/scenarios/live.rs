//! What the live scenarios share: servers that take streams and serve them, and one load on them.
//!
//! Producers and viewers are `perf/load`'s, on the generator's CPU; everything that a server needs
//! to take a stream (Redis, what speaks TLS for it, what writes the files) is on the server's CPU,
//! but for plain nginx, for which the generator writes the files: it takes nothing at all.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use zonecast_load::live::{
    self, Arrivals, Board, LiveReport, LiveSpec, Media, Plan, Pool, ProduceSpec, Sink, Track,
};
use zonecast_load::usage::{self, CpuTime};

use crate::bed::Bed;
use crate::figures::Figures;

mod stage;

pub(super) use stage::Stage;

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

impl Load {
    /// Slices as an encoder makes them, viewers who ask for what is listed, and no end before the
    /// end, whatever the errors.
    pub(super) fn usual(
        media: Arc<Media>,
        arrivals: Vec<Arrivals>,
        [warm_up, measured]: [Duration; 2],
    ) -> Load {
        Load {
            media,
            arrivals,
            ahead: None,
            slices: 8,
            warm_up,
            measured,
            errors_max: u64::MAX,
        }
    }
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
        report.viewers > 0 && report.amounts.segments == 0 && report.errors == 0
    }

    /// Notes what every live scenario shows.
    pub(super) fn note(&self, figures: &mut Figures) {
        let report = &self.report;
        let gigabytes = report.amounts.body_bytes as f64 / 1e9;
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

/// Adds the quantiles of a delay under names that begin so, where there was any.
pub(super) fn note_delay(figures: &mut Figures, report: &LiveReport, delay: &str, name: &str) {
    if let Some(latency) = report.delay(delay) {
        figures.add(&format!("{name}_p50_ms"), latency.p50_ms);
        figures.add(&format!("{name}_p99_ms"), latency.p99_ms);
        figures.add(&format!("{name}_p999_ms"), latency.p999_ms);
    }
}
