//! The machine by hwloc, which knows of attachments that the kernel's files lack.

use std::collections::BTreeMap;

use hwlocality::object::TopologyObject;
use hwlocality::object::attributes::ObjectAttributes;
use hwlocality::object::types::{OSDeviceType, ObjectType};
use hwlocality::topology::builder::{BuildFlags, TopologyBuilder, TypeFilter};

use super::{Found, FoundNode, Source};

/// Nodes, and network cards with a place; or why hwloc does not say, in words.
pub(super) fn read() -> Result<Found, String> {
    let builder = hwlocality::Topology::builder();
    // Without this flag hwloc may move the calling thread from CPU to CPU, to ask each what
    // it is; what that adds to the kernel's files is not used here.
    let builder = builder
        .with_flags(BuildFlags::DONT_CHANGE_BINDING)
        .map_err(|error| error.to_string())?;
    read_with(builder)
}

/// As [`read`], with the builder's source of objects (a test gives a made-up machine).
pub(super) fn read_with(builder: TopologyBuilder) -> Result<Found, String> {
    let topology = builder
        .with_io_type_filter(TypeFilter::KeepImportant)
        .map_err(|error| error.to_string())?
        .build()
        .map_err(|error| error.to_string())?;
    let numa_nodes = topology.objects_with_type(ObjectType::NUMANode);
    let nodes: Vec<FoundNode> = numa_nodes.filter_map(found_node).collect();
    if nodes.is_empty() {
        return Err("it names no node".to_owned());
    }
    let devices = topology.objects_with_type(ObjectType::OSDevice);
    let nics: BTreeMap<String, u32> = devices.filter_map(nic_place).collect();
    Ok(Found {
        source: Source::Hwloc,
        nodes,
        nics,
    })
}

fn found_node(object: &TopologyObject) -> Option<FoundNode> {
    let id = u32::try_from(object.os_index()?).ok()?;
    let cpuset = object.cpuset()?;
    let memory_bytes = match object.attributes() {
        Some(ObjectAttributes::NUMANode(node)) => node.local_memory().map_or(0, u64::from),
        _ => 0,
    };
    Some(FoundNode {
        id,
        cpus: cpuset.iter_set().map(usize::from).collect(),
        memory_bytes,
    })
}

/// A network card's name and node, if it hangs below exactly one node.
fn nic_place(object: &TopologyObject) -> Option<(String, u32)> {
    let Some(ObjectAttributes::OSDevice(device)) = object.attributes() else {
        return None;
    };
    if device.device_type() != OSDeviceType::Network {
        return None;
    }
    let name = object.name()?.to_str().ok()?.to_owned();
    let nodes = object.first_non_io_ancestor()?.nodeset()?;
    let mut nodes = nodes.iter_set().map(usize::from);
    let node = nodes.next()?;
    // Below several nodes means that hwloc does not know which.
    nodes.next().is_none().then_some(())?;
    Some((name, u32::try_from(node).ok()?))
}
