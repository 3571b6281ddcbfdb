//! `zonecast zones`: what programs in the kernel have counted of each zone.
//!
//! Reads the pinned maps: it takes no privilege beyond the way to the folder, and no daemon.

mod text;

use std::io::Write;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context;
use serde::Serialize;
use zonecast_ebpf::{Arrival, Counters, Folder, Live, ZoneSums, try_attached};

use crate::cli::ZonesArguments;

/// All zones.
#[derive(Debug, Serialize)]
pub struct Zones {
    /// Where it was read.
    pub folder: String,
    /// In order.
    pub zones: Vec<Zone>,
    /// Connections that no zone was found for, by reason.
    pub unsteered: Vec<(&'static str, u64)>,
    /// What the loops say of themselves, for root.
    pub loops: Option<Vec<Loop>>,
}

/// One loop.
#[derive(Debug, Serialize)]
pub struct Loop {
    /// Its zone.
    pub zone: u16,
    /// Viewers now.
    pub viewers: u32,
    /// Viewers that it has accepted since the daemon's start.
    pub accepted: u64,
}

/// One zone.
#[derive(Debug, Default, PartialEq, Serialize)]
pub struct Zone {
    /// Its number.
    pub zone: usize,
    /// Connections that it was given, by the rule that decided.
    pub steered: Vec<(&'static str, u64)>,
    /// Connections that it should have been given, by reason.
    pub missed: Vec<(&'static str, u64)>,
    /// Accepted in all.
    pub accepted: u64,
    /// Of these, not closed.
    pub connections: u64,
    /// Bytes that viewers have acknowledged: of closed connections, and of live ones where those can
    /// be listed.
    pub bytes_acked: u64,
    /// Packets sent again.
    pub retransmits: u64,
    /// The median round trip of live connections, else the mean of closed ones; `None` without any.
    pub rtt_us: Option<u64>,
}

/// Prints them; with `--clear` it removes what is pinned.
///
/// # Errors
/// Nothing is pinned there, it may not be read, or (to clear) a daemon steers from there.
pub fn run(arguments: &ZonesArguments) -> anyhow::Result<ExitCode> {
    let folder = &arguments.folder;
    if arguments.clear {
        let claimed = Folder::existing(folder)?;
        let claimed =
            claimed.with_context(|| format!("nothing is pinned in {}", folder.display()))?;
        claimed.remove()?;
        println!(
            "{}: nothing is pinned or attached any more",
            folder.display()
        );
        return Ok(ExitCode::SUCCESS);
    }
    if let (Some(from), Some(to)) = (arguments.from, arguments.to) {
        return ask(folder, from, to, arguments.times);
    }
    let counters = opened(folder)?;
    let live = counters.live()?.unwrap_or_default();
    let mut zones = gather(folder.display().to_string(), &counters.zones()?, &live);
    zones.loops = counters.loops()?.map(|loops| {
        let one = |state: zonecast_ebpf::LoopState| Loop {
            zone: state.zone,
            viewers: state.viewers,
            accepted: state.accepted,
        };
        loops.into_iter().map(one).collect()
    });
    let mut out = std::io::stdout().lock();
    if arguments.json {
        serde_json::to_writer_pretty(&mut out, &zones).context("standard output")?;
        writeln!(out)
    } else {
        write!(out, "{zones}")
    }
    .context("standard output")?;
    Ok(ExitCode::SUCCESS)
}

/// The counters of a folder.
pub(crate) fn opened(folder: &Path) -> anyhow::Result<Counters> {
    let shown = folder.display();
    if !folder.exists() {
        anyhow::bail!("{shown}: no daemon steers from here (steering.folder, or --folder)");
    }
    Counters::open(folder).with_context(|| format!("nothing can be read in {shown}"))
}

/// Says where a connection would go.
fn ask(folder: &Path, from: IpAddr, to: SocketAddr, times: u32) -> anyhow::Result<ExitCode> {
    let arrival = Arrival {
        client: SocketAddr::new(from, 40_000),
        address: to,
    };
    let (place, took) = try_attached(folder, &arrival, times.max(1))?;
    match place {
        Some(place) => println!(
            "zone {}: loop {}, listener {}; {} ns a decision",
            place.zone,
            place.loop_id,
            place.listener,
            took.as_nanos()
        ),
        None => println!(
            "left to the kernel, since nothing that is steered listens there; {} ns a decision",
            took.as_nanos()
        ),
    }
    Ok(ExitCode::SUCCESS)
}

fn gather(folder: String, sums: &[ZoneSums], live: &[Live]) -> Zones {
    let (none, zones) = sums
        .split_last()
        .map_or((None, sums), |(l, z)| (Some(l), z));
    let zone = |(zone, sums): (usize, &ZoneSums)| {
        let live: Vec<&Live> = live
            .iter()
            .filter(|l| usize::from(l.zone) == zone)
            .collect();
        let mut rtts: Vec<u64> = live.iter().map(|l| l.rtt_us.into()).collect();
        rtts.sort_unstable();
        let median = rtts.get(rtts.len() / 2).copied();
        let of_live: u64 = live.iter().map(|l| l.bytes_acked).sum();
        Zone {
            zone,
            steered: named(&ZoneSums::RULES, &sums.steered),
            missed: named(&ZoneSums::MISSES, &sums.missed),
            accepted: sums.established,
            connections: sums.established.saturating_sub(sums.closed),
            bytes_acked: sums.bytes_acked + of_live,
            retransmits: sums.retransmits,
            rtt_us: median.or_else(|| sums.rtt_us_sum.checked_div(sums.rtt_samples)),
        }
    };
    Zones {
        folder,
        zones: zones.iter().enumerate().map(zone).collect(),
        loops: None,
        unsteered: none.map_or(Vec::new(), |n| named(&ZoneSums::MISSES, &n.missed)),
    }
}

fn named(names: &[&'static str], counts: &[u64]) -> Vec<(&'static str, u64)> {
    names.iter().copied().zip(counts.iter().copied()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn live(zone: u16, bytes_acked: u64, rtt_us: u32) -> Live {
        Live {
            zone,
            loop_id: 0,
            established: true,
            bytes_acked,
            retransmits: 0,
            rtt_us,
        }
    }

    /// Closed and live connections add up by zone; the last sums are of no zone.
    #[test]
    fn zones_add_up() {
        let mut first = ZoneSums {
            established: 5,
            closed: 3,
            bytes_acked: 100,
            ..ZoneSums::default()
        };
        first.steered[1] = 5;
        let second = ZoneSums {
            rtt_us_sum: 90,
            rtt_samples: 3,
            ..ZoneSums::default()
        };
        let mut none = ZoneSums::default();
        none.missed[0] = 7;
        let live = [live(0, 10, 300), live(0, 20, 100), live(0, 30, 200)];
        let zones = gather("x".to_owned(), &[first, second, none], &live);
        assert_eq!(zones.unsteered[0], ("no_loop", 7));
        assert_eq!(zones.zones.len(), 2);
        let zone = &zones.zones[0];
        assert_eq!((zone.connections, zone.accepted), (2, 5));
        assert_eq!((zone.bytes_acked, zone.rtt_us), (160, Some(200)));
        assert_eq!(zone.steered[1], ("stream", 5));
        assert_eq!(zones.zones[1].rtt_us, Some(30));
    }
}
