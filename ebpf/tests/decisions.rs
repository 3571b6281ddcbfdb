//! What the program decides about first packets that never were: the kernel runs it on descriptions.

#![allow(clippy::unwrap_used, reason = "a test's panic is its verdict")]

mod support;

use std::net::SocketAddr;
use std::time::Duration;

use support::{Bench, PORT, PORT_OF_ZONE_1, own_namespace};
use zonecast_ebpf::{Arrival, Counters, Rule, ZoneSums};

/// Somebody far away.
const CLIENT: &str = "[2001:db8:1::1]:40000";

fn arrival(client: &str, address: &str) -> Arrival {
    let end = |text: &str| text.parse::<SocketAddr>().unwrap();
    Arrival {
        client: end(client),
        address: end(address),
    }
}

fn counted(bench: &Bench) -> Vec<ZoneSums> {
    let counters = Counters::open(bench.steering.folder().path()).unwrap();
    counters.zones().unwrap()
}

/// Every rule decides what it should, in its order, and each decision is counted once, by zone and rule.
#[test]
fn the_first_rule_that_matches_decides() {
    if !own_namespace() {
        return;
    }
    let Some(bench) = Bench::new("rules", Duration::from_secs(600)) else {
        return;
    };
    let to = |host: &str| format!("{host}:{PORT}");
    let steering = &bench.steering;
    let ip = |text: &str| text.parse().unwrap();
    steering
        .destination(ip("fd00::1"), 1, Rule::Stream)
        .unwrap();
    steering
        .destination(ip("fd00::2"), 0, Rule::Stream)
        .unwrap();
    steering.destination(ip("fd00::f1"), 1, Rule::Zone).unwrap();
    steering
        .destination(ip("192.0.2.1"), 1, Rule::Zone)
        .unwrap();
    let anycast: SocketAddr = to("[fd00::a]").parse().unwrap();
    let anycast4: SocketAddr = to("192.0.2.9").parse().unwrap();
    steering.teach(ip("2001:db8:2::9"), anycast, 1).unwrap();
    steering.teach(ip("198.51.100.7"), anycast4, 1).unwrap();
    // One who was taught zone 1.
    let taught = "[2001:db8:2::77]:1000";
    let cases: &[(&str, &str, String, u16, usize)] = &[
        ("a stream", CLIENT, to("[fd00::1]"), 1, 1),
        ("another", CLIENT, to("[fd00::2]"), 0, 1),
        ("a stream before all else", taught, to("[fd00::2]"), 0, 1),
        ("a zone", CLIENT, to("[fd00::f1]"), 1, 2),
        ("of IPv4", "198.51.100.1:5", to("192.0.2.1"), 1, 2),
        (
            "of mapped IPv4",
            "[::ffff:1.2.3.4]:5",
            to("[::ffff:192.0.2.1]"),
            1,
            2,
        ),
        (
            "a listener",
            taught,
            format!("[fd00::2]:{PORT_OF_ZONE_1}"),
            1,
            0,
        ),
        ("a neighbour", taught, to("[fd00::a]"), 1, 3),
        ("taught, IPv4", "198.51.100.7:9", to("192.0.2.9"), 1, 3),
    ];
    let mut expected = [[0u64; 6]; 2];
    for (name, client, address, zone, rule) in cases {
        let trial = steering.trial(&arrival(client, address), 1).unwrap();
        let socket = trial
            .socket
            .unwrap_or_else(|| panic!("{name}: left to the kernel"));
        assert_eq!(bench.zone_of(socket), *zone, "{name}");
        expected[usize::from(*zone)][*rule] += 1;
    }
    let sums = counted(&bench);
    assert_eq!([sums[0].steered, sums[1].steered], expected);
    assert!(sums.iter().all(|sum| sum.missed == [0; 3]), "{sums:?}");
}

/// Without any hint the less loaded of two loops gets it; of one zone's two loops always the idle one.
#[test]
fn the_less_loaded_loop_gets_it() {
    if !own_namespace() {
        return;
    }
    let Some(bench) = Bench::new("load", Duration::from_secs(600)) else {
        return;
    };
    let steering = &bench.steering;
    let words = steering.words();
    // Of a loop that is not there nobody hears.
    for (id, viewers) in [(0, 500), (1, 3), (2, 900), (3, 0)] {
        words.set(id, viewers, 0);
    }
    let zone_0 = "fd00::2".parse().unwrap();
    steering.destination(zone_0, 0, Rule::Stream).unwrap();
    let idle = rustix::net::sockopt::socket_cookie(&bench.sockets[1]).unwrap();
    let busiest = rustix::net::sockopt::socket_cookie(&bench.sockets[2]).unwrap();
    let stream = arrival(CLIENT, &format!("[fd00::2]:{PORT}"));
    let anything = arrival(CLIENT, &format!("[fd00::a]:{PORT}"));
    let mut to_busiest = 0;
    for _ in 0..300 {
        assert_eq!(steering.trial(&stream, 1).unwrap().socket, Some(idle));
        let socket = steering.trial(&anything, 1).unwrap().socket;
        to_busiest += u32::from(socket == Some(busiest));
    }
    // Only where both of the two were it: one time in nine.
    assert!((10..70).contains(&to_busiest), "{to_busiest} of 300");
    let sums = counted(&bench);
    assert_eq!(sums[0].steered[5] + sums[1].steered[5], 300);
}

