//! Where sockets are counted: the root of the second version's cgroups.
//!
//! Not the process's own: a connection belongs to the cgroup in which its listening socket was made, and
//! one that was handed on was made in an earlier daemon's. Sockets that are not tagged are not counted.

use std::fs;
use std::path::PathBuf;

/// Where it is, or why that is not known.
pub(super) fn root() -> Result<PathBuf, String> {
    let path = "/proc/self/mountinfo";
    let mounts = fs::read_to_string(path).map_err(|error| format!("{path}: {error}"))?;
    let root = mounts.lines().find_map(mounted_at);
    root.map(PathBuf::from)
        .ok_or_else(|| "no cgroup2 is mounted".to_owned())
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
