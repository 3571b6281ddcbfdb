//! The three ways to cut the machine into zones, and what each zone gets.

use super::{Zone, ZoneSpec};
use crate::error::NumaError;
use crate::ids::ZoneId;
use crate::topology::{Node, Topology};

/// A zone before its CPUs are shared out.
pub(super) struct Draft {
    node: Option<u32>,
    is_virtual: bool,
    /// Not empty.
    cpus: Vec<usize>,
    warnings: Vec<String>,
}

impl Draft {
    /// Shares the CPUs out between loops and control threads.
    pub(super) fn finish(mut self, id: ZoneId, topology: &Topology, control_wanted: usize) -> Zone {
        let node = self.node.and_then(|id| topology.node(id));
        let nics = node.map(|node| node.nics.iter().map(|nic| nic.name.clone()).collect());
        if let Some(node) = node.filter(|node| node.memory_bytes == 0) {
            let warning = "this process may use none of its node's memory, so that its memory \
                           is bound to no node";
            self.warnings.push(format!("node {}: {warning}", node.id));
            self.node = None;
        }
        let mut loop_cpus = self.cpus;
        let cpus = loop_cpus.len();
        let control_cpus = if control_wanted == 0 {
            loop_cpus.clone()
        } else if control_wanted < cpus {
            loop_cpus.split_off(cpus - control_wanted)
        } else {
            self.warnings.push(format!(
                "{cpus} CPUs are too few to keep {control_wanted} back: loops and control \
                 threads share them"
            ));
            loop_cpus.clone()
        };
        Zone {
            id,
            node: self.node,
            is_virtual: self.is_virtual,
            loop_cpus,
            control_cpus,
            nics: nics.unwrap_or_default(),
            warnings: self.warnings,
        }
    }
}

/// Each node that has CPUs.
pub(super) fn whole_nodes(topology: &Topology) -> Vec<Draft> {
    let nodes = topology.nodes.iter();
    let with_cpus = nodes.filter(|node| !node.cpus.is_empty());
    with_cpus
        .map(|node| Draft {
            node: Some(node.id),
            is_virtual: false,
            cpus: node.cpus.clone(),
            warnings: Vec::new(),
        })
        .collect()
}

/// Cuts the CPUs, node after node, into `count` slices as even as can be; with more slices
/// than CPUs, neighbours share one.
pub(super) fn slices(topology: &Topology, count: usize) -> Vec<Draft> {
    let cpus: Vec<usize> = topology.nodes.iter().flat_map(|n| n.cpus.clone()).collect();
    let slice = |index: usize| {
        let start = index * cpus.len() / count;
        let end = (index + 1) * cpus.len() / count;
        let mine = cpus[start..end.max(start + 1)].to_vec();
        let mut warnings = Vec::new();
        if count > cpus.len() {
            let all = cpus.len();
            warnings.push(format!(
                "{count} zones on {all} CPUs: CPU {} may be shared with another zone",
                mine[0]
            ));
        }
        Draft {
            node: common_node(topology, &mine).map(|node| node.id),
            is_virtual: true,
            cpus: mine,
            warnings,
        }
    };
    (0..count).map(slice).collect()
}

/// The zones of a list that fits the machine.
pub(super) fn listed(topology: &Topology, list: &[ZoneSpec]) -> Result<Vec<Draft>, NumaError> {
    let mut drafts: Vec<Draft> = Vec::with_capacity(list.len());
    for (index, spec) in list.iter().enumerate() {
        let zone = ZoneId(u16::try_from(index).unwrap_or(u16::MAX));
        check_cpus(topology, zone, &spec.cpus)?;
        let near = common_node(topology, &spec.cpus).map(|node| node.id);
        let mut warnings = Vec::new();
        if let Some(node) = spec.node {
            if topology.node(node).is_none() {
                return Err(NumaError::NoSuchNode { node });
            }
            if near != Some(node) {
                warnings.push(format!(
                    "its memory is on node {node}, but not all of its CPUs"
                ));
            }
        }
        for (other, draft) in drafts.iter().enumerate() {
            if let Some(cpu) = spec.cpus.iter().find(|cpu| draft.cpus.contains(cpu)) {
                warnings.push(format!("CPU {cpu} is also in zone {other}"));
            }
        }
        drafts.push(Draft {
            node: spec.node.or(near),
            is_virtual: false,
            cpus: spec.cpus.clone(),
            warnings,
        });
    }
    let nodes: Vec<Option<u32>> = drafts.iter().map(|draft| draft.node).collect();
    for draft in &mut drafts {
        let on_this_node = nodes.iter().filter(|&&node| node == draft.node).count();
        draft.is_virtual = draft.node.is_none() || on_this_node > 1;
    }
    Ok(drafts)
}

fn check_cpus(topology: &Topology, zone: ZoneId, cpus: &[usize]) -> Result<(), NumaError> {
    if cpus.is_empty() {
        return Err(NumaError::ZoneWithoutCpus { zone });
    }
    for (index, &cpu) in cpus.iter().enumerate() {
        if cpus[..index].contains(&cpu) {
            return Err(NumaError::CpuTwice { zone, cpu });
        }
        if topology.node_of_cpu(cpu).is_none() {
            return Err(NumaError::CpuNotAllowed { zone, cpu });
        }
    }
    Ok(())
}

/// The node that all of the CPUs are on.
fn common_node<'a>(topology: &'a Topology, cpus: &[usize]) -> Option<&'a Node> {
    let first = topology.node_of_cpu(*cpus.first()?)?;
    let all_there = cpus.iter().all(|cpu| first.cpus.contains(cpu));
    all_there.then_some(first)
}
