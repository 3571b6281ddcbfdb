//! What viewers take: quiet ones that have had an object, ones that ask again and again, and
//! stalled ones that have asked and do not read.
//!
//! Both ends of every connection are on this machine, and the kernel's memory is that of both.

use std::time::Duration;

use anyhow::{Result, bail};
use zonecast_load::{Load, Pace};

use super::spec;
use crate::bed::Bed;
use crate::crowd::{Crowd, Does};
use crate::figures::Figures;
use crate::memory::Memory;
use crate::peers::Peer;

/// The scenario's name.
pub const NAME: &str = "memory";
pub(super) const IDLE: &str = "idle";
pub(super) const ACTIVE: &str = "active";
/// Viewers that do not read; each may hold an object in the kernel.
pub const STALLED: &str = "stalled";
/// Bits a second of an active viewer, and of all of them at most.
const RATE: f64 = 2e6;
const RATE_MAX: f64 = 1.6e9;
/// Looks at the memory of active viewers, which differs from moment to moment.
const LOOKS: u32 = 10;
/// Viewers that come and go first, so that what is made once is not counted.
const FIRST: usize = 32;
const LAST_MAX: Duration = Duration::from_secs(30);
const SETTLE: Duration = Duration::from_secs(1);

pub(super) fn run(bed: &Bed, peer: &Peer, case: &str) -> Result<Figures> {
    let mut first = spec(bed, peer)?;
    first.connections = FIRST;
    first.pace = Pace::Once;
    Load::open(first)?.finish(LAST_MAX)?;
    std::thread::sleep(SETTLE);

    let (does, viewers) = match case {
        IDLE => (Does::Idle, bed.connections),
        ACTIVE => (Does::Asks(interval(bed)), bed.connections),
        STALLED => (Does::Stalls, bed.stalled),
        other => bail!("there are no {other} viewers"),
    };
    let count = viewers as f64;
    let before = Memory::of(peer.pid)?;
    let crowd = Crowd::open(bed, peer, does, viewers)?;
    let looks = if case == ACTIVE { LOOKS } else { 1 };
    let mut seen = Vec::new();
    for _ in 0..looks {
        std::thread::sleep(bed.times.measured / looks);
        seen.push(Memory::of(peer.pid)?);
    }
    crowd.finish()?;
    let after = Memory::mean(&seen);
    let mut figures = Figures::default();
    let mut add = |name, before: f64, after: f64| figures.add(name, (after - before) / count);
    add("pss_bytes_per_viewer", before.pss_bytes, after.pss_bytes);
    add("rss_bytes_per_viewer", before.rss_bytes, after.rss_bytes);
    add("kernel_tcp_bytes", before.tcp_bytes, after.tcp_bytes);
    add("kernel_slab_bytes", before.slab_bytes, after.slab_bytes);
    figures.add("viewers", count);
    figures.add("pss_mib_after", after.pss_bytes / 1_048_576.0);
    let note = "the kernel's bytes are for a viewer with both ends of its connection";
    figures.notes.push(note.to_owned());
    Ok(figures)
}

/// Between two requests of an active viewer.
fn interval(bed: &Bed) -> Duration {
    let bits = bed.objects.size() as f64 * 8.0;
    let all = bits * bed.connections as f64 / RATE_MAX;
    Duration::from_secs_f64((bits / RATE).max(all))
}
