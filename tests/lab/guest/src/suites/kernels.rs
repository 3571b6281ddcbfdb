//! The same daemon on an older kernel: it starts, does without what is not there, says so, and
//! serves.

use crate::daemon::{Daemon, STREAMS, TOKEN};
use crate::https::{equal, get, put, segment};
use crate::machine::{HUGEPAGES, NODES, hugepages, read};
use crate::report::{Report, Stop};
use anyhow::{Result, ensure};

/// Bytes of a segment.
const SEGMENT: u64 = 500_009;

pub(super) fn run(report: &mut Report) -> Result<(), Stop> {
    let _ = report.step("kernel", || read("/proc/sys/kernel/osrelease"));
    report.step("serves", || with_daemon("plenty", served))?;
    report.step("without hugepages: steps down, says so, serves", || {
        pages_on_every_node(0)?;
        let said = with_daemon("scarce", stepped_down);
        pages_on_every_node(HUGEPAGES)?;
        said
    })
}

fn pages_on_every_node(count: u32) -> Result<()> {
    for node in NODES {
        hugepages(node, count)?;
    }
    Ok(())
}

fn with_daemon(name: &str, work: impl FnOnce(&Daemon) -> Result<String>) -> Result<String> {
    let daemon = Daemon::start(name)?;
    let seen = work(&daemon)?;
    Ok(seen)
}

/// What it said at its start, after a segment of each stream has come back equal.
fn served(daemon: &Daemon) -> Result<String> {
    for stream in STREAMS {
        let file = daemon.folder().join(stream);
        let sent = segment(&file, SEGMENT)?;
        put(&daemon.ingest(stream, "s0.ts"), &file, TOKEN)?;
        let came = get(&daemon.url(stream, "s0.ts"), Some(&daemon.certificate))?;
        equal(&came, &sent)?;
    }
    Ok(daemon.logged("")?.join("; "))
}

fn stepped_down(daemon: &Daemon) -> Result<String> {
    let said = daemon.logged("of ring memory in")?;
    for line in &said {
        ensure!(line.contains("2 MiB pages: wanted 32, free 0"), "{line}");
    }
    ensure!(said.len() == NODES.len(), "{said:?}");
    served(daemon)?;
    Ok(said.join("; "))
}
