//! The daemon steers: real connections in a network namespace, the kernel's counts, and what the next
//! daemon finds.

#![allow(clippy::unwrap_used, reason = "a test's panic is its verdict")]

mod common;

use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream};

use common::daemon::{Daemon, TOKEN, get};
use common::namespace::{Namespace, path, until, zonecast};
use rustix::process::Signal;
use serde_json::Value;
use tempfile::TempDir;
use zonecast_control::StreamPrefix;

const STREAMS: usize = 100;
const PREFIX: &str = "fd00:5eed::/64";

fn config(namespace: &Namespace) -> String {
    format!(
        "state_dir = ''\nzones = 'virtual:2'\ndrain_timeout = '1s'\n\
         [memory]\narena = '64MiB'\npages = 'plain'\n\
         [admin]\nlisten = '127.0.0.1:9090'\n\
         [steering]\nfolder = {:?}\nstream_prefix = '{PREFIX}'\n\
         zones = [{{ zone = 1, addresses = ['127.0.0.11'] }}]\n\
         [ingest]\nlisten = '127.0.0.1:8080'\nopen = true\ntoken_file = 'news.token'\n\
         open_ring = '128KiB'\nstreams_max = 1000\n\
         [[listeners]]\nname = 'http'\nlisten = '[::]:8081'\ntls = false\n\
         [limits]\nobject_bytes_max = '64KiB'\npinned_bytes_max = '64KiB'\npart_bytes = '64KiB'\nsend_buffers = 16\n",
        namespace.folder
    )
}

/// One segment of every stream; encoders make the streams by them.
fn upload_all() {
    let upload = |n: usize| {
        let mut encoder = TcpStream::connect("127.0.0.1:8080").unwrap();
        let stream = id(n);
        write!(
            encoder,
            "PUT /live/{stream}/1.ts HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\n\
             Content-Type: video/mp2t\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello"
        )
        .unwrap();
        encoder
    };
    // Answers are held until an encoder is quiet: all at once.
    let encoders: Vec<TcpStream> = (0..STREAMS).map(upload).collect();
    for mut encoder in encoders {
        let mut answer = String::new();
        encoder.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 201"), "{answer}");
    }
}

fn id(n: usize) -> String {
    format!("s{n}")
}

/// The home zones, by stream, as the admin API has them.
fn homes() -> Vec<u64> {
    let answer = get("127.0.0.1:9090", "/streams");
    let (_, body) = answer.split_once("\r\n\r\n").unwrap();
    let streams: Vec<Value> = serde_json::from_str(body).unwrap();
    let home = |n: usize| {
        let stream = streams.iter().find(|s| s["id"] == id(n).as_str()).unwrap();
        stream["zone"].as_u64().unwrap()
    };
    (0..STREAMS).map(home).collect()
}

/// What the kernel counted, by zone.
fn zones(namespace: &Namespace) -> Vec<Value> {
    let (fine, text) = zonecast(&["zones", "--json", "--folder", path(&namespace.folder)]);
    assert!(fine, "{text}");
    let all: Value = serde_json::from_str(&text).unwrap();
    all["zones"].as_array().unwrap().clone()
}

/// A count among `steered`.
fn steered(zone: &Value, rule: &str) -> u64 {
    let rules = zone["steered"].as_array().unwrap();
    let found = rules.iter().find(|pair| pair[0] == rule).unwrap();
    found[1].as_u64().unwrap()
}

/// Bytes to viewers, by whether ring and loop were in one zone.
fn bytes_at_home() -> (u64, u64) {
    let page = get("127.0.0.1:9090", "/metrics");
    let (mut home, mut away) = (0, 0);
    for line in page
        .lines()
        .filter(|l| l.starts_with("zonecast_bytes_total"))
    {
        let zone = |name: &str| {
            line.split(&format!("{name}=\""))
                .nth(1)
                .unwrap()
                .split('"')
                .next()
        };
        let bytes: u64 = line.rsplit(' ').next().unwrap().parse().unwrap();
        match zone("ring_zone") == zone("loop_zone") {
            true => home += bytes,
            false => away += bytes,
        }
    }
    (home, away)
}

