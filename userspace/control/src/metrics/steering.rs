//! What the programs in the kernel count.

use zonecast_ebpf::ZoneSums;

use crate::exposition::{Kind, Page};
use crate::source::InKernel;

/// A metric of a zone's connections.
type Metric = (&'static str, Kind, &'static str, fn(&ZoneSums) -> u64);

/// One number a zone.
const ZONE: &[Metric] = &[
    (
        "zonecast_connections",
        Kind::Gauge,
        "Connections that the zone's sockets have accepted and that are not closed.",
        |z| z.established.saturating_sub(z.closed),
    ),
    (
        "zonecast_connections_total",
        Kind::Counter,
        "Connections that the zone's sockets have accepted.",
        |z| z.established,
    ),
    (
        "zonecast_closed_bytes_acked_total",
        Kind::Counter,
        "Bytes that viewers have acknowledged, of closed connections.",
        |z| z.bytes_acked,
    ),
    (
        "zonecast_retransmits_total",
        Kind::Counter,
        "Packets that were sent again.",
        |z| z.retransmits,
    ),
    (
        "zonecast_closed_rtt_microseconds_total",
        Kind::Counter,
        "Smoothed round trips at the ends of connections, added up.",
        |z| z.rtt_us_sum,
    ),
    (
        "zonecast_closed_rtt_samples_total",
        Kind::Counter,
        "How many round trips were added up.",
        |z| z.rtt_samples,
    ),
];

/// All of it.
pub(super) fn families(page: &mut Page, kernel: &InKernel) {
    let (name, help) = (
        "zonecast_steering",
        "Always 1; how connections get to zones is a label.",
    );
    page.family(name, Kind::Gauge, help);
    page.sample(&[("path", kernel.path)], 1);
    if kernel.zones.is_empty() {
        return;
    }
    // The last is of connections that no zone was found for.
    let zones: Vec<(String, &ZoneSums)> = kernel
        .zones
        .iter()
        .enumerate()
        .map(|(zone, sums)| match zone + 1 == kernel.zones.len() {
            true => ("none".to_owned(), sums),
            false => (zone.to_string(), sums),
        })
        .collect();
    let (name, help) = (
        "zonecast_steered_total",
        "Decisions for the zone, by rule; strays and trials are among them.",
    );
    page.family(name, Kind::Counter, help);
    for (zone, sums) in zones.iter().take(zones.len().saturating_sub(1)) {
        for (rule, count) in ZoneSums::RULES.iter().zip(sums.steered) {
            page.sample(&[("zone", zone), ("rule", rule)], count);
        }
    }
    let (name, help) = (
        "zonecast_steering_missed_total",
        "Decisions for the zone that were left to the kernel, by reason.",
    );
    page.family(name, Kind::Counter, help);
    for (zone, sums) in &zones {
        for (reason, count) in ZoneSums::MISSES.iter().zip(sums.missed) {
            page.sample(&[("zone", zone), ("reason", reason)], count);
        }
    }
    for (name, kind, help, number) in ZONE {
        page.family(name, *kind, help);
        for (zone, sums) in zones.iter().take(zones.len().saturating_sub(1)) {
            page.sample(&[("zone", zone)], number(sums));
        }
    }
}
