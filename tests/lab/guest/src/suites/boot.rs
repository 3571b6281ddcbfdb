//! The machine is what the other suites take it for.

use crate::machine::{HUGEPAGES, NODES, cpus, load, pages, read};
use crate::report::{Report, Stop};
use anyhow::ensure;

/// What must load, beyond what is loaded at the start.
const MODULES: [&str; 7] = [
    "tls", "veth", "dummy", "sch_fq", "tcp_bbr", "tcp_diag", "rdma_rxe",
];

pub(super) fn run(report: &mut Report) -> Result<(), Stop> {
    let _ = report.step("kernel", || read("/proc/sys/kernel/osrelease"));
    let _ = report.step("two nodes", || {
        let online = read("/sys/devices/system/node/online")?;
        ensure!(online == "0-1", "nodes {online}");
        let (first, second) = (cpus(0)?, cpus(1)?);
        ensure!(
            (first.len(), second.len()) == (2, 2),
            "{first:?} {second:?}"
        );
        Ok(format!("CPUs {first:?} and {second:?}"))
    });
    let _ = report.step("hugepages on both nodes", || {
        for node in NODES {
            let free = pages(node, "free_hugepages")?;
            ensure!(free == HUGEPAGES, "node {node} has {free}");
        }
        Ok(format!("{HUGEPAGES} of 2 MiB each"))
    });
    let _ = report.step("modules load", || {
        for module in MODULES {
            load(module, &[])?;
        }
        Ok(MODULES.join(" "))
    });
    let _ = report.step("TCP can hand TLS to the kernel", || {
        let protocols = read("/proc/sys/net/ipv4/tcp_available_ulp")?;
        ensure!(protocols.split(' ').any(|p| p == "tls"), "{protocols}");
        Ok(protocols)
    });
    let _ = report.step("a fast AES-GCM", || {
        let ciphers = read("/proc/crypto")?;
        let drivers = ciphers.lines().filter(|line| line.starts_with("driver"));
        let drivers = drivers.filter_map(|line| line.split(": ").nth(1));
        let fast = drivers
            .filter(|d| d.contains("gcm") && d.contains("aes"))
            .collect::<Vec<_>>();
        ensure!(
            fast.iter().any(|driver| driver.contains("aesni")),
            "only {fast:?}"
        );
        Ok(fast.join(" "))
    });
    Ok(())
}
