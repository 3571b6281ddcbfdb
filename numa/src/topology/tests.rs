//! Topologies of made-up machines (trees of files, hwloc's synthetic descriptions) and of
//! this one.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use super::*;

fn write(root: &Path, path: &str, text: &str) {
    let path = root.join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

/// Two nodes with CPUs, one of memory alone; eth0 is a virtio card whose PCI device is on
/// node 1, veth0 has no device, eth9 one that the kernel cannot place.
fn machine(root: &Path) -> Sysfs {
    write(root, "sys/devices/system/node/online", "0-2\n");
    write(root, "sys/devices/system/node/has_memory", "0-2\n");
    for (node, cpus) in [(0, "0-1,4"), (1, "2-3"), (2, "")] {
        let folder = format!("sys/devices/system/node/node{node}");
        write(root, &format!("{folder}/cpulist"), &format!("{cpus}\n"));
        let meminfo =
            format!("Node {node} MemTotal:       2048 kB\nNode {node} MemFree: 1024 kB\n");
        write(root, &format!("{folder}/meminfo"), &meminfo);
    }
    write(root, "sys/devices/pci0/numa_node", "1\n");
    write(root, "sys/devices/pci9/numa_node", "-1\n");
    for device in ["pci0/virtio2", "pci9"] {
        fs::create_dir_all(root.join("sys/devices").join(device)).unwrap();
    }
    for name in ["eth0", "eth9", "veth0", "lo"] {
        fs::create_dir_all(root.join("sys/class/net").join(name)).unwrap();
    }
    let device = |name: &str| root.join("sys/class/net").join(name).join("device");
    symlink("../../../devices/pci0/virtio2", device("eth0")).unwrap();
    symlink("../../../devices/pci9", device("eth9")).unwrap();
    write(
        root,
        "proc/self/status",
        "Name:\tx\nMems_allowed_list:\t0-1\n",
    );
    write(
        root,
        "proc/meminfo",
        "MemTotal:       6144 kB\nMemAvailable:  4096 kB\n",
    );
    Sysfs::below(root)
}

fn cpus(topology: &Topology) -> Vec<&[usize]> {
    topology
        .nodes
        .iter()
        .map(|node| node.cpus.as_slice())
        .collect()
}

/// The kernel's files give nodes, CPUs, memory and the places of cards; the process's
/// affinity and allowed memory are applied to them.
#[test]
fn files_are_read_and_limits_applied() {
    let folder = tempfile::tempdir().unwrap();
    let sysfs = machine(folder.path());
    let found = from_sysfs::read(&sysfs).unwrap();
    let topology = assemble(found, &sysfs, Some(&[0, 1, 2, 3]));
    assert_eq!(cpus(&topology), [&[0, 1][..], &[2, 3], &[]]);
    let memory: Vec<u64> = topology
        .nodes
        .iter()
        .map(|node| node.memory_bytes)
        .collect();
    assert_eq!(memory, [2 << 20, 2 << 20, 0], "node 2 is not allowed");
    let eth0 = Nic {
        name: "eth0".to_owned(),
        node: Some(1),
    };
    assert_eq!(topology.nodes[1].nics, [eth0]);
    assert_eq!(topology.nics_unplaced, ["eth9", "veth0"]);
    assert_eq!(topology.node_of_cpu(3).map(|node| node.id), Some(1));
    assert!(
        topology.node_of_cpu(4).is_none(),
        "not in the affinity mask"
    );
}

/// Without the kernel's files the machine is one node, and every card is near it, with no
/// claim that this is known.
#[test]
fn one_node_is_the_last_resort() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir_all(folder.path().join("sys/class/net/eth0")).unwrap();
    let sysfs = Sysfs::below(folder.path());
    assert!(from_sysfs::read(&sysfs).is_none());
    let found = from_sysfs::one_node(&sysfs, Some(&[3, 5]));
    let topology = assemble(found, &sysfs, Some(&[3, 5]));
    assert_eq!(cpus(&topology), [&[3, 5]]);
    assert!(topology.nodes[0].memory_bytes > 0);
    let eth0 = Nic {
        name: "eth0".to_owned(),
        node: None,
    };
    assert_eq!(topology.nodes[0].nics, [eth0]);
}

/// hwloc's nodes come through, CPUs and memory included, for a machine that hwloc makes up.
#[test]
fn hwloc_nodes_are_read() {
    let builder = hwlocality::Topology::builder();
    let builder = builder.from_synthetic("pack:2 [numa(memory=1GiB)] pu:3");
    let found = from_hwloc::read_with(builder.unwrap()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let topology = assemble(found, &Sysfs::below(folder.path()), None);
    assert_eq!(cpus(&topology), [&[0, 1, 2], &[3, 4, 5]]);
    assert!(topology.nodes.iter().all(|node| node.memory_bytes > 0));
}

/// A CPU near two nodes (its own, and one of slower memory) is counted once.
#[test]
fn a_cpu_is_in_one_node() {
    let node = |id, cpus: &[usize]| FoundNode {
        id,
        cpus: cpus.to_vec(),
        memory_bytes: 1,
    };
    let found = Found {
        source: Source::Hwloc,
        nodes: vec![node(2, &[0, 1]), node(0, &[1, 0]), node(1, &[2])],
        nics: BTreeMap::new(),
    };
    let folder = tempfile::tempdir().unwrap();
    let topology = assemble(found, &Sysfs::below(folder.path()), None);
    assert_eq!(cpus(&topology), [&[0, 1][..], &[2], &[]]);
}

/// What is made of cards is where they are, if they are together.
#[test]
fn a_bond_is_where_its_cards_are() {
    let folder = tempfile::tempdir().unwrap();
    machine(folder.path());
    let sys = folder.path().join("sys");
    let lies_on = |name: &str, lower: &str| {
        let link = sys.join("class/net").join(name);
        fs::create_dir_all(&link).unwrap();
        symlink(format!("../{lower}"), link.join(format!("lower_{lower}"))).unwrap();
    };
    lies_on("bond0", "eth0");
    lies_on("bond0.7", "bond0");
    assert_eq!(node_of_nic(&sys, "bond0.7"), Some(1));
    lies_on("bond0", "eth9");
    assert_eq!(
        node_of_nic(&sys, "bond0.7"),
        None,
        "eth9's place is unknown"
    );
    lies_on("loop0", "loop1");
    lies_on("loop1", "loop0");
    assert_eq!(node_of_nic(&sys, "loop0"), None);
    assert_eq!((nodes_online(&sys), any_nic_has_a_node(&sys)), (3, true));
    let nowhere = Path::new("/nowhere");
    assert_eq!(
        (nodes_online(nowhere), any_nic_has_a_node(nowhere)),
        (1, false)
    );
}

/// On this machine: every allowed CPU is in exactly one node, hwloc and the files agree,
/// and looking leaves the thread's affinity as it was.
#[test]
fn this_machine_is_found() {
    let before = pin::current_affinity().unwrap();
    let topology = Topology::discover();
    assert_eq!(pin::current_affinity().unwrap(), before);
    let mut all: Vec<usize> = topology.nodes.iter().flat_map(|n| n.cpus.clone()).collect();
    all.sort_unstable();
    assert_eq!(all, before, "{topology:?}");
    if let Some(found) = from_sysfs::read(&Sysfs::host()) {
        let by_files = assemble(found, &Sysfs::host(), Some(&before));
        assert_eq!(cpus(&topology), cpus(&by_files));
    }
    println!("{topology:#?}");
}
