//! The page ladder: the best pages that a region can have, and why not better ones.
//!
//! 1 GiB hugetlb, 2 MiB hugetlb, transparent huge pages, plain pages. A region is of one
//! kind: when even one of its pages is missing, all of it goes one rung down, with a
//! reason for the log and the metric. What a region gets, it has before it is used.

use std::fmt;

use crate::error::NumaError;
use crate::mapping::{Mapping, sealed_memfd};
use crate::page::{HUGE_2M_BYTES, PAGE_BYTES, PageKind};
use crate::sysfs::Sysfs;

/// One step down the ladder, for a warning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StepDown {
    /// What was tried.
    pub from: PageKind,
    /// What is tried instead.
    pub to: PageKind,
    /// Why, such as `wanted 128, free 12`.
    pub reason: String,
}

impl fmt::Display for StepDown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}; trying {}", self.from, self.reason, self.to)
    }
}

/// A region to be made.
pub(crate) struct Wanted<'a> {
    /// What the memfd is called in /proc.
    pub(crate) name: &'a str,
    /// A multiple of 4 KiB, at most 1 GiB.
    pub(crate) bytes: u64,
    /// Bind to this node; `None` on machines where there is nothing to choose.
    pub(crate) node: Option<u32>,
    /// Where to begin.
    pub(crate) best: PageKind,
}

/// Makes a region's memory by the best rung that holds; steps go to `steps`.
pub(crate) fn make(
    sysfs: &Sysfs,
    wanted: &Wanted<'_>,
    steps: &mut Vec<StepDown>,
) -> Result<(Mapping, PageKind), NumaError> {
    let mut page = best_fit(wanted.best, wanted.bytes);
    while page.is_hugetlb() {
        let reason = match hugetlb(sysfs, wanted, page) {
            Ok(mapping) => return Ok((mapping, page)),
            Err(reason) => reason,
        };
        page = step_down(page, reason, steps);
    }
    shared_memory(sysfs, wanted, page, steps)
}

/// The best kind not above `best` of whose pages a region of `bytes` is made without rest.
fn best_fit(best: PageKind, bytes: u64) -> PageKind {
    let mut page = best;
    while !bytes.is_multiple_of(page.bytes()) {
        let Some(below) = page.below() else { break };
        page = below;
    }
    page
}

fn step_down(from: PageKind, reason: String, steps: &mut Vec<StepDown>) -> PageKind {
    let to = from.below().unwrap_or(PageKind::Plain);
    steps.push(StepDown { from, to, reason });
    to
}

/// All of the region in hugetlb pages, or why not.
fn hugetlb(sysfs: &Sysfs, wanted: &Wanted<'_>, page: PageKind) -> Result<Mapping, String> {
    let made = populated(wanted, page, page.bytes());
    // The failed mapping is gone by now, with the pages that it had got.
    made.map_err(|error| {
        let pages = wanted.bytes / page.bytes();
        match sysfs.hugetlb_free(page, wanted.node) {
            None => "the kernel has no pages of this size".to_owned(),
            Some(free) if free < pages => format!("wanted {pages}, free {free}"),
            Some(free) => format!("wanted {pages}, free {free}, but {error}"),
        }
    })
}

