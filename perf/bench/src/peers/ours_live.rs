//! The daemon for live scenarios: a stream for each track, encoders by TLS.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Result, ensure};
use tokio::runtime::Runtime;
use zonecast_load::live::Track;
use zonecast_perf::daemon::Daemon;
use zonecast_perf::setup::{Ports, Setup, StreamSetup};

use super::Process;
use crate::bed::Bed;

const READY_MAX: Duration = Duration::from_secs(60);
/// Ring memory of a stream at least: what its playlist lists, twice over.
const RING_MIB_MIN: usize = 4;
/// And at most, where there are few.
const RING_MIB_MAX: usize = 32;
/// Rings of all streams together, where that is more than the least.
const RINGS_MIB: usize = 2048;
/// An object fills a quarter of a ring at most.
const OBJECT_BYTES_MAX: usize = RING_MIB_MIN << 18;
/// Nobody is refused or cut off for being one of many; a slow one is.
const LISTENERS: &str = "connections_max = 19000";
const INGEST: &str = "streams_max = 4096\nconnections_max = 19000";

/// A daemon, where viewers connect, where encoders do, and their token (`token`, or a new one).
/// `name` is that of its folder: there may be several.
pub(crate) fn start(
    bed: &Bed,
    runtime: &Runtime,
    tracks: &[Track],
    name: &str,
    token: Option<String>,
) -> Result<(Process, SocketAddr, SocketAddr, String)> {
    let folder = bed.folder().join(name);
    std::fs::create_dir_all(&folder)?;
    let size = bed.objects.size();
    ensure!(
        size <= OBJECT_BYTES_MAX,
        "segments of {size} bytes; live scenarios have {OBJECT_BYTES_MAX} at most"
    );
    let mut setup = Setup::new(&folder)?;
    setup.certificate = bed.certificate.clone();
    if let Some(token) = token {
        setup.token = token;
    }
    setup.zones = "auto".to_owned();
    let ring = (RINGS_MIB / tracks.len().max(1)).clamp(RING_MIB_MIN, RING_MIB_MAX);
    setup.ring = format!("{ring}MiB");
    setup.arena = format!("{}MiB", tracks.len() * (ring + 1) + 64);
    setup.listeners = LISTENERS.to_owned();
    setup.ingest_tls = true;
    setup.ingest = INGEST.to_owned();
    setup.more = format!("[limits]\nobject_bytes_max = \"{OBJECT_BYTES_MAX}B\"");
    for track in tracks {
        let id = track.folder().trim_matches('/').rsplit('/').next();
        setup.streams.push(StreamSetup {
            id: id.unwrap_or_default().to_owned(),
            zone: None,
        });
    }
    let mut daemon = Daemon::start(&bed.programs.zonecast, &setup)?;
    runtime.block_on(daemon.ready(READY_MAX))?;
    let viewers = Ports::four(setup.ports.https);
    let encoders = Ports::four(setup.ports.ingest);
    Ok((Process::Daemon(daemon), viewers, encoders, setup.token))
}
