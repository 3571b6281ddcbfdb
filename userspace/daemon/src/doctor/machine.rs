//! The kernel, io_uring, and what this process may do.

use std::time::Instant;

use rustix::process::{Resource, getrlimit};
use rustix::thread::{CapabilitySet, capabilities};
use serde::Serialize;
use zonecast_dataplane::ListenAddress;
use zonecast_io::{UringConfig, UringDriver};

use super::roots::{Roots, number};
use crate::config::Settings;
use crate::serve::privileges::{descriptors_wanted, locked_wanted, raise_descriptors};

/// Below this, ports need a capability where the kernel says nothing else.
const PRIVILEGED_PORTS: u64 = 1024;

/// The kernel and this process.
#[derive(Debug, Serialize)]
pub struct Machine {
    /// The kernel's release.
    pub kernel: String,
    /// io_uring, as a loop would get it.
    pub io_uring: Ring,
    /// Limits that the configuration can run into.
    pub limits: Vec<Limit>,
    /// Capabilities that something here asks for.
    pub capabilities: Vec<Capability>,
}

/// A loop's ring.
#[derive(Debug, Serialize)]
pub struct Ring {
    /// Why there can be none.
    pub error: Option<String>,
    /// What the kernel lacked, and what is used instead; one line each.
    pub lacks: Vec<String>,
}

/// A limit of the process.
#[derive(Debug, Serialize)]
pub struct Limit {
    /// Its name, as `getrlimit` has it.
    pub name: &'static str,
    /// What it is for.
    pub what: &'static str,
    /// The limit in force; `None` is none.
    pub limit: Option<u64>,
    /// What this configuration may take at most.
    pub wanted: u64,
    /// Whether these are bytes.
    #[serde(skip)]
    pub is_bytes: bool,
    /// What is less without; `None` where it is enough.
    pub without: Option<String>,
}

/// A capability.
#[derive(Debug, Serialize)]
pub struct Capability {
    /// Its name.
    pub name: &'static str,
    /// Whether this process has it.
    pub held: bool,
    /// What it is for.
    pub gives: &'static str,
    /// Whether this configuration is less without it.
    pub needed: bool,
}

/// Looks at the kernel and at this process.
pub(super) fn look(settings: &Settings, roots: &Roots) -> Machine {
    // As `serve` does it before anything else.
    let raised = raise_descriptors();
    let held = capabilities(None).map_or(CapabilitySet::empty(), |sets| sets.effective);
    Machine {
        kernel: roots.release(),
        io_uring: ring(settings),
        limits: vec![
            open_files(
                raised.unwrap_or(getrlimit(Resource::Nofile).current),
                settings,
            ),
            locked(held, settings),
        ],
        capabilities: all_capabilities(held, settings, roots),
    }
}

/// Makes a ring as a loop does, and drops it.
fn ring(settings: &Settings) -> Ring {
    let viewers = settings.listeners.iter().map(|l| l.limits.connections_max);
    let encoders = settings.ingest.addresses.len() as u32 * settings.ingest.limits.connections_max;
    let config = UringConfig {
        connections_max: (viewers.sum::<u32>() + encoders).max(1),
        send_buffers: 1,
        receive_buffers: 1,
        receive_buffer_bytes: 4096,
        sq_entries: 1024,
        regions: None,
        epoch: Instant::now(),
    };
    match UringDriver::<()>::new(config) {
        Ok(driver) => Ring {
            error: None,
            lacks: driver.step_downs().to_vec(),
        },
        Err(error) => Ring {
            error: Some(format!("io_uring: {error}{}", remedy(&error))),
            lacks: Vec::new(),
        },
    }
}

fn remedy(error: &std::io::Error) -> &'static str {
    match error.kind() {
        std::io::ErrorKind::PermissionDenied => "; sysctl kernel.io_uring_disabled=0 allows it",
        std::io::ErrorKind::OutOfMemory => "; raise RLIMIT_MEMLOCK or grant CAP_IPC_LOCK",
        _ => "",
    }
}

fn open_files(limit: Option<u64>, settings: &Settings) -> Limit {
    let wanted = descriptors_wanted(settings);
    let short = limit.is_some_and(|limit| limit < wanted);
    Limit {
        name: "RLIMIT_NOFILE",
        what: "open files",
        limit,
        wanted,
        is_bytes: false,
        without: short.then(|| {
            format!("the last connections may be refused; LimitNOFILE={wanted} in the unit")
        }),
    }
}

fn locked(held: CapabilitySet, settings: &Settings) -> Limit {
    let limit = getrlimit(Resource::Memlock).current;
    let limit = limit.filter(|_| !held.contains(CapabilitySet::IPC_LOCK));
    let wanted = locked_wanted(settings);
    let short = limit.is_some_and(|limit| limit < wanted);
    Limit {
        name: "RLIMIT_MEMLOCK",
        what: "locked memory",
        limit,
        wanted,
        is_bytes: true,
        without: short.then(|| {
            "ring memory may not be registered with the kernel; LimitMEMLOCK=infinity in the unit"
                .to_owned()
        }),
    }
}

fn all_capabilities(held: CapabilitySet, settings: &Settings, roots: &Roots) -> Vec<Capability> {
    let first_free = number(&roots.proc.join("sys/net/ipv4/ip_unprivileged_port_start"));
    let first_free = first_free.unwrap_or(PRIVILEGED_PORTS);
    let low_port = ports(settings).any(|port| port > 0 && u64::from(port) < first_free);
    let steers = settings.steering.is_some();
    let one = |name, set, gives, needed| Capability {
        name,
        held: held.contains(set),
        gives,
        needed,
    };
    vec![
        one(
            "CAP_NET_BIND_SERVICE",
            CapabilitySet::NET_BIND_SERVICE,
            "low ports",
            low_port,
        ),
        one(
            "CAP_IPC_LOCK",
            CapabilitySet::IPC_LOCK,
            "locked memory without a limit",
            false,
        ),
        one(
            "CAP_NET_ADMIN",
            CapabilitySet::NET_ADMIN,
            "steering, and seeing whether a card seals a connection",
            steers,
        ),
        one(
            "CAP_BPF",
            CapabilitySet::BPF,
            "steering by programs in the kernel",
            steers,
        ),
        one(
            "CAP_PERFMON",
            CapabilitySet::PERFMON,
            "a list of live connections",
            false,
        ),
        one(
            "CAP_SYS_RESOURCE",
            CapabilitySet::SYS_RESOURCE,
            "more open files than the hard limit",
            false,
        ),
    ]
}

fn ports(settings: &Settings) -> impl Iterator<Item = u16> {
    let viewers = settings.listeners.iter().map(|listener| &listener.address);
    let all = viewers
        .chain(&settings.ingest.addresses)
        .chain([&settings.admin]);
    all.filter_map(|address| match address {
        ListenAddress::Tcp(address) => Some(address.port()),
        ListenAddress::Unix(_) => None,
    })
}
