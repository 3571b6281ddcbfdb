//! The configuration: one TOML file, one struct a component.
//!
//! [`load`] goes in three steps. serde reads the file into [`File`], whose types refuse what is
//! no address, time, size or id. Each component then resolves itself into what the data plane
//! takes, reading the files it names. Last come the checks across components (`cross`). Every
//! complaint names file, line and key. Whoever has [`Settings`] has a configuration that can be
//! started: only the machine itself (an address in use, memory) can still say no.
//!
//! Every key has one default, and `zonecast.example.toml` shows each; a test compares them.

mod address;
mod admin;
mod certificates;
mod cross;
mod document;
mod ingest;
mod limits;
mod listeners;
mod memory;
mod reload;
mod report;
mod settings;
mod steering;
mod streams;
mod token_hash;
mod zones;

use std::path::{Path, PathBuf};

use serde::Deserialize;
use zonecast_numa::zones::ZonesSpec;

pub use address::{Address, written};
pub use admin::Admin;
pub use certificates::CertificateFiles;
pub use document::Document;
pub use ingest::{Addresses, Ingest};
pub use limits::Limits;
pub use listeners::Listener;
pub use memory::{Memory, Pages};
pub use reload::reload;
pub use report::{ConfigError, Problem, Report};
pub use settings::{Planned, Settings};
pub use steering::{Mode, Prefix, SteeredZone, Steering};
pub use streams::{Stream, StreamId};
pub use token_hash::{WrittenHash, hash, hex};
pub use zones::{ListedZone, Zones};

use crate::units::Time;

/// Where the configuration is, unless a command says otherwise.
pub const DEFAULT_PATH: &str = "/etc/zonecast/zonecast.toml";

/// Bytes of a configuration file at most.
const FILE_MAX: u64 = 16 << 20;

/// The file as it is written.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct File {
    /// Folder of the pinned objects that outlive a restart; empty keeps nothing.
    pub state_dir: PathBuf,
    /// Who holds listening sockets between two daemons; empty: nobody but systemd.
    pub holder: PathBuf,
    /// How the machine is divided into zones.
    pub zones: Zones,
    /// CPUs that each zone keeps back for control threads.
    pub control_cpus: usize,
    /// Responses in flight may take this long to finish when the daemon is told to stop.
    pub drain_timeout: Time,
    /// Memory of each zone.
    pub memory: Memory,
    /// The admin API.
    pub admin: Admin,
    /// What is shown over TLS.
    pub certificates: Vec<CertificateFiles>,
    /// Where viewers connect.
    pub listeners: Vec<Listener>,
    /// Where encoders connect.
    pub ingest: Ingest,
    /// Streams known from the start.
    pub streams: Vec<Stream>,
    /// How viewers get to zones.
    pub steering: Steering,
    /// Limits and times.
    pub limits: Limits,
}

impl Default for File {
    fn default() -> Self {
        Self {
            state_dir: PathBuf::from("/var/lib/zonecast"),
            holder: PathBuf::new(),
            zones: Zones::Auto,
            control_cpus: 0,
            drain_timeout: Time::seconds(10),
            memory: Memory::default(),
            admin: Admin::default(),
            certificates: Vec::new(),
            listeners: Vec::new(),
            ingest: Ingest::default(),
            streams: Vec::new(),
            steering: Steering::default(),
            limits: Limits::default(),
        }
    }
}

/// Plans the zones that a configuration asks for; the text of the error goes to the operator.
pub type Planner<'a> = &'a dyn Fn(&ZonesSpec, usize) -> Result<Planned, String>;

/// Reads and checks the file at `path`.
///
/// # Errors
/// All that is wrong with it, one line each.
pub fn load(path: &Path, planner: Planner<'_>) -> Result<Settings, ConfigError> {
    let text = read(path).map_err(|source| ConfigError::Unreadable {
        path: path.to_owned(),
        source,
    })?;
    let document = Document::new(text);
    let file = parse(path, &document)?;
    check(path, document, file, planner)
}

/// The settings of a file without a key, as if it were at [`DEFAULT_PATH`].
///
/// # Errors
/// What the machine lacks.
pub fn defaults(planner: Planner<'_>) -> Result<Settings, ConfigError> {
    check(
        DEFAULT_PATH.as_ref(),
        Document::default(),
        File::default(),
        planner,
    )
}

fn parse(path: &Path, document: &Document) -> Result<File, ConfigError> {
    toml::from_str(document.text()).map_err(|error| report::parse_problem(path, document, &error))
}

fn read(path: &Path) -> std::io::Result<String> {
    if std::fs::metadata(path)?.len() > FILE_MAX {
        return Err(std::io::Error::other("it is larger than 16 MiB"));
    }
    std::fs::read_to_string(path)
}

fn check(
    path: &Path,
    document: Document,
    file: File,
    planner: Planner<'_>,
) -> Result<Settings, ConfigError> {
    let mut report = Report::new(path, &document);
    let spec = file.zones.resolve("zones", &mut report);
    let planned = spec.map_or(Ok(Planned::default()), |spec| {
        planner(&spec, file.control_cpus)
    });
    let planned = planned.unwrap_or_else(|error| {
        report.error("zones", error);
        Planned::default()
    });
    let memory = file.memory.resolve(&mut report);
    let certificates = certificates::resolve(&file.certificates, &mut report);
    let listeners = numbered("listeners", &file.listeners)
        .map(|(key, listener)| listener.resolve(&key, &mut report))
        .collect();
    let ingest = file.ingest.resolve(&mut report);
    let open = file.ingest.open;
    let streams = numbered("streams", &file.streams)
        .map(|(key, stream)| stream.resolve(&key, open, &mut report))
        .collect();
    let limits = file.limits.resolve(file.ingest.open_ring, &mut report);
    let steering = file.steering.resolve(&mut report);
    let redirects = file.steering.redirects(planned.zones.len(), &mut report);
    let admin = file.admin.resolve(&mut report);
    let (zero, hour) = (Time::millis(0), Time::seconds(3600));
    report.between("drain_timeout", file.drain_timeout, zero, hour);
    let settings = Settings {
        path: path.to_owned(),
        state_dir: Some(report.path(&file.state_dir))
            .filter(|_| !file.state_dir.as_os_str().is_empty()),
        holder: Some(report.path(&file.holder)).filter(|_| !file.holder.as_os_str().is_empty()),
        state_dir_is_written: report.is_written("state_dir"),
        drain_timeout: file.drain_timeout.duration(),
        file,
        planned,
        admin,
        memory,
        listeners,
        ingest,
        streams,
        steering,
        redirects,
        limits,
        certificates,
        warnings: Vec::new(),
        document: Document::default(),
    };
    cross::check(&settings, &mut report);
    let warnings = report.finish()?;
    Ok(Settings {
        warnings,
        document,
        ..settings
    })
}

/// The tables of an array with their keys: `streams[0]`, `streams[1]`, …
fn numbered<'a, T>(name: &'a str, all: &'a [T]) -> impl Iterator<Item = (String, &'a T)> {
    all.iter()
        .enumerate()
        .map(move |(index, one)| (format!("{name}[{index}]"), one))
}
