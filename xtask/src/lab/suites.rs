//! The suites that the guest can run: what each shows, on which kernels, and how long it may take.
//! What a suite does is a file of its own in the guest's crate (`tests/lab/guest`).

use crate::Result;
use std::time::Duration;

/// On which kernels a suite runs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum On {
    /// The newest only.
    Newest,
    /// All but the newest.
    Older,
}

/// A suite.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Suite {
    pub(super) name: &'static str,
    pub(super) shows: &'static str,
    pub(super) on: On,
    /// After this the run is ended.
    pub(super) limit: Duration,
}

/// All suites, in the order in which they run.
pub(super) const SUITES: [Suite; 9] = [
    Suite {
        name: "boot",
        shows: "the kernel, two NUMA nodes, hugepages on both, kTLS, every module loads",
        on: On::Newest,
        limit: Duration::from_secs(120),
    },
    Suite {
        name: "numa",
        shows: "both zones; loops, rings and streams in their place; bytes that leave their zone",
        on: On::Newest,
        limit: Duration::from_secs(360),
    },
    Suite {
        name: "steering",
        shows: "viewers come to the zone of their stream by their first packet; kTLS behind it",
        on: On::Newest,
        limit: Duration::from_secs(240),
    },
    Suite {
        name: "ktls",
        shows: "records sealed by the kernel: every cipher, equal bytes, counts that agree",
        on: On::Newest,
        limit: Duration::from_secs(240),
    },
    Suite {
        name: "keyupdate",
        shows: "keys that change under the kernel's sealing; floods, renegotiation, cut ends",
        on: On::Newest,
        limit: Duration::from_secs(240),
    },
    Suite {
        name: "tlsnic",
        shows: "the emulated card: offload, loss, reordering, held segments, a full table",
        on: On::Newest,
        limit: Duration::from_secs(240),
    },
    Suite {
        name: "nic",
        shows: "records sealed by the card: the ledger to the byte, loss, cuts, fallback",
        on: On::Newest,
        limit: Duration::from_secs(240),
    },
    Suite {
        name: "doctor",
        shows: "zonecast doctor sees nodes, pages, kernel TLS and card; what it advises works",
        on: On::Newest,
        limit: Duration::from_secs(120),
    },
    Suite {
        name: "kernels",
        shows: "the same daemon on older kernels: it steps down, says so, and serves",
        on: On::Older,
        limit: Duration::from_secs(240),
    },
];

/// The suites of these names, or all of them, in their order.
pub(super) fn select(names: &[String]) -> Result<Vec<Suite>> {
    if let Some(name) = names.iter().find(|n| SUITES.iter().all(|s| s.name != **n)) {
        return Err(format!(
            "there is no suite {name}; `cargo xtask lab list` lists them"
        ));
    }
    let wanted = |suite: &Suite| names.is_empty() || names.iter().any(|n| n == suite.name);
    Ok(SUITES.into_iter().filter(wanted).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Names select, in the table's order; none selects all; a wrong one is an error.
    #[test]
    fn selects_by_name() {
        let names = ["numa", "boot"].map(String::from);
        let picked: Vec<_> = select(&names).unwrap().iter().map(|s| s.name).collect();
        assert_eq!(picked, ["boot", "numa"]);
        assert_eq!(select(&[]).unwrap(), SUITES);
        assert!(select(&[String::from("bot")]).is_err());
    }
}