/// The region in shared memory, with large pages if `page` says so and the kernel agrees.
fn shared_memory(
    sysfs: &Sysfs,
    wanted: &Wanted<'_>,
    page: PageKind,
    steps: &mut Vec<StepDown>,
) -> Result<(Mapping, PageKind), NumaError> {
    // Filling a node beyond what it has would not fail: it would start the OOM killer.
    if let Some(available_bytes) = sysfs.available_bytes(wanted.node)
        && available_bytes < wanted.bytes
    {
        let place = match wanted.node {
            None => "the machine".to_owned(),
            Some(node) => format!("node {node}"),
        };
        return Err(NumaError::MemoryShort {
            wanted_bytes: wanted.bytes,
            available_bytes,
            place,
        });
    }
    let align = if wanted.bytes >= HUGE_2M_BYTES {
        HUGE_2M_BYTES
    } else {
        PAGE_BYTES
    };
    let mapping = populated(wanted, page, align)?;
    if page == PageKind::Plain {
        return Ok((mapping, page));
    }
    let huge_bytes = sysfs.huge_mapped_bytes(mapping.pointer().addr().get());
    let huge_bytes = huge_bytes.unwrap_or(0);
    if huge_bytes * 2 >= wanted.bytes {
        return Ok((mapping, PageKind::Transparent));
    }
    let setting = sysfs.shmem_huge_setting();
    let setting = setting.as_deref().unwrap_or("unknown");
    let (huge_mib, all_mib) = (huge_bytes >> 20, wanted.bytes >> 20);
    let reason = format!("the kernel gave {huge_mib} of {all_mib} MiB, shmem_enabled is {setting}");
    Ok((mapping, step_down(page, reason, steps)))
}

/// A mapping with all of its pages made, on the wanted node.
fn populated(wanted: &Wanted<'_>, page: PageKind, align: u64) -> Result<Mapping, NumaError> {
    let file = sealed_memfd(wanted.name, page, wanted.bytes)
        .map_err(NumaError::system("making a memfd for a region"))?;
    let mapping = Mapping::new(file, wanted.bytes as usize, align as usize)
        .map_err(NumaError::system("mapping a region"))?;
    if let Some(node) = wanted.node {
        mapping
            .bind(node)
            .map_err(NumaError::system("binding a region to its node"))?;
    }
    if page == PageKind::Transparent {
        // A kernel without transparent huge pages refuses; the count of large pages will
        // say so.
        let _ = mapping.advise_huge();
    }
    mapping
        .populate()
        .map_err(NumaError::system("making a region's pages"))?;
    Ok(mapping)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(bytes: u64, node: Option<u32>) -> Wanted<'static> {
        Wanted {
            name: "zonecast-test",
            bytes,
            node,
            best: PageKind::Plain,
        }
    }

    /// A region begins on the best rung that it is made of without rest.
    #[test]
    fn small_regions_begin_lower() {
        assert_eq!(best_fit(PageKind::Huge1G, 1 << 30), PageKind::Huge1G);
        assert_eq!(best_fit(PageKind::Huge1G, 6 << 20), PageKind::Huge2M);
        assert_eq!(
            best_fit(PageKind::Transparent, 6 << 20),
            PageKind::Transparent
        );
        assert_eq!(best_fit(PageKind::Huge1G, 12 << 10), PageKind::Plain);
        assert_eq!(best_fit(PageKind::Plain, 1 << 30), PageKind::Plain);
    }

    /// More than the machine, or the node, can give is an error before a page is touched.
    #[test]
    fn too_much_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = folder.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        write("proc/meminfo", "MemTotal: 99 kB\nMemAvailable:  8 kB\n");
        let meminfo = "Node 1 MemFree: 3 kB\nNode 1 FilePages: 9 kB\nNode 1 Shmem: 8 kB\n";
        write("sys/devices/system/node/node1/meminfo", meminfo);
        let sysfs = Sysfs::below(folder.path());
        let mut steps = Vec::new();
        let error = make(&sysfs, &wanted(12 << 10, None), &mut steps).err();
        let short = NumaError::MemoryShort {
            wanted_bytes: 12 << 10,
            available_bytes: 8 << 10,
            place: "the machine".to_owned(),
        };
        assert_eq!(error.unwrap().to_string(), short.to_string());
        let error = make(&sysfs, &wanted(8 << 10, Some(1)), &mut steps).err();
        let error = error.unwrap().to_string();
        assert!(error.contains("available 4096 (node 1)"), "{error}");
        assert!(make(&sysfs, &wanted(8 << 10, None), &mut steps).is_ok());
        assert!(steps.is_empty());
    }
}
