//! What a run is made of: the pipeline's size, the weather, and who takes part.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;
use sha2::{Digest, Sha256};
use zonecast_dataplane::simulation::{Door, Flaw, SimulationConfig};
use zonecast_dataplane::tls::RECORDS_PER_KEY;
use zonecast_dataplane::{ConnectionLimits, Limits, StreamConfig, TokenHash};
use zonecast_io::sim::{Faults, SimConfig};

use super::encoder::EncoderPlan;
use super::identity::identity;
use super::missing::{Past, RingSize};
use super::viewer::ViewerPlan;
use super::weather::names;

/// A run before it has begun.
pub(crate) struct Scenario {
    pub(crate) seed: u64,
    pub(crate) faults: Faults,
    pub(crate) loops: Vec<u16>,
    pub(crate) ring_bytes: u32,
    pub(crate) send_buffers: u32,
    pub(crate) connections_max: u16,
    pub(crate) waiting_max: u32,
    pub(crate) encoders: Vec<EncoderPlan>,
    pub(crate) viewers: Vec<ViewerPlan>,
    /// Connections of somebody who sends what no client sends.
    pub(crate) vandalism: usize,
    pub(crate) stream_idle: Duration,
    pub(crate) records_per_key: u64,
    pub(crate) mail_max: usize,
    /// When the configuration changes: streams are closed, and others made.
    pub(crate) reloads: Vec<Duration>,
    /// When all is drained.
    pub(crate) drains: Option<Duration>,
    /// When the process is killed.
    pub(crate) kills: Vec<Kill>,
    /// See [`SimulationConfig::late_mail`].
    pub(crate) late_mail: u32,
    pub(crate) part_bytes: u32,
    pub(crate) pinned_max: u32,
    pub(crate) tracks_max: u16,
    /// Loops stop turning: for a canary.
    pub(crate) stalls: bool,
    pub(crate) flaw: Flaw,
}

/// A kill of the process.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Kill {
    pub(crate) at: Duration,
    /// How long nobody is there.
    pub(crate) down: Duration,
}

pub(crate) const KIB: u32 = 1 << 10;

impl Scenario {
    /// One encoder, three viewers, plain; nothing goes wrong.
    pub(crate) fn calm(seed: u64) -> Self {
        let names = names("live", "", 6);
        let encoder = EncoderPlan {
            door: Door::Encoder,
            index: 0,
            names: names.clone(),
            objects: 12,
            bytes_max: 200_000,
            cuts_percent: 0,
            deletes_percent: 0,
            leaves_percent: 0,
            ahead_percent: 0,
            pause_ms: 20,
            lies: false,
        };
        let viewer = |index| ViewerPlan {
            door: Door::Viewer,
            index,
            names: names.clone(),
            connections: 4,
            requests: 6,
            pipelined: 1,
            manners_percent: 0,
            is_odd: index == 2,
            range_percent: 0,
            http10_percent: 0,
        };
        Self {
            seed,
            faults: Faults::none(),
            loops: vec![0, 0],
            ring_bytes: 4096 * KIB,
            send_buffers: 32,
            connections_max: 64,
            waiting_max: 100,
            encoders: vec![encoder],
            viewers: (0..3).map(viewer).collect(),
            vandalism: 0,
            stream_idle: Duration::from_secs(600),
            records_per_key: RECORDS_PER_KEY,
            mail_max: 4096,
            reloads: Vec::new(),
            drains: None,
            kills: Vec::new(),
            late_mail: 0,
            part_bytes: 128 * KIB,
            pinned_max: 64,
            tracks_max: 16,
            stalls: false,
            flaw: Flaw::None,
        }
    }

    /// Ranges of objects that are being uploaded, while what loops tell each other is late.
    pub(crate) fn ranges(seed: u64) -> Self {
        let mut scenario = Self::calm(seed);
        scenario.faults.stalls = 100;
        scenario.faults.delay_max = Duration::from_millis(100);
        scenario.loops = vec![0, 0, 0];
        scenario.mail_max = 2;
        scenario.encoders[0].names = names("live", "", 1);
        scenario.encoders[0].bytes_max = 350_000;
        scenario.encoders[0].objects = 30;
        scenario.encoders[0].pause_ms = 60;
        for viewer in &mut scenario.viewers {
            viewer.names = names("live", "", 1);
            viewer.range_percent = 95;
            viewer.connections = 20;
            viewer.requests = 20;
        }
        scenario
    }

    /// The pipeline of this run.
    pub(crate) fn pipeline(&self, state_dir: Option<PathBuf>) -> SimulationConfig {
        let connection = ConnectionLimits {
            connections_max: 40,
            request_timeout: Duration::from_secs(15),
            idle_timeout: Duration::from_secs(20),
            ..ConnectionLimits::default()
        };
        SimulationConfig {
            seed: self.seed,
            faults: self.faults.clone(),
            loops: self.loops.clone(),
            // Four rings at once, and those that are given back late.
            arena_bytes: self.ring_bytes * 6,
            driver: SimConfig {
                connections_max: self.connections_max,
                ..SimConfig::default()
            },
            limits: Limits {
                object_bytes_max: 350_000,
                pinned_bytes_max: 60_000,
                part_bytes: self.part_bytes,
                pinned_max: self.pinned_max,
                waiting_per_stream_max: self.waiting_max,
                send_buffers: self.send_buffers,
                open_ring_bytes: self.ring_bytes,
                stream_idle: self.stream_idle,
                ..Limits::default()
            },
            viewers: connection,
            encoders: connection,
            ingest_idle: Duration::from_secs(4),
            open_token: Some(token()),
            streams: vec![self.stream()],
            records_per_key: self.records_per_key,
            mail_max: self.mail_max,
            late_mail: self.late_mail,
            // Whoever finds a mailbox full looks again in every turn until it is not.
            mail_delay_max: Duration::from_millis(if self.mail_max > 3 { 200 } else { 10 }),
            state_dir,
            certificates: self.has_tls().then(|| identity().store()),
            flaw: self.flaw,
        }
    }

    /// The stream that is configured.
    pub(crate) fn stream(&self) -> StreamConfig {
        StreamConfig {
            token: Some(token()),
            ring_bytes: self.ring_bytes,
            tracks_max: self.tracks_max,
            ..StreamConfig::named("a")
        }
    }

    /// What the book knows of rings and of idle streams.
    pub(crate) fn past(&self) -> Past {
        Past {
            stream_idle: self.stream_idle,
            ring: RingSize {
                bytes: u64::from(self.ring_bytes),
                part_bytes: u64::from(self.part_bytes),
            },
            ..Past::default()
        }
    }

    /// What clients know of the certificate, where there is TLS: for TLS 1.3 and for 1.2.
    pub(crate) fn clients(&self) -> Option<[Arc<ClientConfig>; 2]> {
        let client = |version| identity().client(version);
        self.has_tls()
            .then(|| [&rustls::version::TLS13, &rustls::version::TLS12].map(client))
    }

    fn has_tls(&self) -> bool {
        let encoders = self.encoders.iter().map(|plan| plan.door);
        let viewers = self.viewers.iter().map(|plan| plan.door);
        let is_tls = |door| matches!(door, Door::EncoderTls | Door::ViewerTls);
        encoders.chain(viewers).any(is_tls)
    }
}

/// What encoders show.
pub(crate) fn token() -> TokenHash {
    TokenHash(Sha256::digest(b"secret").into())
}
