//! What the process may do, and what it does without: one log line for each thing that lacks.
//!
//! The daemon needs no privilege. With some it is faster, or reaches lower ports.

use std::io;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustix::thread::{CapabilitySet, capabilities};

use crate::config::Settings;

/// Descriptors beside those of connections: rings, regions, sockets, files, logs.
const DESCRIPTORS_BESIDE: u64 = 256;

/// Raises what may be raised, and says what is missing.
pub(super) fn raise_and_report(settings: &Settings) {
    match raise_descriptors() {
        Ok(limit) => report_descriptors(limit, settings),
        Err(error) => tracing::warn!(%error, "RLIMIT_NOFILE cannot be raised"),
    }
    report_locked_memory(settings);
}

/// Raises the soft limit to the hard one; `None` is no limit.
pub(crate) fn raise_descriptors() -> io::Result<Option<u64>> {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(
        Resource::Nofile,
        Rlimit {
            current: limit.maximum,
            maximum: limit.maximum,
        },
    )?;
    Ok(limit.maximum)
}

/// Descriptors that a configuration may take at most.
pub(crate) fn descriptors_wanted(settings: &Settings) -> u64 {
    let viewers = settings
        .listeners
        .iter()
        .map(|l| u64::from(l.limits.connections_max));
    let encoders = u64::from(settings.ingest.limits.connections_max);
    viewers.sum::<u64>() + encoders + DESCRIPTORS_BESIDE
}

/// Bytes of memory that may be locked.
pub(crate) fn locked_wanted(settings: &Settings) -> u64 {
    settings
        .memory
        .arena_bytes
        .saturating_mul(settings.planned.zones.len() as u64)
}

fn report_descriptors(limit: Option<u64>, settings: &Settings) {
    let wanted = descriptors_wanted(settings);
    if let Some(limit) = limit.filter(|limit| *limit < wanted) {
        tracing::warn!(
            limit,
            wanted,
            "RLIMIT_NOFILE is less than all connections_max need: the last ones may be refused"
        );
    }
}

fn report_locked_memory(settings: &Settings) {
    let may_lock =
        capabilities(None).is_ok_and(|sets| sets.effective.contains(CapabilitySet::IPC_LOCK));
    let limit = getrlimit(Resource::Memlock).current;
    let wanted = locked_wanted(settings);
    if let Some(limit) = limit.filter(|limit| !may_lock && *limit < wanted) {
        tracing::warn!(
            limit,
            wanted,
            "no CAP_IPC_LOCK, and RLIMIT_MEMLOCK is less than the arenas: ring memory may not be registered with the kernel"
        );
    }
}
