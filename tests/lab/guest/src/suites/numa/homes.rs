//! A card on each node, each with the address of its zone, and viewers at the far ends: what is kept in
//! its zone is counted so, and what is not is counted as what it is.

use crate::card::load;
use crate::daemon::{Daemon, Metrics, STREAMS, TOKEN};
use crate::https::{equal, put, segment};
use crate::machine::NODES;
use crate::report::{Report, Stop};
use crate::tool::{bytes, run as tool, start, until};
use anyhow::{Context, Result, ensure};
use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

/// Where all viewers are: the far ends of both cables.
pub(in crate::suites) const FAR: &str = "homes";
/// The port of each zone's own address; on the next one, every loop accepts.
const PORT: u16 = 8444;

/// Bytes of the object that is fetched most, and of one that no socket holds.
const SEGMENT: u64 = 500_009;
const LARGE: u64 = 3_900_001;
/// How often each is fetched, each time over a connection of its own.
pub(in crate::suites) const FETCHES: u64 = 6;

/// Bytes by ring zone, loop zone and egress zone.
pub(in crate::suites) type Triples = BTreeMap<[String; 3], u64>;

/// The cards, one on each node; other suites have the first two.
fn card(node: u32) -> String {
    format!("tlsnic{}", 2 + node)
}

pub(in crate::suites) fn near(node: u32) -> String {
    format!("10.7.{node}.1")
}

/// Lays the cables. What comes from a zone's address leaves by its card, wherever it goes.
pub(in crate::suites) fn lay() -> Result<()> {
    if Path::new("/run/netns").join(FAR).exists() {
        // By the suite before.
        return Ok(());
    }
    load()?;
    tool("ip", &["netns", "add", FAR])?;
    for node in NODES {
        let (near_end, near) = (card(node), near(node));
        let far_end = format!("{near_end}p");
        let table = (100 + node).to_string();
        let (net, far) = (format!("{near}/24"), format!("10.7.{node}.2/24"));
        for words in [
            format!("link set {far_end} netns {FAR}"),
            format!("addr add {net} dev {near_end}"),
            format!("link set {near_end} up"),
            format!("-n {FAR} addr add {far} dev {far_end}"),
            format!("-n {FAR} link set {far_end} up"),
            format!("route add default dev {near_end} table {table}"),
            format!("rule add from {near} lookup {table}"),
        ] {
            tool("ip", &words.split(' ').collect::<Vec<_>>())?;
        }
    }
    Ok(())
}

/// A listener for each zone on its card's address, and one for all zones on the first card's: there the
/// kernel spreads viewers.
pub(super) fn listeners() -> String {
    let of_zone = |node| {
        let address = near(node);
        format!("[[listeners]]\nlisten = \"{address}:{PORT}\"\nnic_tls12 = true\nzone = {node}\n")
    };
    let (address, port) = (near(0), PORT + 1);
    let of_all = format!("[[listeners]]\nlisten = \"{address}:{port}\"\nnic_tls12 = true\n");
    NODES.map(of_zone).concat() + &of_all + "[steering]\nmode = \"off\"\n"
}

/// The daemon, and what there is to fetch.
pub(in crate::suites) struct Homes<'a> {
    daemon: &'a Daemon,
    /// The stream of each zone, by zone.
    streams: [&'static str; 2],
    segments: [Vec<u8>; 2],
    large: Vec<u8>,
}

