//! What the kernel says of itself in files under /sys and /proc.
//!
//! Every path goes through [`Sysfs`], whose roots a test replaces by a tree of its own.
//! A file that is missing or unreadable is `None`: what that means is for the caller.

use std::fs;
use std::path::{Path, PathBuf};

use crate::page::PageKind;

/// Where /sys and /proc are.
#[derive(Clone, Debug)]
pub(crate) struct Sysfs {
    sys: PathBuf,
    proc: PathBuf,
}

impl Sysfs {
    /// This machine's.
    pub(crate) fn host() -> Sysfs {
        Sysfs {
            sys: PathBuf::from("/sys"),
            proc: PathBuf::from("/proc"),
        }
    }

    /// Another /sys than this machine's; /proc is this machine's.
    pub(crate) fn with_sys(sys: &Path) -> Sysfs {
        Sysfs {
            sys: sys.to_owned(),
            ..Sysfs::host()
        }
    }

    /// A tree with folders `sys` and `proc`.
    #[cfg(test)]
    pub(crate) fn below(root: &Path) -> Sysfs {
        Sysfs {
            sys: root.join("sys"),
            proc: root.join("proc"),
        }
    }

    /// A file under /sys, without the newline at its end.
    pub(crate) fn sys(&self, path: &str) -> Option<String> {
        read_trimmed(&self.sys.join(path))
    }

    /// A file under /proc, without the newline at its end.
    pub(crate) fn proc(&self, path: &str) -> Option<String> {
        read_trimmed(&self.proc.join(path))
    }

    /// The names in a folder under /sys, sorted.
    pub(crate) fn sys_names(&self, path: &str) -> Vec<String> {
        let entries = fs::read_dir(self.sys.join(path)).into_iter().flatten();
        let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        let mut names: Vec<String> = names.collect();
        names.sort_unstable();
        names
    }

    /// Whether a path under /sys exists.
    pub(crate) fn sys_exists(&self, path: &str) -> bool {
        self.sys.join(path).exists()
    }

    /// The nodes with memory that this process may use; `None` without NUMA in the kernel.
    pub(crate) fn memory_nodes(&self) -> Option<Vec<u32>> {
        let nodes = self.sys("devices/system/node/has_memory");
        let nodes = nodes.or_else(|| self.sys("devices/system/node/online"))?;
        let mut nodes = parse_list(&nodes)?;
        if let Some(allowed) = self.allowed_memory_nodes() {
            nodes.retain(|node| allowed.contains(node));
        }
        Some(nodes.iter().map(|&node| node as u32).collect())
    }

    /// The nodes that the process's cpuset lets it take memory from.
    fn allowed_memory_nodes(&self) -> Option<Vec<usize>> {
        let status = self.proc("self/status")?;
        let mut lines = status.lines();
        let list = lines.find_map(|line| line.strip_prefix("Mems_allowed_list:"))?;
        parse_list(list.trim())
    }

    /// hugetlb pages that are free and promised to nobody, on a node or on all.
    pub(crate) fn hugetlb_free(&self, page: PageKind, node: Option<u32>) -> Option<u64> {
        let pool = format!("hugepages/hugepages-{}kB", page.bytes() >> 10);
        if let Some(node) = node {
            let path = format!("devices/system/node/node{node}/{pool}/free_hugepages");
            return self.sys(&path)?.parse().ok();
        }
        let free: u64 = self
            .sys(&format!("kernel/mm/{pool}/free_hugepages"))?
            .parse()
            .ok()?;
        let promised = self.sys(&format!("kernel/mm/{pool}/resv_hugepages"));
        let promised = promised.and_then(|count| count.parse().ok()).unwrap_or(0);
        Some(free.saturating_sub(promised))
    }

    /// Bytes that can be had on the machine, or on one node, without taking them from
    /// other programs: what is free, and caches of files.
    pub(crate) fn available_bytes(&self, node: Option<u32>) -> Option<u64> {
        let Some(node) = node else {
            let meminfo = self.proc("meminfo")?;
            return kib_field(&meminfo, "MemAvailable:");
        };
        let meminfo = self.sys(&format!("devices/system/node/node{node}/meminfo"))?;
        let free = kib_field(&meminfo, "MemFree:")?;
        let cached = kib_field(&meminfo, "FilePages:").unwrap_or(0);
        let shared = kib_field(&meminfo, "Shmem:").unwrap_or(0);
        Some(free + cached.saturating_sub(shared))
    }

