//! Metrics that are one number of a zone, a stream or a track: name, kind, meaning, and where the
//! number is found.

use zonecast_dataplane::{StreamStatus, TrackStatus, ZoneCounters};

use crate::exposition::Kind;

/// A metric of something that has one number for it.
pub(crate) type Metric<T> = (&'static str, Kind, &'static str, fn(&T) -> u64);

/// One number a zone.
pub(crate) const ZONE: &[Metric<ZoneCounters>] = &[
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
        "Connections reset because their listener was full, or the kernel held too much for sockets.",
        |z| z.accepts_refused,
    ),
    (
        "zonecast_viewers_redirected_total",
        Kind::Counter,
        "Requests for playlists that were sent to a host of the stream's home zone.",
        |z| z.viewers_redirected,
    ),
    (
        "zonecast_requests_misplaced_total",
        Kind::Counter,
        "Requests that were answered in another zone than the stream's.",
        |z| z.requests_misplaced,
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
        "zonecast_sends_short_total",
        Kind::Counter,
        "Sends of which the socket took only a part.",
        |z| z.sends_short,
    ),
    (
        "zonecast_kernel_tls_handovers_total",
        Kind::Counter,
        "Viewers' connections that the kernel has taken the sealing of.",
        |z| z.kernel_handovers,
    ),
    (
        "zonecast_kernel_tls_refusals_total",
        Kind::Counter,
        "Connections that the kernel would not seal, or not under another key.",
        |z| z.kernel_refusals,
    ),
    (
        "zonecast_nic_tls_handovers_total",
        Kind::Counter,
        "Viewers' connections that a network card has taken the sealing of.",
        |z| z.card_handovers,
    ),
    (
        "zonecast_nic_tls_refusals_total",
        Kind::Counter,
        "Connections of nic_tls12 listeners that no card has taken.",
        |z| z.card_refusals,
    ),
    (
        "zonecast_nic_tls_fallbacks_total",
        Kind::Counter,
        "Connections that have left their card: device down, or another route.",
        |z| z.card_fallbacks,
    ),
    (
        "zonecast_nic_tls_lent_bytes_total",
        Kind::Counter,
        "Bytes that network cards read in the rings' own memory, without a copy.",
        |z| z.card_lent_bytes,
    ),
    (
        "zonecast_sends_kept_bytes",
        Kind::Gauge,
        "Bytes that sockets left of their last sends, kept until they take them.",
        |z| z.rest_bytes,
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
        "1 while a loop has no send buffer left, or the kernel holds too much for sockets.",
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

/// One number a stream.
pub(crate) const STREAM: &[Metric<StreamStatus>] = &[
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

/// One number a track.
pub(crate) const TRACK: &[Metric<TrackStatus>] = &[
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
