//! What viewers take that do nothing: quiet ones that have had an object, and stalled ones that
//! have asked for one and do not read.
//!
//! Both ends of every connection are on this machine, and the kernel's memory is that of both.

use std::time::Duration;

use anyhow::{Result, bail};
use zonecast_load::{Load, Pace};

use super::spec;
use crate::bed::Bed;
use crate::figures::Figures;
use crate::memory::Memory;
use crate::peers::Peer;

pub(super) const IDLE: &str = "idle";
pub(super) const STALLED: &str = "stalled";
/// A stalled viewer's SO_RCVBUF; the kernel doubles it.
const STALLED_BUFFER: usize = 4096;
/// Viewers that come and go first, so that what is made once is not counted.
const FIRST: usize = 32;
const LAST_MAX: Duration = Duration::from_secs(30);
const SETTLE: Duration = Duration::from_secs(1);

pub(super) fn run(bed: &Bed, peer: &Peer, case: &str) -> Result<Figures> {
    let mut viewers = spec(bed, peer)?;
    let mut first = viewers.clone();
    first.connections = FIRST;
    first.pace = Pace::Once;
    Load::open(first)?.finish(LAST_MAX)?;
    std::thread::sleep(SETTLE);

    viewers.pace = Pace::Once;
    if case == STALLED {
        viewers.pace = Pace::Stalled;
        viewers.receive_buffer = Some(STALLED_BUFFER);
        viewers.connections = bed.stalled;
    }
    let count = viewers.connections as f64;
    let before = Memory::of(peer.pid)?;
    let mut load = Load::open(viewers)?;
    load.run(bed.times.measured)?;
    let after = Memory::of(peer.pid)?;
    if load.alive() as f64 != count {
        bail!("{} of {count} viewers are left", load.alive());
    }
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
