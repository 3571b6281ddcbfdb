//! The summary of fixed samples.

use super::*;

fn sample() -> Sample {
    let mut sample = Sample {
        elapsed: Duration::from_secs(12),
        ..Sample::default()
    };
    let metrics = Metrics::parse(
        "zonecast_viewers{zone=\"0\"} 26\nzonecast_viewers{zone=\"1\"} 24\n\
         zonecast_zone_bytes_total{zone=\"0\",path=\"userspace_tls\"} 250000000\n\
         zonecast_zone_bytes_total{zone=\"0\",path=\"plain\"} 7\n\
         zonecast_handshakes_total{zone=\"1\",resumed=\"true\"} 2\n\
         zonecast_handshakes_total{zone=\"1\",resumed=\"false\"} 24\n\
         zonecast_viewers_lapped_total{zone=\"1\"} 1\n",
    );
    let streams = serde_json::json!([
        {"id": "fmp4", "zone": 0, "tracks": [{"name": "main"}]},
        {"id": "ts", "zone": 1, "tracks": []},
    ]);
    sample.read(&metrics, &streams);
    sample
}

/// What the daemon says lands in the right zone's line, and rates are per second.
#[test]
fn draws_by_zone() {
    let sample = sample();
    let before = Sample {
        elapsed: Duration::from_secs(10),
        ..Sample::default()
    };
    let screen = sample.screen(&before);
    let zones: Vec<Vec<&str>> = screen
        .lines()
        .skip(3)
        .take(2)
        .map(|line| line.split_whitespace().collect())
        .collect();
    assert_eq!(
        zones[0],
        [
            "0",
            "1",
            "26",
            "1.000",
            "250.0",
            "0",
            "0",
            "0",
            "userspace_tls+plain"
        ]
    );
    assert_eq!(
        zones[1],
        ["1", "1", "24", "0.000", "0.0", "26", "2", "1", "-"]
    );
    assert!(screen.contains("stream fmp4: zone 0, 1 tracks"));
    assert!(
        sample
            .line(&before)
            .starts_with("00:12 | zone 0: 1 streams, 26 viewers, 1.000 Gb/s")
    );
}

/// A daemon that says nothing, or nonsense, leaves an empty table.
#[test]
fn survives_nonsense() {
    let mut sample = Sample::default();
    sample.read(
        &Metrics::parse("zonecast_viewers{zone=\"x\"} 1"),
        &serde_json::json!({"a": 1}),
    );
    assert!(sample.zones.is_empty());
    assert!(sample.screen(&Sample::default()).contains("0 segments"));
}
