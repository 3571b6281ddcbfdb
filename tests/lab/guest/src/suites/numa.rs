//! The daemon finds both nodes by itself, everything lies where it belongs, and what leaves its zone is
//! seen to.

pub(super) mod homes;

use crate::daemon::{ARENA, Daemon, STREAMS, TOKEN};
use crate::https::{equal, get, put, segment};
use crate::machine::{NODES, cpus, list, read};
use crate::report::{Report, Stop};
use anyhow::{Context, Result, bail, ensure};
use std::collections::BTreeSet;
use std::fs;

use homes::Homes;

/// How often each stream's segment is fetched, each time over a connection of its own.
const FETCHES: u32 = 3;

/// Bytes of a segment: no multiple of any page or chunk.
const SEGMENT: u64 = 500_009;

pub(super) fn run(report: &mut Report) -> Result<(), Stop> {
    let mut started = None;
    report.step("daemon starts", || {
        homes::lay()?;
        let daemon = started.insert(Daemon::start_with("numa", &homes::listeners())?);
        Ok(daemon.logged("byte path of")?.join(" "))
    })?;
    let Some(daemon) = started else {
        return Err(Stop);
    };
    let _ = report.step("a zone for each node, by itself", || zones(&daemon));
    let _ = report.step("loops pinned, two in each node", || loops(daemon.pid()));
    let _ = report.step("2 MiB pages, and it says so", || pages(&daemon));
    let _ = report.step("ring and control memory in the zone's node", || {
        memory(daemon.pid())
    });
    let _ = report.step("streams in both zones", || streams(&daemon));
    report.step("segments of both zones over TLS", || serve(&daemon))?;
    let _ = report.step("bytes counted by ring zone and loop zone", || {
        counted(&daemon)
    });
    let _ = report.step("loopback is no zone's, and no byte counts twice", || {
        homes::loopback_is_no_zones(&daemon)
    });
    let homes = Homes::step(report, &daemon)?;
    let _ = report.step("viewers in their zone: three times the same", || {
        homes.right()
    });
    let _ = report.step("viewers in the wrong zone: told apart", || homes.wrong());
    let _ = report.step("bytes that cross from node to node", || homes.table());
    let _ = report.step("a route moved in mid-stream: told apart", || homes.moved());
    Ok(())
}

fn zones(daemon: &Daemon) -> Result<String> {
    let metrics = daemon.metrics()?;
    for node in NODES {
        let loops = metrics.sum("zonecast_loops", &[&format!("zone=\"{node}\"")])?;
        ensure!(loops == 2.0, "zone {node} has {loops} loops");
    }
    Ok(String::from("two loops each"))
}

/// Each loop may run on one CPU only, no two on the same, and every node has its own.
fn loops(pid: u32) -> Result<String> {
    let mut pinned = BTreeSet::new();
    for thread in fs::read_dir(format!("/proc/{pid}/task"))? {
        let folder = thread?.path();
        let name = read(&folder.join("comm").to_string_lossy())?;
        if !name.starts_with("zc-loop-") {
            continue;
        }
        let status = read(&folder.join("status").to_string_lossy())?;
        let mut lines = status.lines();
        let allowed = lines.find_map(|line| line.strip_prefix("Cpus_allowed_list:"));
        let allowed = list(allowed.context("no Cpus_allowed_list")?.trim())?;
        let [cpu] = allowed[..] else {
            bail!("{name} may run on {allowed:?}");
        };
        ensure!(pinned.insert(cpu), "{name} shares CPU {cpu}");
    }
    for node in NODES {
        let of_node = cpus(node)?;
        let loops = of_node.iter().filter(|cpu| pinned.contains(cpu)).count();
        ensure!(loops == 2, "node {node} has {loops} of {pinned:?}");
    }
    Ok(format!("CPUs {pinned:?}"))
}

fn pages(daemon: &Daemon) -> Result<String> {
    let said = daemon.logged("of ring memory in")?;
    ensure!(said.len() == NODES.len(), "{said:?}");
    for line in &said {
        ensure!(line.contains("in 2MiB pages"), "{line}");
    }
    let metrics = daemon.metrics()?;
    let huge = metrics.sum("zonecast_arena_pages", &["pages=\"2MiB\""])?;
    ensure!(huge == 2.0, "{huge} arenas in 2 MiB pages");
    Ok(said.join("; "))
}

