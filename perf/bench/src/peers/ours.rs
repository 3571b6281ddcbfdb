//! The daemon: one zone, one loop, every object in one ring.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result};
use tokio::runtime::Runtime;
use zonecast_perf::daemon::Daemon;
use zonecast_perf::setup::{Ports, Setup, StreamSetup};

use super::{Process, READY_MAX, upload};
use crate::bed::{Bed, FOLDER};
use zonecast_load::content::Objects;

/// Nothing ends a viewer or a stream but the benchmark.
const LISTENERS: &str = "connections_max = 19000
handshake_timeout = \"10m\"
header_timeout = \"10m\"
idle_timeout = \"10h\"
request_timeout = \"10h\"
rate_min = \"0B\"";
const MIB: usize = 1 << 20;

pub(super) fn start(bed: &Bed, runtime: &Runtime) -> Result<(Process, SocketAddr)> {
    let folder = bed.folder().join("ours");
    std::fs::create_dir_all(&folder)?;
    let streams = bed.point.streams as usize;
    let each = bed.objects.count().div_ceil(streams) * bed.objects.size();
    let ring_mib = each.div_ceil(MIB) * 2 + if streams > 1 { 1 } else { 32 };
    let mut setup = Setup::new(&folder)?;
    setup.certificate = bed.certificate.clone();
    setup.zones = "auto".to_owned();
    setup.ring = format!("{ring_mib}MiB");
    setup.arena = format!(
        "{}MiB",
        ring_mib.next_multiple_of(2) * streams * 5 / 4 + 128
    );
    setup.listeners = LISTENERS.to_owned();
    setup.ingest = format!("streams_max = {}", streams + 1);
    setup.more = limits(bed.objects.size());
    let stream = |id: String| StreamSetup { id, zone: None };
    setup.streams = match streams {
        1 => vec![stream(FOLDER.trim_matches('/').replace("live/", ""))],
        many => (0..many)
            .map(|number| stream(Objects::stream(number)))
            .collect(),
    };
    let mut daemon = Daemon::start(&bed.programs.zonecast, &setup)?;
    runtime.block_on(daemon.ready(READY_MAX))?;
    let ingest = Ports::four(setup.ports.ingest);
    for number in 0..bed.objects.count() {
        let path = format!("{}{}", bed.url_folder(), bed.objects.name(number));
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

/// A stream's ring must hold the largest object that the configuration allows.
fn limits(object_bytes: usize) -> String {
    let max = object_bytes.max(MIB);
    format!("[limits]\nstream_idle = \"10h\"\nobject_bytes_max = \"{max}B\"")
}
