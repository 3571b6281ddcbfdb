//! The process's own cgroup, in the second version's tree: sockets belong to it from their making.

use std::fs;
use std::path::PathBuf;

/// Where it is, or why that is not known.
pub(super) fn own() -> Result<PathBuf, String> {
    let read = |path: &str| fs::read_to_string(path).map_err(|error| format!("{path}: {error}"));
    let mounts = read("/proc/self/mountinfo")?;
    let root = mounts
        .lines()
        .find_map(mounted_at)
        .ok_or("no cgroup2 is mounted")?;
    let groups = read("/proc/self/cgroup")?;
    let own = groups.lines().find_map(|line| line.strip_prefix("0::"));
    let own = own.ok_or("/proc/self/cgroup names no cgroup2")?;
    Ok(PathBuf::from(root).join(own.trim_start_matches('/')))
}

/// Where a line of mountinfo mounts a cgroup2: `… root MOUNTPOINT options … - cgroup2 …`.
fn mounted_at(line: &str) -> Option<&str> {
    let (mount, kind) = line.split_once(" - ")?;
    kind.starts_with("cgroup2 ")
        .then(|| mount.split(' ').nth(4))
        .flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The second version's tree is found among the first's.
    #[test]
    fn mountinfo() {
        let first = "30 24 0:26 / /sys/fs/cgroup/cpu rw,relatime shared:9 - cgroup cgroup rw,cpu";
        let second = "31 24 0:27 / /sys/fs/cgroup/unified rw,nosuid shared:5 - cgroup2 cgroup2 rw";
        assert_eq!(mounted_at(first), None);
        assert_eq!(mounted_at(second), Some("/sys/fs/cgroup/unified"));
    }
}
