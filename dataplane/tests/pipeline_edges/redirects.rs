//! Viewers who ask in the wrong zone are sent to a host of the right one.

use zonecast_dataplane::{ListenAddress, ListenerConfig, Redirects};

use crate::pipeline_support::{Client, Running, config, find, stream};

const PLAYLIST: &[u8] = b"#EXTM3U\n#EXT-X-TARGETDURATION:2\n";

/// A listener for each of the two zones, and a stream in each.
fn running(redirects: Redirects) -> Running {
    let mut config = config();
    let of_zone = |zone: u16| ListenerConfig {
        name: format!("zone{zone}"),
        zone: Some(zone),
        ..config.listeners[0].clone()
    };
    let listeners = [of_zone(0), of_zone(1)];
    config.listeners.extend(listeners);
    config.redirects = redirects;
    for (id, zone) in [("near", 0), ("far", 1), ("far_away", 1)] {
        let mut one = stream(id);
        one.zone = Some(zone);
        config.streams.push(one);
    }
    assert!(matches!(config.listeners[1].address, ListenAddress::Tcp(_)));
    let running = Running::start(config);
    for id in ["near", "far", "far_away"] {
        assert_eq!(
            running.put(&format!("/live/{id}/index.m3u8"), PLAYLIST),
            201
        );
        assert_eq!(running.put(&format!("/live/{id}/1.ts"), b"segment"), 201);
    }
    running
}

fn hosts() -> Redirects {
    Redirects {
        zones: vec![None, Some("z1.example:81".into())],
        stream: Some((String::new(), ".live.example:82".into())),
    }
}

/// A playlist of another zone's stream is asked for at the stream's host, or at its zone's where the id is
/// no label; segments, streams at home, and who comes by that host already, are answered at once.
#[test]
fn misplaced_viewers_are_sent_home() {
    let running = running(hosts());
    let ask = |zone: u16, path: &str, host: &str| {
        let mut viewer = Client::connect(running.address(&format!("zone{zone}")));
        viewer.send(format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n").as_bytes());
        let answer = viewer.response();
        let location = answer.field("Location").map(str::to_owned);
        (answer.status, location)
    };
    let to = |url: &str| (307, Some(url.to_owned()));
    let path = "/live/far/index.m3u8?token=x%20y";
    assert_eq!(
        ask(0, path, "x"),
        to("http://far.live.example:82/live/far/index.m3u8?token=x%20y")
    );
    let path = "/live/far_away/index.m3u8";
    assert_eq!(
        ask(0, path, "x"),
        to("http://z1.example:81/live/far_away/index.m3u8")
    );
    assert_eq!(running.sum(|zone| zone.viewers_redirected), 2);
    assert_eq!(running.sum(|zone| zone.requests_misplaced), 0);
    for (zone, path, host) in [
        (0, "/live/near/index.m3u8", "x"),
        (1, "/live/far/index.m3u8", "x"),
        (0, "/live/far/1.ts", "x"),
        (0, "/live/far/index.m3u8", "FAR.live.example"),
    ] {
        assert_eq!(
            ask(zone, path, host),
            (200, None),
            "{path} of {host} in zone {zone}"
        );
    }
    assert_eq!(running.sum(|zone| zone.requests_misplaced), 2);
    running.stop();
}

/// A redirect is for nobody's store, and scripts may follow it; what would not fit into a head is answered
/// where it was asked.
#[test]
fn redirects_are_fit_to_be_sent() {
    let running = running(hosts());
    let mut viewer = Client::connect(running.address("zone0"));
    let answer = viewer.get("/live/far/index.m3u8", "");
    assert_eq!(answer.status, 307);
    assert_eq!(answer.field("Cache-Control"), Some("no-store"));
    assert_eq!(answer.field("Access-Control-Allow-Origin"), Some("*"));
    assert_eq!(answer.field("Content-Length"), Some("0"));
    let before = "http://far.live.example:82/live/far/index.m3u8?".len();
    for length in 1..3000 {
        let path = format!("/live/far/index.m3u8?{}", "q".repeat(length));
        let answer = viewer.get(&path, "");
        assert_eq!(
            answer.status,
            if before + length <= 512 { 307 } else { 200 },
            "{length}"
        );
        if answer.status == 200 {
            assert!(find(&answer.body, b"#EXTM3U").is_some());
        }
    }
    running.stop();
}

/// Without hosts nobody is sent anywhere.
#[test]
fn without_hosts_all_is_answered() {
    let running = running(Redirects::default());
    let mut viewer = Client::connect(running.address("zone0"));
    assert_eq!(viewer.get("/live/far/index.m3u8", "").status, 200);
    assert_eq!(running.sum(|zone| zone.requests_misplaced), 1);
    running.stop();
}
