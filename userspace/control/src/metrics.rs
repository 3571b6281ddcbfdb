//! Which metrics there are, and what they mean.
//!
//! Most are tables: name, kind, meaning, and where the number is found.

use std::collections::BTreeMap;

use zonecast_dataplane::{BytesRow, CounterSnapshot, StreamStatus, TrackStatus, ZoneCounters};

use crate::exposition::{Kind, Page};

/// A metric of something that has one number for it.
type Metric<T> = (&'static str, Kind, &'static str, fn(&T) -> u64);

const ZONE: &[Metric<ZoneCounters>] = &[
    ("zonecast_loops", Kind::Gauge, "Loops of the zone.", |z| {
        z.loops.into()
    }),
    (
        "zonecast_viewers",
        Kind::Gauge,
        "Viewer connections.",
        |z| z.viewers,
    ),
    (
        "zonecast_encoders",
        Kind::Gauge,
        "Encoder connections.",
        |z| z.encoders,
    ),
    (
        "zonecast_viewers_waiting",
        Kind::Gauge,
        "Viewers that wait for an object.",
        |z| z.waiting,
    ),
    (
        "zonecast_viewers_lapped_total",
        Kind::Counter,
        "Viewers cut off, or answered 410, because the ring had passed them.",
        |z| z.viewers_lapped,
    ),
    (
        "zonecast_handshakes_failed_total",
        Kind::Counter,
        "TLS handshakes that failed.",
        |z| z.handshakes_failed,
    ),
    (
        "zonecast_accepts_refused_total",
        Kind::Counter,
        "Connections reset because their listener was full.",
        |z| z.accepts_refused,
    ),
    (
        "zonecast_timeouts_total",
        Kind::Counter,
        "Viewers cut off for being too slow or silent.",
        |z| z.timeouts,
    ),
    (
        "zonecast_send_buffers_free",
        Kind::Gauge,
        "Send buffers in the pool.",
        |z| z.send_buffers_free,
    ),
    (
        "zonecast_loop_turns_total",
        Kind::Counter,
        "Turns of the loops, each at most one system call.",
        |z| z.turns,
    ),
    (
        "zonecast_ingest_bytes_total",
        Kind::Counter,
        "Body bytes taken from encoders.",
        |z| z.ingest_bytes,
    ),
    (
        "zonecast_zone_overloaded",
        Kind::Gauge,
        "1 while a loop has no send buffer left or a ring no room.",
        |z| z.overloaded.into(),
    ),
    (
        "zonecast_arena_bytes",
        Kind::Gauge,
        "Ring memory of the zone.",
        |z| z.arena_bytes,
    ),
    (
        "zonecast_arena_free_bytes",
        Kind::Gauge,
        "Ring memory of the zone that no ring has.",
        |z| z.arena_free,
    ),
];

const STREAM: &[Metric<StreamStatus>] = &[
    (
        "zonecast_stream_live",
        Kind::Gauge,
        "1 while the stream holds any object.",
        |s| s.live.into(),
    ),
    (
        "zonecast_uploads_open",
        Kind::Gauge,
        "Uploads in flight.",
        |s| s.uploads_open.into(),
    ),
    (
        "zonecast_uploads_total",
        Kind::Counter,
        "Uploads that were committed.",
        |s| s.uploads_total,
    ),
    (
        "zonecast_stream_window_short",
        Kind::Gauge,
        "1 while a ring holds less than the playlist lists.",
        |s| s.window_short.into(),
    ),
];

const TRACK: &[Metric<TrackStatus>] = &[
    (
        "zonecast_ring_bytes",
        Kind::Gauge,
        "Bytes of the track's ring.",
        |t| t.ring_bytes,
    ),
    (
        "zonecast_ring_live_bytes",
        Kind::Gauge,
        "Bytes of the ring in chunks that can be read.",
        |t| t.bytes_live,
    ),
    (
        "zonecast_ring_chunks",
        Kind::Gauge,
        "Chunks that can be read.",
        |t| t.chunks,
    ),
    (
        "zonecast_chunks_total",
        Kind::Counter,
        "Chunks completed.",
        |t| t.chunks_total,
    ),
    (
        "zonecast_objects",
        Kind::Gauge,
        "Objects that can be asked for.",
        |t| t.objects,
    ),
    (
        "zonecast_ring_stepped_over_total",
        Kind::Counter,
        "Times that the writer stepped over a chunk that was not quiet.",
        |t| t.stepped_over,
    ),
    (
        "zonecast_ring_refused_total",
        Kind::Counter,
        "Chunks that found no room.",
        |t| t.refused,
    ),
];

/// The whole page in the Prometheus text format.
#[must_use]
pub fn render(ready: bool, counters: &CounterSnapshot, streams: &[StreamStatus]) -> String {
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
            ("egress_zone", zone(row.egress_zone, "unknown")),
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
