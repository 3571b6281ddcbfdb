//! A configuration that has passed all checks.

use std::path::PathBuf;
use std::time::Duration;

use zonecast_control::SteeringConfig;
use zonecast_dataplane::tls::CertificateStore;
use zonecast_dataplane::{
    Config, IngestConfig, Limits, ListenAddress, ListenerConfig, MemoryConfig, Redirects, Reload,
    StreamConfig,
};
use zonecast_numa::zones::Zone;

use super::{Document, File, Problem};

/// Zones as planned for this machine.
#[derive(Clone, Debug, Default)]
pub struct Planned {
    /// The zones, in the order of their ids.
    pub zones: Vec<Zone>,
    /// What is not as one would wish, one line each.
    pub notes: Vec<String>,
}

/// A configuration that has passed all checks, with the files it names already read.
pub struct Settings {
    /// Where it was read from.
    pub path: PathBuf,
    /// As it is written.
    pub file: File,
    /// The zones.
    pub planned: Planned,
    /// The folder for pinned objects; `None` keeps nothing.
    pub state_dir: Option<PathBuf>,
    /// Whether the file itself names that folder.
    pub state_dir_is_written: bool,
    /// See [`File::holder`].
    pub holder: Option<PathBuf>,
    /// See [`File::drain_timeout`].
    pub drain_timeout: Duration,
    /// Where the admin API listens.
    pub admin: ListenAddress,
    /// For the data plane.
    pub memory: MemoryConfig,
    /// For the data plane.
    pub listeners: Vec<ListenerConfig>,
    /// For the data plane.
    pub ingest: IngestConfig,
    /// For the data plane.
    pub streams: Vec<StreamConfig>,
    /// How viewers get to zones; `None`: the kernel spreads them.
    pub steering: Option<SteeringConfig>,
    /// For the data plane.
    pub redirects: Redirects,
    /// For the data plane.
    pub limits: Limits,
    /// For the data plane, taken out when it starts.
    pub certificates: Option<CertificateStore>,
    /// What is allowed but probably not meant.
    pub warnings: Vec<Problem>,
    pub(super) document: Document,
}

impl Settings {
    /// A complaint about a key of this file, of what only the machine can tell.
    #[must_use]
    pub fn problem(&self, key: &str, text: String) -> Problem {
        let line = self.document.line(key);
        Problem {
            file: self.path.clone(),
            line,
            key: key.to_owned(),
            text,
        }
    }

    /// All of it, for a data plane to start with; leaves no certificates here.
    pub fn take_config(&mut self) -> Config {
        Config {
            zones: self.planned.zones.clone(),
            memory: self.memory,
            listeners: self.listeners.clone(),
            ingest: self.ingest.clone(),
            streams: self.streams.clone(),
            limits: self.limits,
            certificates: self.certificates.take(),
            state_dir: self.state_dir.clone(),
            redirects: self.redirects.clone(),
            inherited: Vec::new(),
            steering_board: None,
        }
    }

    /// The part that a running data plane can take over; leaves no certificates here.
    pub fn take_reload(&mut self) -> Reload {
        Reload {
            streams: self.streams.clone(),
            open_token: self.ingest.open_token,
            streams_max: self.ingest.streams_max,
            certificates: self.certificates.take(),
        }
    }
}
