//! The daemon: one zone, one loop, every object in one ring.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result};
use tokio::runtime::Runtime;
use zonecast_perf::daemon::Daemon;
use zonecast_perf::setup::{Ports, Setup, StreamSetup};

use super::{Process, READY_MAX, upload};
use crate::bed::{Bed, FOLDER};

/// Nothing ends a viewer or a stream but the benchmark.
const LISTENERS: &str = "connections_max = 19000
handshake_timeout = \"10m\"
header_timeout = \"10m\"
idle_timeout = \"10h\"
request_timeout = \"10h\"
rate_min = \"0B\"";
const LIMITS: &str = "[limits]\nstream_idle = \"10h\"";
const MIB: usize = 1 << 20;

pub(super) fn start(bed: &Bed, runtime: &Runtime) -> Result<(Process, SocketAddr)> {
    let folder = bed.folder().join("ours");
    std::fs::create_dir_all(&folder)?;
    let content_mib = (bed.objects.count() * bed.objects.size()).div_ceil(MIB);
    let mut setup = Setup::new(&folder)?;
    setup.certificate = bed.certificate.clone();
    setup.zones = "auto".to_owned();
    setup.ring = format!("{}MiB", content_mib * 2 + 32);
    setup.arena = format!("{}MiB", content_mib * 3 + 128);
    setup.listeners = LISTENERS.to_owned();
    setup.more = LIMITS.to_owned();
    setup.streams.push(StreamSetup {
        id: FOLDER
            .trim_matches('/')
            .rsplit('/')
            .next()
            .map(str::to_owned)
            .unwrap_or_default(),
        zone: None,
    });
    let mut daemon = Daemon::start(&bed.programs.zonecast, &setup)?;
    runtime.block_on(daemon.ready(READY_MAX))?;
    let ingest = Ports::four(setup.ports.ingest);
    for number in 0..bed.objects.count() {
        let path = format!("{FOLDER}{}", bed.objects.name(number));
        upload::put(ingest, &path, &setup.token, bed.objects.get(number))
            .with_context(|| format!("PUT {path}"))?;
    }
    // The encoders' connections are gone before anything is measured.
    std::thread::sleep(Duration::from_millis(200));
    let port = if bed.plain {
        setup.ports.http
    } else {
        setup.ports.https
    };
    Ok((Process::Daemon(daemon), Ports::four(port)))
}