impl Homes<'_> {
    /// Makes them, as a step that those after it need.
    pub(in crate::suites) fn step<'a>(
        report: &mut Report,
        daemon: &'a Daemon,
    ) -> Result<Homes<'a>, Stop> {
        let mut made = None;
        report.step("something at home in each zone", || {
            made = Some(Homes::make(daemon)?);
            Ok(String::new())
        })?;
        made.ok_or(Stop)
    }

    fn make(daemon: &Daemon) -> Result<Homes<'_>> {
        let mut streams = STREAMS;
        if daemon.zone_of(streams[0])? != 0 {
            streams.reverse();
        }
        let upload = |stream, name, length| {
            let file = daemon.folder().join(name);
            let sent = segment(&file, length)?;
            put(&daemon.ingest(stream, name), &file, TOKEN)?;
            Ok::<_, anyhow::Error>(sent)
        };
        let one = |zone: usize| upload(streams[zone], "home.ts", SEGMENT);
        Ok(Homes {
            segments: [one(0)?, one(1)?],
            large: upload(streams[0], "large.ts", LARGE)?,
            daemon,
            streams,
        })
    }

    /// A viewer who asks an address for something that is at home in a zone.
    fn viewer(&self, at: &str, port: u16, zone: usize, name: &str) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", FAR, "curl", "-sS", "-f", "--cacert"]);
        command.arg(&self.daemon.certificate.chain);
        command.args(["--resolve", &format!("localhost:{port}:{at}")]);
        let stream = self.streams[zone];
        command.arg(format!("https://localhost:{port}/live/{stream}/{name}"));
        command
    }

    /// Fetches what is at home in `zone`, some times; what that adds to the ledger.
    fn fetch(&self, at: u32, port: u16, zone: usize) -> Result<Triples> {
        self.fetch_at(&near(at), port, zone)
    }

    /// The same, at any address.
    pub(in crate::suites) fn fetch_at(&self, at: &str, port: u16, zone: usize) -> Result<Triples> {
        let before = triples(&self.daemon.metrics()?)?;
        for _ in 0..FETCHES {
            let came = bytes(&mut self.viewer(at, port, zone, "home.ts"))?;
            equal(&came, &self.segments[zone])?;
        }
        self.daemon.until_viewers(0)?;
        let added = since(&triples(&self.daemon.metrics()?)?, &before);
        let all: u64 = added.values().sum();
        let least = FETCHES * SEGMENT;
        ensure!((least..least + FETCHES * 1000).contains(&all), "{added:?}");
        Ok(added)
    }

    /// Who comes to the address of a zone, for what lives there, stays in it altogether.
    pub(super) fn right(&self) -> Result<String> {
        for zone in [0, 1] {
            let added = self.fetch(zone, PORT, zone as usize)?;
            let only = added.keys().collect::<Vec<_>>();
            ensure!(
                only == [&triple(zone, zone, zone)],
                "zone {zone}: {added:?}"
            );
        }
        Ok(format!(
            "{} bytes, of rings, loops and cards of one zone",
            2 * FETCHES * SEGMENT
        ))
    }

    /// Who comes to another zone's address is counted with that zone's loop and card.
    pub(super) fn wrong(&self) -> Result<String> {
        for (zone, other) in [(0, 1), (1, 0)] {
            let added = self.fetch(other, PORT, zone as usize)?;
            let only = added.keys().collect::<Vec<_>>();
            ensure!(
                only == [&triple(zone, other, other)],
                "zone {zone}: {added:?}"
            );
        }
        Ok(String::from("ring of one zone, loop and card of the other"))
    }

    /// A viewer who reads while the route of its zone's address moves to the other zone's card.
    pub(super) fn moved(&self) -> Result<String> {
        // What the viewer's socket holds unread is no matter of the route's any more.
        let little = "echo 4096 65536 131072 > /proc/sys/net/ipv4/tcp_rmem";
        tool("ip", &["netns", "exec", FAR, "sh", "-c", little])?;
        let log = self.daemon.folder().join("moved.log");
        let file = self.daemon.folder().join("moved");
        let mut viewer = self.viewer(&near(0), PORT, 0, "large.ts");
        viewer.args(["--limit-rate", "300k", "-o"]).arg(&file);
        let before = triples(&self.daemon.metrics()?)?;
        let mut viewer = start(&mut viewer, &log)?;
        let counted = |key: [String; 3]| {
            until("bytes by this way out", || {
                let added = since(&triples(&self.daemon.metrics()?)?, &before);
                Ok(added.get(&key).copied())
            })
        };
        counted(triple(0, 0, 0))?;
        leave_by(&card(1))?;
        let there = counted(triple(0, 0, 1))?;
        leave_by(&card(0))?;
        until("its end", || Ok((!viewer.is_running()).then_some(())))?;
        let said = std::fs::read_to_string(&log)?;
        equal(&std::fs::read(&file)?, &self.large).context(said)?;
        let added = since(&triples(&self.daemon.metrics()?)?, &before);
        let all: u64 = added.values().sum();
        ensure!((LARGE..LARGE + 1000).contains(&all), "{added:?}");
        let fallen = self.daemon.bytes_by("ktls_fallback")?;
        ensure!(
            fallen >= there,
            "{fallen} bytes by ktls_fallback, {there} by the other card"
        );
        Ok(format!(
            "{there} bytes soon by the other card, then: {added:?}"
        ))
    }

    /// What siloing is worth, in bytes that cross from node to node: every viewer at home, as the kernel
    /// spreads them over all loops, and every viewer in the wrong zone.
    pub(super) fn table(&self) -> Result<String> {
        let kept = [self.fetch(0, PORT, 0)?, self.fetch(1, PORT, 1)?];
        let spread = [self.fetch(0, PORT + 1, 0)?, self.fetch(0, PORT + 1, 1)?];
        let wrong = [self.fetch(1, PORT, 0)?, self.fetch(0, PORT, 1)?];
        let mut said = Vec::new();
        for (what, rows) in [("on", kept), ("off", spread), ("reversed", wrong)] {
            let all: u64 = rows.iter().flat_map(BTreeMap::values).sum();
            let rows = rows.iter().flatten();
            let crossed = rows.filter(|([ring, at, out], _)| !(ring == at && at == out));
            let crossed: u64 = crossed.map(|(_, bytes)| bytes).sum();
            let share = 100.0 * crossed as f64 / all as f64;
            said.push(format!("siloing {what}: {crossed} of {all} ({share:.0} %)"));
        }
        ensure!(said[0].contains(": 0 of "), "{said:?}");
        ensure!(!said[1].contains(": 0 of "), "{said:?}");
        Ok(said.join("; "))
    }
}