/// What the kernel says of the daemon's memory: every page of a zone's regions is on its node.
fn memory(pid: u32) -> Result<String> {
    let maps = fs::read_to_string(format!("/proc/{pid}/numa_maps"))?;
    let mut seen = Vec::new();
    for node in NODES {
        for kind in ["arena", "control"] {
            let name = format!("/memfd:zonecast-{kind}-{node}");
            let lines: Vec<_> = maps.lines().filter(|line| line.contains(&name)).collect();
            ensure!(!lines.is_empty(), "no {name} in {maps}");
            let (mut own, mut other) = (0, 0);
            for line in lines {
                own += kilobytes(line, node)?;
                other += kilobytes(line, 1 - node)?;
                ensure!(
                    kind != "arena" || line.contains("kernelpagesize_kB=2048"),
                    "{line}"
                );
            }
            ensure!(other == 0, "{name}: {other} kB on the other node");
            ensure!(own > 0, "{name}: nothing on node {node}");
            ensure!(
                kind != "arena" || own == ARENA >> 10,
                "{name}: {own} kB on node {node}"
            );
            seen.push(format!("{kind}-{node} {} MiB", own >> 10));
        }
    }
    Ok(seen.join(", "))
}

/// What a line of numa_maps has on a node.
fn kilobytes(line: &str, node: u32) -> Result<u64> {
    let value = |key: &str| {
        let mut words = line.split_whitespace();
        words.find_map(|word| word.strip_prefix(key))
    };
    let pages = value(&format!("N{node}=")).unwrap_or("0");
    let size = value("kernelpagesize_kB=").with_context(|| line.to_owned())?;
    Ok(pages.parse::<u64>()? * size.parse::<u64>()?)
}

fn streams(daemon: &Daemon) -> Result<String> {
    let zones = STREAMS.map(|stream| daemon.zone_of(stream));
    let zones = zones.into_iter().collect::<Result<BTreeSet<_>>>()?;
    ensure!(zones == BTreeSet::from(NODES), "all in {zones:?}");
    Ok(format!("{} in zones {zones:?}", STREAMS.join(" and ")))
}

fn serve(daemon: &Daemon) -> Result<String> {
    for stream in STREAMS {
        let file = daemon.folder().join(stream);
        let sent = segment(&file, SEGMENT)?;
        put(&daemon.ingest(stream, "s0.ts"), &file, TOKEN)?;
        for _ in 0..FETCHES {
            let came = get(&daemon.url(stream, "s0.ts"), Some(&daemon.certificate))?;
            equal(&came, &sent)?;
        }
    }
    Ok(format!("{FETCHES} x {SEGMENT} bytes of each, equal"))
}

fn counted(daemon: &Daemon) -> Result<String> {
    let metrics = daemon.metrics()?;
    let mut all = 0.0;
    for node in NODES {
        let from = metrics.sum("zonecast_bytes_total", &[&format!("ring_zone=\"{node}\"")])?;
        let wanted = f64::from(FETCHES) * SEGMENT as f64;
        ensure!(
            from >= wanted,
            "ring zone {node}: {from}, at least {wanted}"
        );
        let by = metrics.sum("zonecast_bytes_total", &[&format!("loop_zone=\"{node}\"")])?;
        all += from - by;
    }
    ensure!(all == 0.0, "rings and loops differ by {all}");
    Ok(String::from("rings of both zones; rings and loops add up"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Pages of other nodes, and of other sizes, are told apart.
    #[test]
    fn reads_numa_maps() {
        let line = "7f00 bind:1 file=/memfd:zonecast-arena-1\\040(deleted) huge dirty=32 N1=32 \
                    kernelpagesize_kB=2048";
        assert_eq!(kilobytes(line, 1).unwrap(), 65536);
        assert_eq!(kilobytes(line, 0).unwrap(), 0);
        assert!(kilobytes("7f00 default", 0).is_err());
    }
}
