//! What can be measured. A scenario is a row of this table and a function for one run.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, bail};
use zonecast_load::{Counts, Spec, tls};

use crate::bed::{Bed, Times};
use crate::figures::Figures;
use crate::peers::{Kind, Peer};

pub mod curves;
mod delivery;
mod flash;
mod handshakes;
mod ingest;
mod latency;
mod live;
pub mod memory;
mod paced;
pub mod streams;
pub mod sweep;
mod viewers;

/// A scenario.
pub struct Scenario {
    /// What it is called.
    pub name: &'static str,
    /// What it measures, in a line.
    pub summary: &'static str,
    /// Its parts, each measured on its own.
    pub cases: &'static [&'static str],
    /// The servers that it measures.
    pub servers: &'static [Kind],
    /// Viewers, unless the command line says otherwise.
    pub connections: u32,
    /// It makes sense without TLS.
    pub can_be_plain: bool,
    /// The floor program's send size is looked for first.
    pub sweeps: bool,
    /// Viewers that stall, at most: each may hold an object in the kernel.
    pub stalled_max: u32,
    /// The figure that servers are compared by; see [`crate::figures::more_is_better`].
    pub headline: &'static str,
    /// Seconds of warm-up and of measuring, in full and in quick runs.
    seconds: [(u64, u64); 2],
    run: Measure,
}

/// How one run is made.
enum Measure {
    /// With a server that serves the bed's objects.
    Served(fn(&Bed, &Peer, &str) -> Result<Figures>),
    /// With live streams, and servers of its own.
    Live(fn(&Bed, Kind, &str) -> Result<Figures>),
}

/// All of them.
pub const SCENARIOS: [Scenario; 10] = [
    Scenario {
        name: "delivery",
        summary: "CPU seconds per GB of body, closed loop on kept connections",
        cases: &["delivery"],
        servers: &[Kind::Ours, Kind::Nginx, Kind::Varnish, Kind::Floor],
        connections: 64,
        can_be_plain: true,
        sweeps: true,
        stalled_max: 0,
        headline: "cpu_s_per_gb",
        seconds: [(3, 10), (1, 2)],
        run: Measure::Served(delivery::run),
    },
    Scenario {
        name: "handshakes",
        summary: "CPU time of a TLS handshake, full and resumed",
        cases: &[handshakes::FULL, handshakes::RESUMED],
        servers: &[Kind::Ours, Kind::Nginx, Kind::Floor],
        connections: 32,
        can_be_plain: false,
        sweeps: false,
        stalled_max: 0,
        headline: "cpu_us_per_handshake",
        seconds: [(2, 10), (1, 2)],
        run: Measure::Served(handshakes::run),
    },
    Scenario {
        name: memory::NAME,
        summary: "memory of a viewer that is quiet, of one that asks, and of one that does not read",
        cases: &[memory::IDLE, memory::ACTIVE, memory::STALLED],
        servers: &[Kind::Ours, Kind::Nginx],
        connections: 4000,
        can_be_plain: true,
        sweeps: false,
        stalled_max: 1000,
        headline: "pss_bytes_per_viewer",
        seconds: [(0, 10), (0, 3)],
        run: Measure::Served(memory::run),
    },
    Scenario {
        name: "paced",
        summary: "time to first byte for viewers at 2 Mb/s",
        cases: &["paced"],
        servers: &[Kind::Ours, Kind::Nginx],
        connections: 1000,
        can_be_plain: true,
        sweeps: false,
        stalled_max: 0,
        headline: "first_byte_p99_ms",
        seconds: [(10, 30), (3, 8)],
        run: Measure::Served(paced::run),
    },
    Scenario {
        name: "viewers",
        summary: "the most viewers of live streams at 2 Mb/s without an error, while streams come in",
        cases: &viewers::CASES,
        servers: &[Kind::Ours, Kind::Nginx, Kind::Redis],
        connections: 8000,
        can_be_plain: false,
        sweeps: false,
        stalled_max: 0,
        headline: "viewers",
        seconds: [(60, 120), (10, 20)],
        run: Measure::Live(viewers::run),
    },
    Scenario {
        name: "flash",
        summary: "1,667 joins a second beside a thousand viewers that stay",
        cases: &[flash::FULL, flash::RESUMED],
        servers: &[Kind::Ours, Kind::Nginx],
        connections: 1000,
        can_be_plain: false,
        sweeps: false,
        stalled_max: 0,
        headline: "join_p99_ms",
        seconds: [(15, 30), (5, 5)],
        run: Measure::Live(flash::run),
    },
    Scenario {
        name: "latency",
        summary: "from the encoder's last byte of a segment to the viewer's last",
        cases: &[latency::SLICED, latency::WHOLE],
        servers: &[Kind::Ours, Kind::Nginx, Kind::Redis],
        connections: 100,
        can_be_plain: false,
        sweeps: false,
        stalled_max: 0,
        headline: "last_byte_p99_ms",
        seconds: [(12, 60), (10, 8)],
        run: Measure::Live(latency::run),
    },
    Scenario {
        name: "ingest",
        summary: "the most streams that a CPU takes for some delivery nodes, and what they cost",
        cases: &ingest::CASES,
        servers: &[Kind::Ours, Kind::Redis],
        connections: 1000,
        can_be_plain: false,
        sweeps: false,
        stalled_max: 0,
        headline: "cpu_s_per_gb",
        seconds: [(10, 30), (4, 6)],
        run: Measure::Live(ingest::run),
    },
    Scenario {
        name: streams::NAME,
        summary: "memory of a stream in the daemon",
        cases: &[streams::NAME],
        servers: &[Kind::Ours],
        connections: 16,
        can_be_plain: true,
        sweeps: false,
        stalled_max: 0,
        headline: "pss_bytes_per_stream",
        seconds: [(0, 2), (0, 2)],
        run: Measure::Served(streams::run),
    },
    Scenario {
        name: curves::NAME,
        summary: "CPU of a byte as viewers, streams and object sizes grow tenfold",
        cases: &[curves::VIEWERS, curves::STREAMS, curves::SIZES],
        servers: &[Kind::Ours, Kind::Floor],
        connections: 64,
        can_be_plain: true,
        sweeps: true,
        stalled_max: 0,
        headline: "cpu_s_per_gb",
        seconds: [(2, 5), (1, 1)],
        run: Measure::Served(delivery::run),
    },
];

