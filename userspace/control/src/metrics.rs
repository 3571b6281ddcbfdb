//! The metrics page: every family of [`crate::tables`], and those with labels of their own.

mod steering;

use std::collections::BTreeMap;

use zonecast_dataplane::{BytesRow, CounterSnapshot, StreamStatus, ZoneCounters};

use crate::exposition::{Kind, Page};
use crate::source::InKernel;
use crate::tables::{STREAM, TRACK, ZONE};

/// The whole page in the Prometheus text format.
#[must_use]
pub fn render(
    ready: bool,
    counters: &CounterSnapshot,
    streams: &[StreamStatus],
    kernel: Option<&InKernel>,
) -> String {
    let mut page = Page::default();
    page.family(
        "zonecast_build_info",
        Kind::Gauge,
        "Always 1; the version is a label.",
    );
    page.sample(&[("version", env!("CARGO_PKG_VERSION"))], 1);
    page.family(
        "zonecast_ready",
        Kind::Gauge,
        "1 while new viewers are served.",
    );
    page.sample(&[], ready.into());
    let (name, help) = (
        "zonecast_socket_memory_bytes",
        "What the kernel holds for TCP sockets, of all processes.",
    );
    page.family(name, Kind::Gauge, help);
    page.sample(&[], counters.socket_memory_bytes);
    let (name, help) = (
        "zonecast_socket_memory_max_bytes",
        "From here on new viewers are refused; 0: never.",
    );
    page.family(name, Kind::Gauge, help);
    page.sample(&[], counters.socket_memory_max);
    zones(&mut page, &counters.zones);
    bytes(&mut page, &counters.bytes);
    let (name, help) = (
        "zonecast_ingest_errors_total",
        "Uploads refused, cut or complained about.",
    );
    page.family(name, Kind::Counter, help);
    for (reason, count) in &counters.ingest_errors {
        page.sample(&[("reason", reason)], *count);
    }
    self::streams(&mut page, streams);
    if let Some(kernel) = kernel {
        steering::families(&mut page, kernel);
    }
    page.finish()
}

fn zones(page: &mut Page, zones: &[ZoneCounters]) {
    for (name, kind, help, number) in ZONE {
        page.family(name, *kind, help);
        for zone in zones {
            page.sample(&[("zone", &zone.zone.to_string())], number(zone));
        }
    }
    page.family(
        "zonecast_handshakes_total",
        Kind::Counter,
        "TLS handshakes that succeeded.",
    );
    for zone in zones {
        let id = zone.zone.to_string();
        page.sample(&[("zone", &id), ("resumed", "false")], zone.handshakes_full);
        page.sample(
            &[("zone", &id), ("resumed", "true")],
            zone.handshakes_resumed,
        );
    }
    page.family(
        "zonecast_arena_pages",
        Kind::Gauge,
        "Always 1; the page size is a label.",
    );
    for zone in zones {
        page.sample(
            &[("zone", &zone.zone.to_string()), ("pages", &zone.pages)],
            1,
        );
    }
    page.family(
        "zonecast_responses_total",
        Kind::Counter,
        "Responses by status.",
    );
    for zone in zones {
        let id = zone.zone.to_string();
        for (status, count) in &zone.responses {
            page.sample(&[("zone", &id), ("status", &status.to_string())], *count);
        }
    }
}

fn bytes(page: &mut Page, rows: &[BytesRow]) {
    let name = "zonecast_bytes_total";
    let help = "Bytes to viewers, by the zones of ring, loop and egress device, and by path.";
    page.family(name, Kind::Counter, help);
    let mut by_loop_zone = BTreeMap::<_, u64>::new();
    for row in rows {
        let zone = |zone: Option<u16>, none: &str| zone.map_or(none.to_owned(), |z| z.to_string());
        let labels = [
            ("ring_zone", zone(row.ring_zone, "none")),
            ("loop_zone", row.loop_zone.to_string()),
            ("egress_zone", row.egress_zone.to_string()),
        ];
        let [ring, at, egress] = labels
            .each_ref()
            .map(|(name, value)| (*name, value.as_str()));
        page.sample(&[ring, at, egress, ("path", row.path.as_str())], row.bytes);
        *by_loop_zone.entry((row.loop_zone, row.path)).or_default() += row.bytes;
    }
    let (name, help) = (
        "zonecast_zone_bytes_total",
        "Bytes to viewers, by the loop's zone.",
    );
    page.family(name, Kind::Counter, help);
    for ((zone, path), sum) in by_loop_zone {
        page.sample(&[("zone", &zone.to_string()), ("path", path.as_str())], sum);
    }
}

fn streams(page: &mut Page, streams: &[StreamStatus]) {
    for (name, kind, help, number) in STREAM {
        page.family(name, *kind, help);
        for stream in streams {
            page.sample(&[("stream", &stream.id)], number(stream));
        }
    }
    for (name, kind, help, number) in TRACK {
        page.family(name, *kind, help);
        for stream in streams {
            for track in &stream.tracks {
                page.sample(
                    &[("stream", &stream.id), ("track", &track.name)],
                    number(track),
                );
            }
        }
    }
}
