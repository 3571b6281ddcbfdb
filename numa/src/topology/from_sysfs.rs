//! The machine by the kernel's own files: what hwloc reads too, without the library.

use std::collections::BTreeMap;

use super::{Found, FoundNode, Source};
use crate::sysfs::{Sysfs, parse_list};

/// Folders above a network card's device in which to look for its node: a virtio card's
/// own device has none, its PCI device has.
const PARENTS_MAX: usize = 3;

/// The nodes under /sys/devices/system/node; `None` when the kernel has no such files.
pub(super) fn read(sysfs: &Sysfs) -> Option<Found> {
    let online = sysfs.sys("devices/system/node/online")?;
    let ids = parse_list(&online).filter(|ids| !ids.is_empty())?;
    let nodes = ids.into_iter().map(|id| {
        let id = id as u32;
        let cpus = sysfs.sys(&format!("devices/system/node/node{id}/cpulist"))?;
        Some(FoundNode {
            id,
            cpus: parse_list(&cpus)?,
            memory_bytes: sysfs.total_bytes(Some(id)).unwrap_or(0),
        })
    });
    Some(Found {
        source: Source::Sysfs,
        nodes: nodes.collect::<Option<_>>()?,
        nics: BTreeMap::new(),
    })
}

/// One node with every CPU that is allowed.
pub(super) fn one_node(sysfs: &Sysfs, allowed_cpus: Option<&[usize]>) -> Found {
    let cpus = allowed_cpus.map_or_else(
        || {
            let count = std::thread::available_parallelism().map_or(1, usize::from);
            (0..count).collect()
        },
        <[usize]>::to_vec,
    );
    // Some number above 0 even without /proc: 0 would mean that memory is denied.
    let memory_bytes = sysfs.total_bytes(None).unwrap_or(1);
    Found {
        source: Source::OneNode,
        nodes: vec![FoundNode {
            id: 0,
            cpus,
            memory_bytes,
        }],
        nics: BTreeMap::new(),
    }
}

/// Interfaces that lie on others do so this deep (a VLAN on a bond on cards).
const LAYERS_MAX: usize = 4;

/// The node of a network card's device, or of the nearest device above it that has one; of what lies
/// on other interfaces, the node that they all have.
pub(super) fn node_of_nic(sysfs: &Sysfs, name: &str) -> Option<u32> {
    node_within(sysfs, name, LAYERS_MAX)
}

fn node_within(sysfs: &Sysfs, name: &str, layers: usize) -> Option<u32> {
    if let Some(node) = node_of_device(sysfs, name) {
        return Some(node);
    }
    let layers = layers.checked_sub(1)?;
    let entries = sysfs.sys_names(&format!("class/net/{name}"));
    let lower = entries
        .iter()
        .filter_map(|entry| entry.strip_prefix("lower_"));
    let mut nodes = lower.map(|lower| node_within(sysfs, lower, layers));
    let first = nodes.next()??;
    nodes.all(|node| node == Some(first)).then_some(first)
}

fn node_of_device(sysfs: &Sysfs, name: &str) -> Option<u32> {
    let mut device = format!("class/net/{name}/device");
    if !sysfs.sys_exists(&device) {
        return None;
    }
    for _ in 0..=PARENTS_MAX {
        let node = sysfs.sys(&format!("{device}/numa_node"));
        // The kernel writes -1 for a device whose place it does not know.
        if let Some(node) = node.and_then(|node| node.parse().ok()) {
            return Some(node);
        }
        device.push_str("/..");
    }
    None
}