pub(in crate::suites) fn triple(ring: u32, at: u32, out: u32) -> [String; 3] {
    [ring, at, out].map(|zone| zone.to_string())
}

/// What viewers were sent, over all paths.
pub(super) fn triples(metrics: &Metrics) -> Result<Triples> {
    let labels = ["ring_zone", "loop_zone", "egress_zone"];
    let found = metrics.by("zonecast_bytes_total", labels)?;
    let whole = |(key, value): ([String; 3], f64)| (key, value as u64);
    Ok(found.into_iter().map(whole).collect())
}

fn since(now: &Triples, before: &Triples) -> Triples {
    let added = now.iter().map(|(key, bytes)| {
        let before = before.get(key).copied().unwrap_or_default();
        (key.clone(), bytes - before)
    });
    added.filter(|(_, bytes)| *bytes > 0).collect()
}

/// That what left by loopback left by no zone's card.
pub(super) fn loopback_is_no_zones(daemon: &Daemon) -> Result<String> {
    let all = triples(&daemon.metrics()?)?;
    let sent = all.iter().filter(|(_, bytes)| **bytes > 0);
    let zones: Vec<_> = sent.map(|([_, _, out], _)| out.as_str()).collect();
    ensure!(
        !zones.is_empty() && zones.iter().all(|out| *out == "unknown"),
        "{all:?}"
    );
    let ledger = daemon.metrics()?.sum("zonecast_zone_bytes_total", &[])? as u64;
    let sum: u64 = all.values().sum();
    ensure!(sum == ledger, "{sum} by triple, {ledger} by path");
    let said = all.values().max().context("no bytes")?;
    Ok(format!("{sum} by triple and by path, up to {said} of one"))
}

/// What leaves from zone 0's address leaves by this card.
fn leave_by(card: &str) -> Result<()> {
    let route = ["route", "replace", "default", "dev", card, "table", "100"];
    tool("ip", &route).map(drop)
}