/// Viewers who connect to a stream's address are served in its home zone by their first packet, every
/// one; the kernel's counts are those of the connections, and the next daemon goes on with them.
#[test]
fn streams_addresses_lead_home() {
    let Some(namespace) = Namespace::enter("home") else {
        return;
    };
    let folder = TempDir::new().unwrap();
    let config = config(&namespace);
    let mut daemon = Daemon::start(&folder, &config);
    let line = daemon.logged("steering: ");
    if !line.contains("sk_lookup") {
        println!("SKIP: {line}");
        return;
    }
    daemon.logged("ready");
    upload_all();
    let prefix: StreamPrefix = PREFIX.parse().unwrap();
    let at = |n: usize| SocketAddr::new(prefix.address(&id(n)).into(), 8081).to_string();
    // The last stream's address is told when the first packet to it is steered by it.
    let last = || {
        zones(&namespace)
            .iter()
            .map(|z| steered(z, "stream"))
            .sum::<u64>()
    };
    until("the last stream is known", || {
        let before = last();
        get(&at(STREAMS - 1), &format!("/live/{}/1.ts", id(STREAMS - 1)));
        last() > before
    });
    let homes = homes();
    let (before, asked) = (zones(&namespace), bytes_at_home());
    let mut expected = [0; 2];
    for n in (0..STREAMS).cycle().take(5 * STREAMS) {
        let answer = get(&at(n), &format!("/live/{}/1.ts", id(n)));
        assert!(answer.ends_with("hello"), "{answer}");
        expected[homes[n] as usize] += 1;
    }
    assert!(
        expected.iter().all(|count| *count > 0),
        "both zones have streams"
    );
    let after = zones(&namespace);
    for (zone, count) in expected.into_iter().enumerate() {
        let more = |what: fn(&Value) -> u64| what(&after[zone]) - what(&before[zone]);
        assert_eq!(more(|z| steered(z, "stream")), count, "zone {zone}");
        assert_eq!(
            more(|z| z["accepted"].as_u64().unwrap()),
            count,
            "zone {zone}"
        );
    }
    let (home, away) = bytes_at_home();
    assert!(
        home - asked.0 > 5 * 5 * STREAMS as u64 && away == asked.1,
        "{home} {away}"
    );

    // Where a connection would go can be asked.
    let ask = |to: &str| {
        let folder = path(&namespace.folder);
        zonecast(&["zones", "--folder", folder, "--from", "fd00::9", "--to", to])
    };
    for (n, home) in homes.iter().enumerate().take(4) {
        let (fine, said) = ask(&at(n));
        assert!(
            fine && said.starts_with(&format!("zone {home}: loop {home}, listener 0; ")),
            "{said}"
        );
    }
    let (fine, said) = ask("[fd00::1]:22");
    assert!(fine && said.starts_with("left to the kernel"), "{said}");
    let after = zones(&namespace);

    // Of a second daemon that wants the same folder, one line says what it does without.
    let other = TempDir::new().unwrap();
    let elsewhere = config
        .replace("8080", "8180")
        .replace("8081", "8181")
        .replace("9090", "9190");
    let mut second = Daemon::start(&other, &elsewhere);
    let line = second.logged("steering: ");
    assert!(
        line.contains("spread by the kernel") && line.contains("another daemon"),
        "{line}"
    );
    drop(second);

    daemon.signal(Signal::TERM);
    assert!(daemon.end().success());
    let folder = TempDir::new().unwrap();
    let mut next = Daemon::start(&folder, &config);
    next.logged("steering: sk_lookup");
    next.logged("ready");
    let kept = zones(&namespace);
    for (old, new) in after.iter().zip(&kept) {
        assert_eq!(steered(old, "stream"), steered(new, "stream"));
    }
    let zone_1: IpAddr = "127.0.0.11".parse().unwrap();
    get(&SocketAddr::new(zone_1, 8081).to_string(), "/live/s0/1.ts");
    assert_eq!(steered(&zones(&namespace)[1], "zone"), 1);
    let (fine, text) = zonecast(&["zones", "--clear", "--folder", path(&namespace.folder)]);
    assert!(
        !fine && text.contains("another daemon steers from here"),
        "{text}"
    );
}