    /// All bytes of the machine's memory, or of one node's.
    pub(crate) fn total_bytes(&self, node: Option<u32>) -> Option<u64> {
        let meminfo = match node {
            None => self.proc("meminfo"),
            Some(node) => self.sys(&format!("devices/system/node/node{node}/meminfo")),
        };
        kib_field(&meminfo?, "MemTotal:")
    }

    /// The setting of transparent huge pages for shared memory, such as `advise`.
    pub(crate) fn shmem_huge_setting(&self) -> Option<String> {
        let settings = self.sys("kernel/mm/transparent_hugepage/shmem_enabled")?;
        let (_, chosen) = settings.split_once('[')?;
        Some(chosen.split_once(']')?.0.to_owned())
    }

    /// Bytes of the mapping at `address` that large pages back, if the kernel tells.
    pub(crate) fn huge_mapped_bytes(&self, address: usize) -> Option<u64> {
        let maps = self.proc("self/smaps")?;
        let start = format!("{address:x}-");
        let mut lines = maps.lines().skip_while(|line| !line.starts_with(&start));
        let field = lines.find(|line| line.starts_with("ShmemPmdMapped:"))?;
        kib_field(field, "ShmemPmdMapped:")
    }
}

fn read_trimmed(path: &Path) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    Some(text.trim_end().to_owned())
}

/// The value of a line `... Name:   123 kB`, in bytes.
fn kib_field(text: &str, name: &str) -> Option<u64> {
    let mut lines = text.lines();
    let value = lines.find_map(|line| Some(line.split_once(name)?.1))?;
    let kib: u64 = value.split_whitespace().next()?.parse().ok()?;
    kib.checked_mul(1024)
}

/// Most numbers that a list may hold; the kernel's own limit is 8,192 CPUs.
const LIST_MAX: usize = 1 << 16;

/// Reads the kernel's lists of numbers, such as `0-3,8,10-11`; an empty text is an
/// empty list.
pub(crate) fn parse_list(text: &str) -> Option<Vec<usize>> {
    let mut numbers = Vec::new();
    for range in text.trim().split(',').filter(|range| !range.is_empty()) {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        let first: usize = first.trim().parse().ok()?;
        let last: usize = last.trim().parse().ok()?;
        if first > last || last >= LIST_MAX {
            return None;
        }
        numbers.extend(first..=last);
    }
    numbers.sort_unstable();
    numbers.dedup();
    Some(numbers)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The kernel's lists are read, and nothing that is no list.
    #[test]
    fn lists_are_read() {
        assert_eq!(parse_list("0-2,8,5-6\n"), Some(vec![0, 1, 2, 5, 6, 8]));
        assert_eq!(parse_list("3"), Some(vec![3]));
        assert_eq!(parse_list("\n"), Some(vec![]));
        for bad in [
            "3-1",
            "a",
            "1-",
            "-1",
            "0-99999999999",
            "0-18446744073709551615",
        ] {
            assert_eq!(parse_list(bad), None, "{bad}");
        }
    }

    /// The pool's counters and settings are read from where the kernel puts them; pages
    /// that are promised are not free.
    #[test]
    fn counters_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        let pool = "hugepages/hugepages-2048kB";
        write(&format!("sys/kernel/mm/{pool}/free_hugepages"), "20\n");
        write(&format!("sys/kernel/mm/{pool}/resv_hugepages"), "8\n");
        let node = format!("sys/devices/system/node/node1/{pool}/free_hugepages");
        write(&node, "5\n");
        let settings = "sys/kernel/mm/transparent_hugepage/shmem_enabled";
        write(settings, "always within_size [advise] never deny force\n");
        let smaps = "10000-20000 rw-s 0 0:1 5 /memfd:x\nShmemPmdMapped: 0 kB\n\
                     abc000-abd000 rw-s 0 0:1 5 /memfd:x\nRss: 9 kB\nShmemPmdMapped: 4096 kB\n";
        write("proc/self/smaps", smaps);
        let sysfs = Sysfs::below(folder.path());
        assert_eq!(sysfs.hugetlb_free(PageKind::Huge2M, None), Some(12));
        assert_eq!(sysfs.hugetlb_free(PageKind::Huge2M, Some(1)), Some(5));
        assert_eq!(sysfs.hugetlb_free(PageKind::Huge1G, None), None);
        assert_eq!(sysfs.shmem_huge_setting().as_deref(), Some("advise"));
        assert_eq!(sysfs.huge_mapped_bytes(0xab_c000), Some(4 << 20));
        assert_eq!(sysfs.huge_mapped_bytes(0x1_0000), Some(0));
        assert_eq!(sysfs.huge_mapped_bytes(0x5000), None);
    }
}
