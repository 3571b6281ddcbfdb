//! Plans on machines made up for the test; no machine is touched.

use super::*;
use crate::topology::{Nic, Node, Source};

fn node(id: u32, cpus: std::ops::Range<usize>) -> Node {
    Node {
        id,
        cpus: cpus.collect(),
        memory_bytes: 64 << 30,
        nics: vec![Nic {
            name: format!("eth{id}"),
            node: Some(id),
        }],
    }
}

fn machine(nodes: Vec<Node>) -> Topology {
    Topology {
        nodes,
        nics_unplaced: Vec::new(),
        source: Source::Sysfs,
        warnings: Vec::new(),
    }
}

fn two_nodes() -> Topology {
    machine(vec![node(0, 0..4), node(1, 4..8)])
}

fn loop_cpus(zones: &[Zone]) -> Vec<&[usize]> {
    zones.iter().map(|zone| zone.loop_cpus.as_slice()).collect()
}

fn zone_of(cpus: &[usize], node: Option<u32>) -> ZoneSpec {
    ZoneSpec {
        cpus: cpus.to_vec(),
        node,
    }
}

/// Auto makes each node with CPUs a zone, with its cards, and leaves out a node that is
/// memory alone.
#[test]
fn auto_takes_the_nodes() {
    let mut topology = two_nodes();
    topology.nodes.insert(1, node(7, 0..0));
    let zones = plan(&topology, &ZonesSpec::Auto, 1).unwrap();
    assert_eq!(loop_cpus(&zones), [&[0, 1, 2], &[4, 5, 6]]);
    assert_eq!(zones[1].control_cpus, [7]);
    assert_eq!((zones[1].id, zones[1].node), (ZoneId(1), Some(1)));
    assert_eq!(zones[1].nics, ["eth1"]);
    assert!(zones.iter().all(|z| !z.is_virtual && z.warnings.is_empty()));
}

/// Without CPUs to keep back, control threads share: silently when that was asked for,
/// with a warning when it was not.
#[test]
fn control_threads_share_when_they_must() {
    let topology = machine(vec![node(0, 0..2)]);
    let asked = plan(&topology, &ZonesSpec::Auto, 0).unwrap();
    assert_eq!(asked[0].loop_cpus, [0, 1]);
    assert_eq!(asked[0].control_cpus, [0, 1]);
    assert!(asked[0].warnings.is_empty());
    let forced = plan(&topology, &ZonesSpec::Auto, 2).unwrap();
    assert_eq!(forced[0].loop_cpus, [0, 1]);
    assert_eq!(forced[0].warnings.len(), 1);
}

/// Virtual zones cut the machine evenly; a slice inside one node keeps that node.
#[test]
fn virtual_zones_are_even_slices() {
    let zones = plan(&two_nodes(), &ZonesSpec::Virtual(3), 0).unwrap();
    assert_eq!(loop_cpus(&zones), [&[0, 1][..], &[2, 3, 4], &[5, 6, 7]]);
    let nodes: Vec<_> = zones.iter().map(|zone| zone.node).collect();
    assert_eq!(nodes, [Some(0), None, Some(1)]);
    assert!(zones.iter().all(|zone| zone.is_virtual));
}

/// More virtual zones than CPUs share them, each has one, and the plan says so.
#[test]
fn virtual_zones_share_cpus_with_a_warning() {
    let topology = machine(vec![node(0, 0..2)]);
    let zones = plan(&topology, &ZonesSpec::Virtual(5), 0).unwrap();
    assert_eq!(loop_cpus(&zones), [&[0], &[0], &[0], &[1], &[1]]);
    assert!(zones.iter().all(|zone| zone.warnings.len() == 1));
    assert!(zones.iter().all(|zone| zone.nics == ["eth0"]));
}

/// A list is taken as it is; what is odd about it is said.
#[test]
fn a_list_is_followed() {
    let list = vec![zone_of(&[0, 1], None), zone_of(&[1, 4], Some(1))];
    let zones = plan(&two_nodes(), &ZonesSpec::Listed(list), 0).unwrap();
    assert_eq!((zones[0].node, zones[1].node), (Some(0), Some(1)));
    assert!(!zones[0].is_virtual && zones[0].warnings.is_empty());
    assert_eq!(zones[1].warnings.len(), 2, "{:?}", zones[1].warnings);

    let list = vec![zone_of(&[0], None), zone_of(&[1], None)];
    let zones = plan(&two_nodes(), &ZonesSpec::Listed(list), 0).unwrap();
    assert!(zones.iter().all(|zone| zone.is_virtual), "slices of node 0");
}

/// A list that does not fit the machine is refused, with the zone and the CPU.
#[test]
fn impossible_lists_are_refused() {
    let refused = |list| plan(&two_nodes(), &ZonesSpec::Listed(list), 0).unwrap_err();
    assert!(matches!(refused(vec![]), NumaError::NoZones));
    let zone = ZoneId(1);
    let good = zone_of(&[0], None);
    let error = refused(vec![good.clone(), zone_of(&[], None)]);
    assert!(matches!(error, NumaError::ZoneWithoutCpus { zone: z } if z == zone));
    let error = refused(vec![good.clone(), zone_of(&[8], None)]);
    assert!(matches!(error, NumaError::CpuNotAllowed { zone: z, cpu: 8 } if z == zone));
    let error = refused(vec![good.clone(), zone_of(&[3, 3], None)]);
    assert!(matches!(error, NumaError::CpuTwice { zone: z, cpu: 3 } if z == zone));
    let error = refused(vec![zone_of(&[0], Some(9))]);
    assert!(matches!(error, NumaError::NoSuchNode { node: 9 }));
}

/// A node whose memory the cpuset denies keeps its loops, and is bound to no node.
#[test]
fn denied_memory_is_not_bound() {
    let mut topology = two_nodes();
    topology.nodes[1].memory_bytes = 0;
    let zones = plan(&topology, &ZonesSpec::Auto, 0).unwrap();
    assert_eq!(zones[1].node, None);
    assert_eq!((zones[1].warnings.len(), zones[1].nics.len()), (1, 1));
}

/// Without any CPU there is no plan.
#[test]
fn no_cpus_no_plan() {
    let topology = machine(vec![node(0, 0..0)]);
    let error = plan(&topology, &ZonesSpec::Virtual(2), 0).unwrap_err();
    assert!(matches!(error, NumaError::NoCpus));
}

/// Loops are numbered zone by zone without a gap.
#[test]
fn loops_are_numbered_over_all_zones() {
    let zones = plan(&two_nodes(), &ZonesSpec::Auto, 2).unwrap();
    let places: Vec<_> = loops(&zones)
        .iter()
        .map(|place| (place.id.0, place.zone.0, place.cpu))
        .collect();
    assert_eq!(places, [(0, 0, 0), (1, 0, 1), (2, 1, 4), (3, 1, 5)]);
}

/// The configuration's words are read, and nothing else.
#[test]
fn specifications_are_read() {
    assert_eq!("auto".parse::<ZonesSpec>().ok(), Some(ZonesSpec::Auto));
    let two = "virtual:2".parse::<ZonesSpec>().ok();
    assert_eq!(two, Some(ZonesSpec::Virtual(2)));
    for bad in ["virtual:0", "virtual:", "virtual:65536", "Auto", ""] {
        assert!(bad.parse::<ZonesSpec>().is_err(), "{bad:?}");
    }
}
