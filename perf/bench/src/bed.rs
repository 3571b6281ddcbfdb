//! What all servers of a benchmark share: objects, certificate, work folder, CPUs, times.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use serde_json::Value;
use tempfile::TempDir;
use time::OffsetDateTime;
use zonecast_load::content::Objects;
use zonecast_load::usage;
use zonecast_perf::setup::Certificate;

use crate::cli::Arguments;
use crate::crowd;
use crate::machine;
use crate::peers::Programs;
use crate::points::Point;
use crate::scenarios::{Scenario, streams};

/// Bytes of all objects together, about: more than the caches next to a CPU hold.
const CONTENT_BYTES: usize = 20_000_000;
/// Objects at least, of whatever size.
const OBJECTS_MIN: usize = 4;
/// Objects at most: each is a file and an upload.
const OBJECTS_MAX: usize = 2_000;
/// What the objects are made from.
pub const SEED: u64 = 0x7A6F_6E65;
/// Where the objects are, for every server, if they are of one stream.
pub const FOLDER: &str = "/live/bench/";
/// Where the folders of several streams are.
pub const FOLDERS: &str = "/live/";
/// Memory that is a file system: nginx's files lie there.
const SHARED_MEMORY: &str = "/dev/shm";
/// Work folders begin with this; the process's id follows.
const PREFIX: &str = "zonecast-bench-";

/// How long the phases of a run take.
#[derive(Debug, Clone, Copy)]
pub struct Times {
    /// Before anything is measured.
    pub warm_up: Duration,
    /// What is measured.
    pub measured: Duration,
}

/// The shared part.
#[derive(Debug)]
pub struct Bed {
    folder: TempDir,
    /// For all servers.
    pub certificate: Certificate,
    /// The same, for clients.
    pub root: CertificateDer<'static>,
    /// What is served.
    pub objects: Arc<Objects>,
    /// What is run.
    pub programs: Programs,
    /// Viewers.
    pub connections: usize,
    /// With how much of everything.
    pub point: Point,
    /// See [`Times`].
    pub times: Times,
    /// Without TLS.
    pub plain: bool,
    /// Short runs.
    pub quick: bool,
    /// The server's CPU.
    pub server_cpu: usize,
    /// The generator's CPU.
    pub load_cpu: usize,
    /// Records in one send of the floor program.
    pub floor_records: usize,
    /// Viewers that stall, where there are any.
    pub stalled: usize,
    stalled_max: u32,
    /// The memory of a daemon without streams is looked at first.
    pub asks_empty: bool,
    /// What it is measured on, as it was before.
    pub machine: BTreeMap<String, Value>,
    /// Of what.
    pub versions: BTreeMap<String, Value>,
    /// When it began.
    pub began: OffsetDateTime,
}

impl Bed {
    /// Makes the certificate and the objects of the first point, and keeps this process on the
    /// generator's CPU.
    ///
    /// # Errors
    /// The machine lacks CPUs, memory or room for files.
    pub fn make(
        scenario: &Scenario,
        arguments: &Arguments,
        programs: Programs,
        point: Point,
    ) -> Result<Bed> {
        for cpu in [arguments.server_cpu, arguments.load_cpu] {
            usage::pin(cpu).with_context(|| format!("this process may not use CPU {cpu}"))?;
        }
        if let Some(warning) = machine::not_quiet() {
            eprintln!("bench: {warning}");
        }
        remove_stale();
        let folder = tempfile::Builder::new()
            .prefix(&format!("{PREFIX}{}-", std::process::id()))
            .tempdir_in(SHARED_MEMORY)
            .with_context(|| format!("no work folder in {SHARED_MEMORY}"))?;
        let certificate = Certificate::make(folder.path())?;
        let root = CertificateDer::from_pem_file(&certificate.chain_file)
            .context("the certificate that was just made cannot be read")?;
        let bed = Bed {
            certificate,
            root,
            objects: Arc::new(objects(point)),
            versions: machine::versions(&programs),
            programs,
            connections: point.connections as usize,
            point,
            times: scenario.times(arguments.quick),
            plain: arguments.plain,
            quick: arguments.quick,
            server_cpu: arguments.server_cpu,
            load_cpu: arguments.load_cpu,
            floor_records: 2,
            stalled: point.connections.min(scenario.stalled_max) as usize,
            stalled_max: scenario.stalled_max,
            asks_empty: scenario.name == streams::NAME,
            machine: machine::describe(),
            began: OffsetDateTime::now_utc(),
            folder,
        };
        bed.write_files()?;
        Ok(bed)
    }

    /// Makes the objects of another point.
    ///
    /// # Errors
    /// There is no room for files.
    pub fn go_to(&mut self, point: Point) -> Result<()> {
        let before = std::mem::replace(&mut self.point, point);
        self.connections = point.connections as usize;
        self.stalled = point.connections.min(self.stalled_max) as usize;
        if (before.object_bytes, before.streams) != (point.object_bytes, point.streams) {
            self.objects = Arc::new(objects(point));
            std::fs::remove_dir_all(self.document_root())?;
            self.write_files()?;
        }
        Ok(())
    }

    fn write_files(&self) -> Result<()> {
        for number in 0..self.objects.count() {
            let name = format!("{}{}", self.url_folder(), self.objects.name(number));
            let path = self.document_root().join(name.trim_start_matches('/'));
            let parent = path.parent().context("a file lies in a folder")?;
            std::fs::create_dir_all(parent)?;
            std::fs::write(&path, self.objects.get(number))
                .with_context(|| format!("cannot write {}", path.display()))?;
        }
        Ok(())
    }

    /// What the objects' paths begin with.
    #[must_use]
    pub fn url_folder(&self) -> &'static str {
        if self.point.streams > 1 {
            FOLDERS
        } else {
            FOLDER
        }
    }

    /// The CPUs of the server: both where one loop's table of connections is too small.
    #[must_use]
    pub fn server_cpus(&self) -> Vec<usize> {
        if self.point.connections > crowd::ONE_MAX {
            vec![self.server_cpu, self.load_cpu]
        } else {
            vec![self.server_cpu]
        }
    }

    /// The work folder, in memory.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// What a web server's paths begin at.
    #[must_use]
    pub fn document_root(&self) -> PathBuf {
        self.folder().join("root")
    }

    /// Where the objects lie as files, in folders.
    #[must_use]
    pub fn files(&self) -> PathBuf {
        self.document_root().join(FOLDERS.trim_matches('/'))
    }
}

/// What is served: each stream has an object at least.
fn objects(point: Point) -> Objects {
    let size = point.object_bytes as usize;
    let streams = point.streams as usize;
    let count = (CONTENT_BYTES / size).clamp(OBJECTS_MIN, OBJECTS_MAX);
    Objects::make(SEED, count.max(streams), size).over_streams(streams)
}

/// Removes the folders of benchmarks that were killed.
fn remove_stale() {
    let entries = std::fs::read_dir(SHARED_MEMORY).into_iter().flatten();
    for entry in entries.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let pid = name
            .strip_prefix(PREFIX)
            .and_then(|rest| rest.split('-').next());
        let is_gone = |pid: &str| !Path::new("/proc").join(pid).exists();
        if pid.is_some_and(is_gone) {
            // Another user's folder stays.
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
}
