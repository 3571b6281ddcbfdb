//! Mappings of this machine's memory.

use super::*;
use crate::sysfs::Sysfs;

const LEN: usize = 64 << 10;

fn mapping(align: usize) -> Mapping {
    let file = sealed_memfd("zonecast-test", PageKind::Plain, LEN as u64).unwrap();
    Mapping::new(file, LEN, align).unwrap()
}

/// The mapping begins where it was asked to, and what was reserved around it is given
/// back: after a drop nothing of it is left in the process's map.
#[test]
fn alignment_leaves_nothing_behind() {
    for align in [4 << 10, 64 << 10, 2 << 20, 1 << 30] {
        let made = mapping(align);
        let start = made.pointer().addr().get();
        assert_eq!(start % align, 0);
        let maps = || Sysfs::host().proc("self/maps").unwrap();
        let own = format!("{start:x}-{:x} rw-s", start + LEN);
        assert!(maps().lines().any(|line| line.starts_with(&own)));
        drop(made);
        assert!(!maps().lines().any(|line| line.starts_with(&own)));
    }
}

/// A bound mapping's pages lie on that node; a node that is not there is refused.
#[test]
fn pages_lie_where_they_are_bound() {
    let Some(nodes) = Sysfs::host().memory_nodes() else {
        println!("this kernel has no NUMA: nothing to bind to");
        return;
    };
    for &node in &nodes {
        let made = mapping(4 << 10);
        made.bind(node).unwrap();
        made.populate().unwrap();
        for offset in (0..LEN).step_by(4 << 10) {
            assert_eq!(made.node_at(offset).unwrap(), node);
        }
    }
    let made = mapping(4 << 10);
    assert!(made.bind(1023).is_err());
    assert!(made.bind(u32::MAX).is_err(), "beyond the mask");
}
