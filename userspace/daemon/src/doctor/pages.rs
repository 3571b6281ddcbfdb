//! Hugepages of each node, and what the rings will lie in.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Serialize;
use zonecast_numa::PageKind;

use super::roots::{Roots, number, read};
use crate::config::Settings;
use crate::units::Bytes;

/// The sizes that rings are made of, best first.
const SIZES: [PageKind; 2] = [PageKind::Huge1G, PageKind::Huge2M];

/// Hugepages of one node.
#[derive(Debug, Serialize)]
pub struct Node {
    /// Its number; `None` is the whole machine, where zones have no node.
    pub node: Option<u32>,
    /// Its zones.
    pub zones: Vec<u16>,
    /// By size, those that the configuration could use.
    pub pools: Vec<Pool>,
}

/// Pages of one size on one node.
#[derive(Debug, Serialize)]
pub struct Pool {
    /// The name of the size, as the configuration writes it.
    pub pages: &'static str,
    /// Pages in all; `None` where the kernel has none of this size.
    pub total: Option<u64>,
    /// Those that nobody holds.
    pub free: Option<u64>,
    /// How many the zones of this node would take, if they got this size.
    pub needed: u64,
    /// What to write the number of pages to.
    #[serde(skip)]
    setting: PathBuf,
}

/// What the rings are expected to lie in.
#[derive(Debug, Serialize)]
pub struct Expected {
    /// The kind of page, as the configuration writes it.
    pub pages: &'static str,
    /// Ring memory of each zone, in bytes.
    pub arena_bytes: u64,
    /// Why not a better one; `None` for the best that was asked for.
    pub why: Option<String>,
    /// What would change it.
    pub change: Option<String>,
    /// Why there is not enough memory at all.
    pub shortage: Option<String>,
}

/// Looks at every node that has a zone.
pub(super) fn look(settings: &Settings, roots: &Roots) -> (Vec<Node>, Expected) {
    let mut by_node: BTreeMap<Option<u32>, Vec<u16>> = BTreeMap::new();
    for zone in &settings.planned.zones {
        by_node.entry(zone.node).or_default().push(zone.id.0);
    }
    let arena = settings.memory.arena_bytes;
    let best = settings.memory.pages;
    let nodes = by_node.into_iter().map(|(node, zones)| {
        let pools = SIZES.into_iter().filter(|size| usable(*size, best, arena));
        let pools = pools.map(|size| pool(roots, node, size, arena * zones.len() as u64));
        let pools = pools.collect();
        Node { node, zones, pools }
    });
    let nodes: Vec<Node> = nodes.collect();
    let expected = expect(&nodes, settings, roots);
    (nodes, expected)
}

/// Whether an arena may be made of such pages.
fn usable(size: PageKind, best: PageKind, arena: u64) -> bool {
    size <= best && arena >= size.bytes()
}

fn pool(roots: &Roots, node: Option<u32>, size: PageKind, bytes: u64) -> Pool {
    let folder = match node {
        Some(node) => format!("devices/system/node/node{node}"),
        None => "kernel/mm".to_owned(),
    };
    let folder = roots.sys.join(folder);
    let folder = folder.join(format!("hugepages/hugepages-{}kB", size.bytes() >> 10));
    Pool {
        pages: size.label(),
        total: number(&folder.join("nr_hugepages")),
        free: number(&folder.join("free_hugepages")),
        needed: bytes.div_ceil(size.bytes()),
        setting: folder.join("nr_hugepages"),
    }
}

fn expect(nodes: &[Node], settings: &Settings, roots: &Roots) -> Expected {
    let (arena, best) = (settings.memory.arena_bytes, settings.memory.pages);
    let enough = |pages: &str| {
        let mut pools = nodes
            .iter()
            .map(|n| n.pools.iter().find(|p| p.pages == pages));
        pools.all(|pool| pool.is_some_and(|pool| pool.free.unwrap_or(0) >= pool.needed))
    };
    let label = SIZES.map(PageKind::label).into_iter().find(|l| enough(l));
    let huge = read(
        &roots
            .sys
            .join("kernel/mm/transparent_hugepage/shmem_enabled"),
    );
    let huge = huge.as_deref().and_then(chosen).unwrap_or("unknown");
    let below = match ["always", "within_size", "advise", "force"].contains(&huge) {
        true if best >= PageKind::Transparent => PageKind::Transparent,
        _ => PageKind::Plain,
    };
    let wanted = SIZES.into_iter().find(|size| usable(*size, best, arena));
    let change = label.is_none().then(|| change(nodes)).flatten();
    let why = match (label, wanted) {
        (None, Some(wanted)) => Some(format!(
            "not enough free {} for every zone; shmem_enabled is {huge}",
            if wanted == PageKind::Huge1G {
                "hugepages of 1 GiB or 2 MiB"
            } else {
                "hugepages of 2 MiB"
            },
        )),
        (Some(got), Some(wanted)) if got != wanted.label() => {
            Some(format!("not enough free {wanted} for every zone"))
        }
        _ => None,
    };
    Expected {
        pages: label.unwrap_or(below.label()),
        arena_bytes: arena,
        why,
        change,
        shortage: label.is_none().then(|| shortage(settings, roots)).flatten(),
    }
}

/// The commands that give every zone pages of 2 MiB, which can be had without a restart.
fn change(nodes: &[Node]) -> Option<String> {
    let mut commands = Vec::new();
    for node in nodes {
        let pool = node
            .pools
            .iter()
            .find(|p| p.pages == PageKind::Huge2M.label())?;
        let free = pool.free?;
        let number = pool.total? + pool.needed.saturating_sub(free);
        if free < pool.needed {
            commands.push(match nodes {
                [_] => format!("sysctl vm.nr_hugepages={number}"),
                _ => format!("echo {number} > {}", pool.setting.display()),
            });
        }
    }
    (!commands.is_empty()).then(|| commands.join(" && "))
}

/// Whether the machine has not even plain pages for all arenas.
fn shortage(settings: &Settings, roots: &Roots) -> Option<String> {
    let zones = settings.planned.zones.len() as u64;
    let wanted = settings.memory.arena_bytes.saturating_mul(zones);
    let meminfo = read(&roots.proc.join("meminfo"))?;
    let mut lines = meminfo.lines();
    let line = lines.find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let available = line.split_whitespace().next()?.parse::<u64>().ok()? << 10;
    let arena = Bytes(settings.memory.arena_bytes);
    (available < wanted).then(|| {
        let mib = available >> 20;
        format!(
            "memory is short: memory.arena = {arena} in each of {zones} zones, {mib} MiB available"
        )
    })
}

/// The word in brackets.
fn chosen(setting: &str) -> Option<&str> {
    Some(setting.split_once('[')?.1.split_once(']')?.0)
}

#[cfg(test)]
#[path = "pages_tests.rs"]
mod tests;
