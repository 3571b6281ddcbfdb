//! The metrics page, as Prometheus sees it.

#![allow(clippy::unwrap_used, reason = "a test's panic is its verdict")]

use zonecast_control::{InKernel, render_metrics};
use zonecast_dataplane::{
    BytePath, BytesRow, CounterSnapshot, EgressZone, StreamStatus, TrackStatus, ZoneCounters,
};
use zonecast_ebpf::ZoneSums;

fn row(
    ring_zone: Option<u16>,
    loop_zone: u16,
    egress_zone: EgressZone,
    path: BytePath,
    bytes: u64,
) -> BytesRow {
    BytesRow {
        ring_zone,
        loop_zone,
        egress_zone,
        path,
        bytes,
    }
}

fn sample_page() -> String {
    let zone = |zone| ZoneCounters {
        zone,
        loops: 2,
        viewers: 10 + u64::from(zone),
        viewers_lapped: 3,
        handshakes_full: 5,
        handshakes_resumed: 7,
        overloaded: zone == 1,
        pages: "2MiB".to_owned(),
        responses: vec![(200, 40), (410, 3)],
        ..ZoneCounters::default()
    };
    let counters = CounterSnapshot {
        zones: vec![zone(0), zone(1)],
        bytes: vec![
            row(Some(0), 0, EgressZone::Zone(0), BytePath::UserspaceTls, 100),
            row(Some(1), 0, EgressZone::Unknown, BytePath::UserspaceTls, 11),
            row(None, 1, EgressZone::Outside, BytePath::Plain, 8),
            row(None, 1, EgressZone::Any, BytePath::Plain, 1),
        ],
        ingest_errors: vec![("cut", 2), ("idle", 0)],
        socket_memory_bytes: 123_456,
        socket_memory_max: 0,
    };
    let track = TrackStatus {
        name: "v\"1\"".to_owned(),
        ring_bytes: 64 << 20,
        chunks_total: 77,
        ..TrackStatus::default()
    };
    let stream = StreamStatus {
        id: "news".to_owned(),
        live: true,
        tracks: vec![track],
        ..Default::default()
    };
    render_metrics(true, &counters, &[stream], Some(&kernel()))
}

fn kernel() -> InKernel {
    let mut zone = ZoneSums {
        established: 9,
        closed: 2,
        retransmits: 3,
        ..ZoneSums::default()
    };
    zone.steered[1] = 8;
    zone.missed[1] = 1;
    let mut none = ZoneSums::default();
    none.missed[0] = 4;
    InKernel {
        path: "sk_lookup",
        zones: vec![ZoneSums::default(), zone, none],
    }
}

/// The names and labels that dashboards and the demo rely on, each with its value.
#[test]
fn the_promised_metrics_are_there() {
    let page = sample_page();
    for line in [
        r#"zonecast_ready 1"#,
        r#"zonecast_socket_memory_bytes 123456"#,
        r#"zonecast_viewers{zone="1"} 11"#,
        r#"zonecast_viewers_lapped_total{zone="0"} 3"#,
        r#"zonecast_handshakes_total{zone="0",resumed="false"} 5"#,
        r#"zonecast_handshakes_total{zone="0",resumed="true"} 7"#,
        r#"zonecast_zone_overloaded{zone="0"} 0"#,
        r#"zonecast_zone_overloaded{zone="1"} 1"#,
        r#"zonecast_arena_pages{zone="0",pages="2MiB"} 1"#,
        r#"zonecast_responses_total{zone="0",status="410"} 3"#,
        r#"zonecast_bytes_total{ring_zone="0",loop_zone="0",egress_zone="0",path="userspace_tls"} 100"#,
        r#"zonecast_bytes_total{ring_zone="1",loop_zone="0",egress_zone="unknown",path="userspace_tls"} 11"#,
        r#"zonecast_bytes_total{ring_zone="none",loop_zone="1",egress_zone="outside",path="plain"} 8"#,
        r#"zonecast_bytes_total{ring_zone="none",loop_zone="1",egress_zone="any",path="plain"} 1"#,
        r#"zonecast_zone_bytes_total{zone="0",path="userspace_tls"} 111"#,
        r#"zonecast_zone_bytes_total{zone="1",path="plain"} 9"#,
        r#"zonecast_ingest_errors_total{reason="cut"} 2"#,
        r#"zonecast_steering{path="sk_lookup"} 1"#,
        r#"zonecast_steered_total{zone="1",rule="stream"} 8"#,
        r#"zonecast_steering_missed_total{zone="1",reason="no_socket"} 1"#,
        r#"zonecast_steering_missed_total{zone="none",reason="no_loop"} 4"#,
        r#"zonecast_connections{zone="1"} 7"#,
        r#"zonecast_connections_total{zone="1"} 9"#,
        r#"zonecast_retransmits_total{zone="1"} 3"#,
        r#"zonecast_stream_live{stream="news"} 1"#,
        r#"zonecast_ring_bytes{stream="news",track="v\"1\""} 67108864"#,
        r#"zonecast_chunks_total{stream="news",track="v\"1\""} 77"#,
    ] {
        assert!(
            page.lines().any(|l| l == line),
            "{line} is missing in\n{page}"
        );
    }
}

/// Every sample stands under the HELP and TYPE of its family, no family comes twice, and
/// counters, and only they, end in `_total`.
#[test]
fn every_family_is_described_once() {
    let page = sample_page();
    let mut families = std::collections::BTreeSet::new();
    let mut current = "";
    let mut lines = page.lines().peekable();
    while let Some(line) = lines.next() {
        if let Some(help) = line.strip_prefix("# HELP ") {
            current = help.split(' ').next().unwrap();
            assert!(families.insert(current), "{current} comes twice");
            let kind = lines.next().unwrap().strip_prefix("# TYPE ").unwrap();
            let counter = kind == format!("{current} counter");
            assert!(counter || kind == format!("{current} gauge"), "{kind}");
            assert_eq!(counter, current.ends_with("_total"), "{current}");
        } else {
            let name = line.split(['{', ' ']).next().unwrap();
            assert_eq!(name, current, "{line}");
        }
    }
    assert!(families.len() > 25, "{families:?}");
}