/// What is not ours, and what there is no socket for, is left to the kernel; the latter is counted.
#[test]
fn the_rest_is_left_to_the_kernel() {
    if !own_namespace() {
        return;
    }
    let Some(mut bench) = Bench::new("rest", Duration::ZERO) else {
        return;
    };
    let stranger = arrival(CLIENT, "[fd00::1]:22");
    assert_eq!(bench.steering.trial(&stranger, 1).unwrap().socket, None);
    assert!(counted(&bench).iter().all(|s| *s == ZoneSums::default()));
    // Lessons are forgotten at once here: one that names a zone that does not exist shows nothing.
    let at: SocketAddr = format!("[fd00::a]:{PORT}").parse().unwrap();
    let client: SocketAddr = CLIENT.parse().unwrap();
    bench.steering.teach(client.ip(), at, 9).unwrap();
    let trial = bench.steering.trial(&arrival(CLIENT, &at.to_string()), 1);
    assert!(trial.unwrap().socket.is_some());
    // A zone that does not exist, and a loop whose socket is closed.
    let nowhere = "fd00::9".parse().unwrap();
    bench.steering.destination(nowhere, 9, Rule::Zone).unwrap();
    let trial = bench
        .steering
        .trial(&arrival(CLIENT, &format!("[fd00::9]:{PORT}")), 1);
    assert_eq!(trial.unwrap().socket, None);
    let home = "fd00::1".parse().unwrap();
    bench.steering.destination(home, 1, Rule::Stream).unwrap();
    bench.sockets.pop();
    let trial = bench
        .steering
        .trial(&arrival(CLIENT, &format!("[fd00::1]:{PORT}")), 1);
    assert_eq!(trial.unwrap().socket, None);
    bench.steering.forget(home).unwrap();
    bench.steering.forget(home).unwrap();
    let sums = counted(&bench);
    assert_eq!(sums[2].missed, [1, 0, 0]);
    assert_eq!(sums[1].missed, [0, 1, 0]);
}

/// A listener of IPv4 alone beside one of IPv6, and an address that is somebody else's in the midst of both.
#[test]
fn families_and_strangers_share_a_port() {
    if !own_namespace() {
        return;
    }
    let Some(bench) = Bench::new("share-port", Duration::from_secs(600)) else {
        return;
    };
    let steering = &bench.steering;
    let any4: SocketAddr = format!("0.0.0.0:{PORT}").parse().unwrap();
    steering.listen(1, any4, Some(1)).unwrap();
    steering
        .leave(format!("192.0.2.5:{PORT}").parse().unwrap())
        .unwrap();
    let zone_0 = "fd00::2".parse().unwrap();
    steering.destination(zone_0, 0, Rule::Stream).unwrap();
    let to = |client: &str, host: &str| {
        let arrival = arrival(client, &format!("{host}:{PORT}"));
        let socket = steering.trial(&arrival, 1).unwrap().socket;
        socket.map(|socket| bench.zone_of(socket))
    };
    assert_eq!(to(CLIENT, "[fd00::2]"), Some(0));
    assert_eq!(to("198.51.100.1:5", "192.0.2.6"), Some(1));
    assert_eq!(to("198.51.100.1:5", "192.0.2.5"), None);
    assert!(counted(&bench).iter().all(|sum| sum.missed == [0; 3]));
}

/// One decision takes some hundred nanoseconds; printed, since clocks gate nothing.
#[test]
fn a_decision_is_short() {
    if !own_namespace() {
        return;
    }
    let Some(bench) = Bench::new("short", Duration::from_secs(600)) else {
        return;
    };
    for n in 0..1000u32 {
        let address = std::net::Ipv6Addr::from(0xfd00u128 << 112 | u128::from(n));
        bench
            .steering
            .destination(address.into(), (n % 2) as u16, Rule::Stream)
            .unwrap();
    }
    for (name, address) in [("a stream", "[fd00::64]"), ("no hint", "[fd00::ffff]")] {
        let arrival = arrival(CLIENT, &format!("{address}:{PORT}"));
        let trial = bench.steering.trial(&arrival, 100_000).unwrap();
        println!("{name}: {} ns a decision", trial.took.as_nanos());
        assert!(trial.socket.is_some());
    }
}
