//! The same daemon on an older kernel: it starts, does without what is not there, says so, and
//! serves.

use crate::daemon::{Daemon, STREAMS, TOKEN};
use crate::https::{equal, get, put, segment};
use crate::machine::{HUGEPAGES, NODES, hugepages, read};
use crate::report::{Report, Stop};
use crate::suites::keyupdate::{Bed, ask};
use anyhow::{Result, ensure};

/// Where the kernel says which one it is.
const RELEASE: &str = "/proc/sys/kernel/osrelease";

/// The kernel since which io_uring has socket commands, and with them direct descriptors are used.
const SOCKET_COMMANDS: (u32, u32) = (6, 7);

/// Bytes of a segment.
const SEGMENT: u64 = 500_009;

pub(super) fn run(report: &mut Report) -> Result<(), Stop> {
    let _ = report.step("kernel", || read(RELEASE));
    report.step("serves, and says what io_uring lacks", || {
        with_daemon("plenty", |daemon| {
            served(daemon)?;
            io_uring(daemon, &read(RELEASE)?)
        })
    })?;
    let _ = report.step("steers", || with_daemon("steers", steers));
    report.step(
        "sealed by the kernel; a KeyUpdate ends the connection in order",
        || key_update("keys"),
    )?;
    report.step("without hugepages: steps down, says so, serves", || {
        pages_on_every_node(0)?;
        let said = with_daemon("scarce", stepped_down);
        pages_on_every_node(HUGEPAGES)?;
        said
    })
}

/// These kernels take no second key: the client is told that nothing more comes.
fn key_update(name: &str) -> Result<String> {
    let bed = Bed::make(name)?;
    let mut client = bed.open(&["-tls1_3"])?;
    ask(&mut client, 1)?;
    let handed = bed.metric("zonecast_kernel_tls_handovers_total")?;
    ensure!(handed == 1, "{handed} connections are sealed by the kernel");
    client.say("K\n")?;
    let said = client.ended()?;
    ensure!(said.contains("KEYUPDATE"), "{said}");
    ensure!(said.trim_end().ends_with("closed"), "{said}");
    ask(&mut bed.open(&["-tls1_3"])?, 1)?;
    Ok(bed.daemon.logged("byte path of")?.join(" "))
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

/// The programs are taken here too, and count.
fn steers(daemon: &Daemon) -> Result<String> {
    served(daemon)?;
    let said = daemon.logged("steering: ")?;
    let steers = said.last().is_some_and(|line| line.contains("sk_lookup"));
    ensure!(steers, "{said:?}");
    let metrics = daemon.metrics()?;
    let [steered, came] =
        ["zonecast_steered_total", "zonecast_connections_total"].map(|name| metrics.sum(name, &[]));
    let (steered, came) = (steered?, came?);
    ensure!(
        came > 0.0 && steered == came,
        "{steered} steered, {came} came"
    );
    Ok(format!("{}; {came} connections", said.join(" ")))
}

/// Each loop says that it does without direct descriptors where it must, and only there.
fn io_uring(daemon: &Daemon, release: &str) -> Result<String> {
    let said = daemon.logged("plain descriptors")?;
    let wanted = if version(release)? < SOCKET_COMMANDS {
        4
    } else {
        0
    };
    ensure!(said.len() == wanted, "{} loops say {said:?}", said.len());
    let first = daemon.logged("loop 0: ")?.join("; ");
    Ok(if first.is_empty() {
        String::from("it lacks nothing")
    } else {
        first
    })
}

/// `6.12.95+deb12-amd64` is 6.12.
fn version(release: &str) -> Result<(u32, u32)> {
    let mut numbers = release.split(|c: char| !c.is_ascii_digit());
    let mut next = || numbers.next().unwrap_or_default().parse::<u32>();
    Ok((next()?, next()?))
}

/// A segment of each stream comes back equal.
fn served(daemon: &Daemon) -> Result<()> {
    for stream in STREAMS {
        let file = daemon.folder().join(stream);
        let sent = segment(&file, SEGMENT)?;
        put(&daemon.ingest(stream, "s0.ts"), &file, TOKEN)?;
        let came = get(&daemon.url(stream, "s0.ts"), Some(&daemon.certificate))?;
        equal(&came, &sent)?;
    }
    Ok(())
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Versions are compared as numbers.
    #[test]
    fn reads_versions() {
        assert_eq!(version("6.12.95+deb12-amd64").unwrap(), (6, 12));
        assert!(version("6.1.0-50-amd64").unwrap() < SOCKET_COMMANDS);
        assert!(version("7.3.4+deb13-amd64").unwrap() > SOCKET_COMMANDS);
        assert!(version("strange").is_err());
    }
}
