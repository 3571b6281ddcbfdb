//! The machine itself: mounts, kernel modules, hugepages, the kernel's log, power.

use crate::tool::run;
use anyhow::{Context, Result, ensure};
use std::fs;
use std::process::Command;

/// What to mount where. The root itself is in memory, and `/tmp` a part of it.
const MOUNTS: [(&str, &str); 6] = [
    ("proc", "/proc"),
    ("sysfs", "/sys"),
    ("devtmpfs", "/dev"),
    ("tmpfs", "/run"),
    ("debugfs", "/sys/kernel/debug"),
    ("cgroup2", "/sys/fs/cgroup"),
];

/// Loaded on every kernel that has them; others have them built in.
const MODULES: [&str; 9] = [
    "crc32_generic",
    "crc32c_generic",
    "aesni_intel",
    "ghash_clmulni_intel",
    "ghash_generic",
    "ctr",
    "gcm",
    "tls",
    "tcp_diag",
];

/// 2 MiB pages on each node: rings, and some to spare.
pub(crate) const HUGEPAGES: u32 = 192;

/// The nodes that the host made.
pub(crate) const NODES: [u32; 2] = [0, 1];

/// What a log line has that must not be there.
const COMPLAINTS: [&str; 6] = [
    "WARNING:",
    "BUG:",
    "Oops",
    "general protection",
    "refcount_t",
    "Call Trace",
];

/// Mounts everything. Nothing can be said or read before this.
pub(crate) fn mount() -> Result<()> {
    for (kind, place) in MOUNTS {
        fs::create_dir_all(place).with_context(|| place)?;
        // The kernel may have mounted /dev itself.
        let mounted = run("/bin/mount", &["-t", kind, kind, place]);
        if kind != "devtmpfs" {
            mounted?;
        }
    }
    Ok(())
}

/// Makes the machine what an operator would: modules, hugepages on both nodes, loopback.
pub(crate) fn prepare() -> Result<()> {
    for module in MODULES {
        let _ = load(module, &[]);
    }
    for node in list(&read("/sys/devices/system/node/online")?)? {
        hugepages(node, HUGEPAGES)?;
    }
    run("ip", &["link", "set", "lo", "up"])?;
    Ok(())
}

/// Loads a module with parameters.
pub(crate) fn load(module: &str, parameters: &[&str]) -> Result<()> {
    let mut arguments = vec![module];
    arguments.extend(parameters);
    run("modprobe", &arguments).map(drop)
}

/// Reserves 2 MiB pages on a node.
pub(crate) fn hugepages(node: u32, count: u32) -> Result<()> {
    write(&pages_of(node, "nr_hugepages"), &count.to_string())
}

/// A number of a node's 2 MiB pages, such as `free_hugepages`.
pub(crate) fn pages(node: u32, which: &str) -> Result<u32> {
    number(&pages_of(node, which))
}

fn pages_of(node: u32, which: &str) -> String {
    format!("/sys/devices/system/node/node{node}/hugepages/hugepages-2048kB/{which}")
}

/// A file of the kernel's, without the end of its line.
pub(crate) fn read(path: &str) -> Result<String> {
    let text = fs::read_to_string(path).with_context(|| path.to_owned())?;
    Ok(text.trim().to_owned())
}

/// A file of the kernel's with one number.
pub(crate) fn number<N: std::str::FromStr>(path: &str) -> Result<N> {
    let text = read(path)?;
    let number = text.parse().ok();
    number.with_context(|| format!("{path}: {text}"))
}

/// What the kernel counts of TLS (`TlsTxSw`).
pub(crate) fn tls_stat(name: &str) -> Result<u64> {
    let stat = read("/proc/net/tls_stat")?;
    let value = counter(&stat, name).with_context(|| format!("no {name} in {stat}"))?;
    Ok(value.parse()?)
}

/// The word after `name`, on a line of their own.
fn counter<'a>(stat: &'a str, name: &str) -> Option<&'a str> {
    let mut lines = stat.lines().map(str::split_whitespace);
    lines.find_map(|mut words| words.next().filter(|word| *word == name).and(words.next()))
}

/// Writes to a file of the kernel's.
pub(crate) fn write(path: &str, text: &str) -> Result<()> {
    fs::write(path, text).with_context(|| path.to_owned())
}

/// The CPUs of a node.
pub(crate) fn cpus(node: u32) -> Result<Vec<u32>> {
    list(&read(&format!(
        "/sys/devices/system/node/node{node}/cpulist"
    ))?)
}

/// Reads a list such as `0-1,4`.
pub(crate) fn list(text: &str) -> Result<Vec<u32>> {
    let mut numbers = Vec::new();
    for part in text.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        numbers.extend(first.parse::<u32>()?..=last.parse()?);
    }
    Ok(numbers)
}

/// That the kernel has complained of nothing since this was last asked.
pub(crate) fn log_is_clean() -> Result<String> {
    let log = run("dmesg", &["-c"])?;
    let lines = log.lines();
    let bad: Vec<_> = lines
        .filter(|line| COMPLAINTS.iter().any(|c| line.contains(c)))
        .collect();
    ensure!(bad.is_empty(), "{}", bad.join("\n"));
    Ok(format!("{} lines, no complaint", log.lines().count()))
}

/// Ends the machine. Does not return to a caller that is still needed.
pub(crate) fn power_off() {
    let _ = Command::new("/bin/poweroff").arg("-f").status();
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A counter is found by its whole name.
    #[test]
    fn reads_counters() {
        let stat = "TlsCurrTxSw 1\nTlsTxSw \t 12\n";
        assert_eq!(counter(stat, "TlsTxSw"), Some("12"));
        assert_eq!(counter(stat, "Tls"), None);
    }

    /// Lists of CPUs are ranges and single ones.
    #[test]
    fn reads_lists() {
        assert_eq!(list("0-1,4").unwrap(), [0, 1, 4]);
        assert!(list("").is_err());
    }
}
