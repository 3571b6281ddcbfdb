//! What a stream takes in the daemon beside its ring, whose size is configured: the memory of a
//! daemon with so many streams, an object in each, without that of one that has none. What sixteen
//! viewers take is in it, so that only many streams say what one takes.

use std::time::Duration;

use anyhow::{Context, Result};

use zonecast_load::{Load, Pace};

use super::spec;
use crate::bed::Bed;
use crate::figures::Figures;
use crate::memory::Memory;
use crate::peers::{self, Peer};

/// The scenario's name.
pub const NAME: &str = "streams";
const LAST_MAX: Duration = Duration::from_secs(60);
/// How long each of the streams is asked for its object, by turns.
const ASKED: Duration = Duration::from_secs(2);

pub(super) fn run(bed: &Bed, peer: &Peer, _case: &str) -> Result<Figures> {
    let mut viewers = spec(bed, peer)?;
    viewers.pace = Pace::Closed;
    let mut load = Load::open(viewers)?;
    load.run(ASKED)?;
    let counts = load.finish(LAST_MAX)?;
    super::not_empty(&counts)?;
    let with = Memory::of(peer.pid)?;
    let without = peer
        .empty
        .context("nobody looked at a daemon without streams")?;
    let streams = f64::from(bed.point.streams);
    let mut figures = Figures::default();
    let taken = with.pss_bytes - without.pss_bytes;
    figures.add("pss_bytes_per_stream", taken / streams);
    figures.add("ring_bytes_per_stream", peers::ring_bytes(bed) as f64);
    figures.add("pss_mib_after", with.pss_bytes / 1_048_576.0);
    figures.add("pss_mib_without", without.pss_bytes / 1_048_576.0);
    figures.add("verified", counts.verified as f64);
    Ok(figures)
}
