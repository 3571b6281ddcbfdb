//! The daemon: one zone, one loop, every object in one ring.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result};
use rustix::process::Signal;
use tokio::runtime::Runtime;
use zonecast_perf::daemon::Daemon;
use zonecast_perf::setup::{Ports, Setup, StreamSetup};

use super::{Process, READY_MAX, upload};
use crate::bed::{Bed, FOLDER};
use crate::memory::Memory;
use zonecast_load::content::Objects;

/// Nothing ends a viewer or a stream but the benchmark.
const LISTENERS: &str = "handshake_timeout = \"10m\"
header_timeout = \"10m\"
idle_timeout = \"10h\"
request_timeout = \"10h\"
rate_min = \"0B\"";
const CONNECTIONS_MIN: usize = 18_000;
const MIB: usize = 1 << 20;
/// Rings are of so many bytes and multiples of it.
const RING_MIN: usize = 64 << 10;
/// What a ring of many has beyond what it must hold: the memory for rings' control words is a part of
/// the arena, and is enough for rings of half a MiB on average.
const RING_SPARE: usize = 448 << 10;

pub(super) fn start(
    bed: &Bed,
    runtime: &Runtime,
) -> Result<(Process, SocketAddr, Option<SocketAddr>)> {
    let setup = setup(bed, "ours")?;
    let mut daemon = Daemon::start(&bed.programs.zonecast, &setup)?;
    runtime.block_on(daemon.ready(READY_MAX))?;
    upload::all(bed, Ports::four(setup.ports.ingest), &setup.token)?;
    // The encoders' connections are gone before anything is measured.
    std::thread::sleep(Duration::from_millis(200));
    let port = if bed.plain {
        setup.ports.http
    } else {
        setup.ports.https
    };
    let six = setup.ports.ipv6.then(|| setup.ports.six(port));
    Ok((Process::Daemon(daemon), Ports::four(port), six))
}

/// The memory of a daemon that is set up as for this bed, but has no streams.
pub(super) fn memory_without_streams(bed: &Bed, runtime: &Runtime) -> Result<Memory> {
    let mut setup = setup(bed, "empty")?;
    setup.streams.clear();
    let mut daemon = Daemon::start(&bed.programs.zonecast, &setup)?;
    runtime.block_on(daemon.ready(READY_MAX))?;
    let pid = daemon.child().id().context("the daemon has ended")?;
    let memory = Memory::of(pid)?;
    runtime.block_on(daemon.child().stop(Signal::KILL, READY_MAX))?;
    Ok(memory)
}

/// Bytes of a stream's ring: twice what it must hold, and more where there is but one.
#[must_use]
pub fn ring_bytes(bed: &Bed) -> usize {
    let streams = bed.point.streams as usize;
    let each = bed.objects.count().div_ceil(streams) * bed.objects.size();
    let spare = if streams > 1 { RING_SPARE } else { 32 * MIB };
    (each * 2 + spare).next_multiple_of(RING_MIN)
}

fn setup(bed: &Bed, name: &str) -> Result<Setup> {
    let folder = bed.folder().join(name);
    std::fs::create_dir_all(&folder)?;
    let (streams, ring) = (bed.point.streams as usize, ring_bytes(bed));
    let mut setup = Setup::new(&folder)?;
    setup.certificate = bed.certificate.clone();
    setup.zones = "auto".to_owned();
    setup.ring = format!("{}KiB", ring / 1024);
    setup.arena = format!("{}MiB", (ring * streams * 5 / 4).div_ceil(MIB) + 96);
    let connections = bed.connections.max(CONNECTIONS_MIN) + bed.connections / 8;
    setup.listeners = format!("connections_max = {connections}\n{LISTENERS}");
    setup.ingest = format!("streams_max = {}", streams + 1);
    setup.more = limits(bed);
    let stream = |id: String| StreamSetup { id, zone: None };
    setup.streams = match streams {
        1 => vec![stream(FOLDER.trim_matches('/').replace("live/", ""))],
        many => (0..many)
            .map(|number| stream(Objects::stream(number)))
            .collect(),
    };
    Ok(setup)
}

/// Rings of many streams are small, and each must hold the largest object that may come.
fn limits(bed: &Bed) -> String {
    let mut limits = "[limits]\nstream_idle = \"10h\"".to_owned();
    if bed.point.streams > 1 {
        let most = bed.objects.size().max(RING_MIN);
        for (key, bytes) in [
            ("object_bytes_max", most),
            ("part_bytes", RING_MIN),
            ("pinned_bytes_max", RING_MIN),
        ] {
            limits += &format!("\n{key} = \"{bytes}B\"");
        }
    }
    limits
}
