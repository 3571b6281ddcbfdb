//! Pools of pages in a tree of files.

use std::fs;

use tempfile::TempDir;

use super::*;

const MIB: u64 = 1 << 20;

/// A tree with pools: node, size in KiB, pages in all, free.
fn tree(pools: &[(u32, u64, u64, u64)], available_mib: u64) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let write = |path: String, text: String| {
        let path = folder.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    for (node, kib, total, free) in pools {
        let pool = format!("sys/devices/system/node/node{node}/hugepages/hugepages-{kib}kB");
        write(format!("{pool}/nr_hugepages"), format!("{total}\n"));
        write(format!("{pool}/free_hugepages"), format!("{free}\n"));
    }
    let setting = "sys/kernel/mm/transparent_hugepage/shmem_enabled";
    write(
        setting.to_owned(),
        "always within_size [advise] never\n".to_owned(),
    );
    let available = format!(
        "MemTotal: 9 kB\nMemAvailable:  {} kB\n",
        available_mib << 10
    );
    write("proc/meminfo".to_owned(), available);
    folder
}

/// Looks at such a tree with two zones, on nodes 0 and 1, of `arena`.
fn look_at(folder: &TempDir, arena: &str, pages: &str) -> (Vec<Node>, Expected) {
    let text = format!("zones = 'virtual:2'\n[memory]\narena = '{arena}'\npages = '{pages}'\n");
    let path = folder.path().join("zonecast.toml");
    fs::write(&path, text).unwrap();
    let planner = |_: &_, _| {
        let mut planned = crate::plan::plan(&zonecast_numa::zones::ZonesSpec::Virtual(2), 0)?;
        for (zone, node) in planned.zones.iter_mut().zip(0..) {
            zone.node = Some(node);
        }
        Ok(planned)
    };
    let settings = crate::config::load(&path, &planner).unwrap();
    look(&settings, &Roots::below(folder.path()))
}

/// Shows that pages are counted for each node and size, and that what lacks is named with the
/// command that gives it: on the node that lacks it, on top of what others hold.
#[test]
fn what_lacks_is_named() {
    let folder = tree(&[(0, 2048, 64, 64), (1, 2048, 40, 10)], 4096);
    let (nodes, expected) = look_at(&folder, "64MiB", "auto");
    let counts: Vec<_> = nodes
        .iter()
        .map(|node| (node.node, node.pools[0].free, node.pools[0].needed))
        .collect();
    assert_eq!(counts, [(Some(0), Some(64), 32), (Some(1), Some(10), 32)]);
    assert_eq!(expected.pages, "transparent");
    assert!(expected.why.unwrap().contains("shmem_enabled is advise"));
    let command = expected.change.unwrap();
    assert!(command.starts_with("echo 62 > "), "{command}");
    assert!(
        command.ends_with("node1/hugepages/hugepages-2048kB/nr_hugepages"),
        "{command}"
    );
    assert!(!command.contains("&&"), "{command}");
    assert_eq!(expected.shortage, None);
}

/// Shows the ladder: the largest pages that every zone can have, and nothing to change at its top.
#[test]
fn the_best_that_every_zone_can_have() {
    let both = [(0, 2048, 512, 512), (1, 2048, 512, 512)];
    let folder = tree(&both, 4096);
    let (_, expected) = look_at(&folder, "1GiB", "auto");
    assert_eq!((expected.pages, expected.change), ("2MiB", None));
    assert!(expected.why.unwrap().contains("1 GiB"));
    let (_, expected) = look_at(&folder, "64MiB", "auto");
    assert_eq!((expected.pages, expected.why), ("2MiB", None));
    let large = [(0, 1_048_576, 1, 1), (1, 1_048_576, 1, 1)];
    let folder = tree(&[&both[..], &large].concat(), 4096);
    let (nodes, expected) = look_at(&folder, "1GiB", "auto");
    assert_eq!((expected.pages, expected.why), ("1GiB", None));
    assert_eq!(
        (nodes[1].pools[0].pages, nodes[1].pools[0].needed),
        ("1GiB", 1)
    );
    let (nodes, expected) = look_at(&folder, "64MiB", "plain");
    assert_eq!(
        (expected.pages, expected.why, expected.change),
        ("plain", None, None)
    );
    assert!(nodes.iter().all(|node| node.pools.is_empty()));
}

/// Shows that only a machine without room for all arenas is short of memory, and a kernel without
/// hugepages has nothing to be told.
#[test]
fn memory_can_be_short() {
    let folder = tree(&[], 100);
    let (nodes, expected) = look_at(&folder, "64MiB", "auto");
    assert_eq!(nodes[0].pools[0].total, None);
    assert_eq!(expected.change, None);
    assert_eq!(expected.arena_bytes, 64 * MIB);
    let shortage = expected.shortage.unwrap();
    assert!(
        shortage.contains("64MiB in each of 2 zones, 100 MiB available"),
        "{shortage}"
    );
    let (_, expected) = look_at(&tree(&[], 128), "64MiB", "auto");
    assert_eq!(expected.shortage, None);
}
