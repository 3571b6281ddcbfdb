//! What the machine is: nodes, their CPUs and memory, and the network cards near them.
//!
//! hwloc is asked first; where it fails, the kernel's own files answer; where those are
//! missing too, the machine is one node. Only what this process may use is in the result:
//! the CPUs of its affinity mask (which a cgroup's cpuset limits) and the memory of its
//! allowed nodes.

mod from_hwloc;
mod from_sysfs;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::pin;
use crate::sysfs::Sysfs;

/// The nodes of the machine, as far as this process may use them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Topology {
    /// By id, ascending; never empty. A node without CPUs is memory alone, or not allowed.
    pub nodes: Vec<Node>,
    /// Network cards of which nobody says where they are, on a machine with several nodes.
    pub nics_unplaced: Vec<String>,
    /// Who said all this.
    pub source: Source,
    /// Why a better source did not answer, a sentence each.
    pub warnings: Vec<String>,
}

/// Where a topology comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The hwloc library.
    Hwloc,
    /// The kernel's files.
    Sysfs,
    /// Neither: one node is assumed.
    OneNode,
}

/// One NUMA node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// The kernel's number.
    pub id: u32,
    /// The kernel's numbers of the CPUs that this process may use, ascending. A CPU is in
    /// one node only.
    pub cpus: Vec<usize>,
    /// All of its memory; 0 when this process may use none of it.
    pub memory_bytes: u64,
    /// The network cards near it, by name.
    pub nics: Vec<Nic>,
}

/// One network card (an interface other than loopback).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Nic {
    /// The interface's name, such as `eth0`.
    pub name: String,
    /// The node that it is attached to; `None` for one whose place nobody knows and which
    /// is listed where it is because there is no other node.
    pub node: Option<u32>,
}

/// What one source says about the machine, before the process's limits.
struct Found {
    source: Source,
    nodes: Vec<FoundNode>,
    /// The node of a card, by the card's name.
    nics: BTreeMap<String, u32>,
}

struct FoundNode {
    id: u32,
    cpus: Vec<usize>,
    memory_bytes: u64,
}

impl Topology {
    /// Looks at this machine. Call it before any thread is pinned: the calling thread's
    /// affinity is what the process may use.
    #[must_use]
    pub fn discover() -> Topology {
        let sysfs = Sysfs::host();
        let allowed_cpus = pin::current_affinity().ok();
        let mut warnings = Vec::new();
        let found = from_hwloc::read().or_else(|error| {
            warnings.push(format!("hwloc: {error}; asking the kernel's files"));
            from_sysfs::read(&sysfs).ok_or(())
        });
        let found = found.unwrap_or_else(|()| {
            warnings.push("no nodes under /sys: taking the machine as one node".to_owned());
            from_sysfs::one_node(&sysfs, allowed_cpus.as_deref())
        });
        let mut topology = assemble(found, &sysfs, allowed_cpus.as_deref());
        if topology.nodes.iter().all(|node| node.cpus.is_empty()) {
            warnings.push("no node has a CPU for this process: taking one node".to_owned());
            let found = from_sysfs::one_node(&sysfs, allowed_cpus.as_deref());
            topology = assemble(found, &sysfs, allowed_cpus.as_deref());
        }
        topology.warnings = warnings;
        topology
    }

    /// The node with this id.
    #[must_use]
    pub fn node(&self, id: u32) -> Option<&Node> {
        self.nodes.iter().find(|node| node.id == id)
    }

    /// The node that a CPU is on, if this process may use the CPU.
    #[must_use]
    pub fn node_of_cpu(&self, cpu: usize) -> Option<&Node> {
        self.nodes.iter().find(|node| node.cpus.contains(&cpu))
    }
}

/// The node that a network card is attached to, by the kernel's files under `sys` (`/sys`); `None`
/// for one that is not a card, and where nobody knows. What is made of cards (a bond, a bridge, a
/// VLAN) is where all of them are, if that is one node.
#[must_use]
pub fn node_of_nic(sys: &Path, name: &str) -> Option<u32> {
    from_sysfs::node_of_nic(&Sysfs::with_sys(sys), name)
}

/// How many nodes the machine has, by the kernel's files under `sys` (`/sys`), whatever this process
/// may use of them; 1 for a kernel without NUMA.
#[must_use]
pub fn nodes_online(sys: &Path) -> usize {
    let found = from_sysfs::read(&Sysfs::with_sys(sys));
    found.map_or(1, |found| found.nodes.len().max(1))
}

/// Whether any network interface is known to be near some node, by the files under `sys` (`/sys`).
#[must_use]
pub fn any_nic_has_a_node(sys: &Path) -> bool {
    let sysfs = Sysfs::with_sys(sys);
    let names = sysfs.sys_names("class/net");
    names
        .iter()
        .any(|name| from_sysfs::node_of_nic(&sysfs, name).is_some())
}

/// Applies the process's limits and places the network cards.
fn assemble(found: Found, sysfs: &Sysfs, allowed_cpus: Option<&[usize]>) -> Topology {
    let memory_nodes = sysfs.memory_nodes();
    let mut taken = BTreeSet::new();
    let mut found_nodes = found.nodes;
    found_nodes.sort_unstable_by_key(|node| node.id);
    let nodes = found_nodes.into_iter().map(|node| {
        let mut cpus = node.cpus;
        cpus.sort_unstable();
        // hwloc counts a CPU to every node that it is near, such as one of slower memory
        // beside its own. The lower number is the kernel's own pairing.
        cpus.retain(|&cpu| {
            allowed_cpus.is_none_or(|allowed| allowed.contains(&cpu)) && taken.insert(cpu)
        });
        let memory = memory_nodes.as_ref();
        let memory_allowed = memory.is_none_or(|nodes| nodes.contains(&node.id));
        Node {
            id: node.id,
            cpus,
            memory_bytes: if memory_allowed { node.memory_bytes } else { 0 },
            nics: Vec::new(),
        }
    });
    let mut topology = Topology {
        nodes: nodes.collect(),
        nics_unplaced: Vec::new(),
        source: found.source,
        warnings: Vec::new(),
    };
    for name in sysfs.sys_names("class/net") {
        if name != "lo" {
            let known = found.nics.get(&name).copied();
            let node = known.or_else(|| from_sysfs::node_of_nic(sysfs, &name));
            topology.place_nic(Nic { name, node });
        }
    }
    topology
}

impl Topology {
    fn place_nic(&mut self, nic: Nic) {
        let nodes_count = self.nodes.len();
        let mut nodes = self.nodes.iter_mut();
        let place = match nic.node {
            Some(id) => nodes.find(|node| node.id == id),
            None if nodes_count == 1 => nodes.next(),
            None => None,
        };
        match place {
            Some(node) => node.nics.push(nic),
            None => self.nics_unplaced.push(nic.name),
        }
    }
}

#[cfg(test)]
mod tests;