impl Scenario {
    /// How long its phases take.
    #[must_use]
    pub fn times(&self, quick: bool) -> Times {
        let (warm_up, measured) = self.seconds[usize::from(quick)];
        Times {
            warm_up: Duration::from_secs(warm_up),
            measured: Duration::from_secs(measured),
        }
    }

    /// It has live streams, and starts its servers itself.
    #[must_use]
    pub fn is_live(&self) -> bool {
        matches!(self.run, Measure::Live(_))
    }

    /// One run of one part with a server of its own.
    ///
    /// # Errors
    /// The server or the load failed.
    pub fn measure_once(&self, bed: &Bed, kind: Kind, case: &str) -> Result<Figures> {
        self.measure_with(bed, kind, case, |_| Ok(()))
    }

    /// The same, with something to be done once the server has started, but for live scenarios.
    ///
    /// # Errors
    /// As above, or what was to be done failed.
    pub fn measure_with(
        &self,
        bed: &Bed,
        kind: Kind,
        case: &str,
        started: impl FnOnce(&Peer) -> Result<()>,
    ) -> Result<Figures> {
        eprintln!("bench: {case}: starting {}", kind.label());
        let run = match self.run {
            Measure::Served(run) => run,
            Measure::Live(run) => return run(bed, kind, case),
        };
        let peer = Peer::start(kind, bed)?;
        let measured = started(&peer).and_then(|()| run(bed, &peer, case));
        match (measured, peer.stop()) {
            (Ok(figures), Ok(())) => Ok(figures),
            (Err(error), Ok(())) => Err(error),
            // A server that has ended is why the load failed.
            (_, Err(ended)) => Err(ended),
        }
    }
}

/// Thousands of viewers shake hands and get their first object in this time.
const OPEN_MAX: Duration = Duration::from_secs(180);

/// The load that all scenarios begin with.
fn spec(bed: &Bed, peer: &Peer) -> Result<Spec> {
    let mut spec = Spec::new(peer.target, bed.url_folder(), Arc::clone(&bed.objects));
    if !bed.plain {
        spec.tls = Some(Arc::new(tls::client(bed.root.clone(), false)?));
    }
    spec.connections = bed.connections;
    spec.open_within = OPEN_MAX;
    spec.any_object = peer.kind == Kind::Floor;
    // hitch seals what it has just read, and puts as much into a record as that is.
    spec.same_sizes = peer.kind != Kind::Varnish || bed.plain;
    Ok(spec)
}

/// A run in which nothing was measured has no figures.
fn not_empty(counts: &Counts) -> Result<()> {
    if counts.responses == 0 {
        bail!("not one response came to its end while it was measured");
    }
    Ok(())
}
