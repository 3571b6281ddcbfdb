//! Real connections, steered and counted by the kernel.

#![allow(clippy::unwrap_used, reason = "a test's panic is its verdict")]

mod support;

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use support::{Bench, PORT, ZONES, folder, own_namespace};
use zonecast_ebpf::{Counters, Error, Folder, Put, Rule};

const HOUR: Duration = Duration::from_secs(3600);

fn stream(n: u16) -> IpAddr {
    Ipv6Addr::new(0xfd00, 0, 0x5eed, 0, 0, 0, 0, n).into()
}

/// The root of the second version's cgroups, which this process is somewhere in.
fn cgroup() -> Option<PathBuf> {
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap();
    let mount = mounts.lines().find(|line| line.contains(" - cgroup2 "))?;
    Some(mount.split(' ').nth(4)?.into())
}

/// Waits for what the kernel does behind our backs, a bounded time.
fn until(what: &str, mut done: impl FnMut() -> bool) {
    let limit = Instant::now() + Duration::from_secs(10);
    while !done() {
        assert!(Instant::now() < limit, "{what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Who is there to be accepted, and where: the loop.
fn accept(sockets: &[TcpListener]) -> (usize, TcpStream) {
    let limit = Instant::now() + Duration::from_secs(10);
    loop {
        for (id, socket) in sockets.iter().enumerate() {
            if let Ok((stream, _)) = socket.accept() {
                return (id, stream);
            }
        }
        assert!(Instant::now() < limit, "nobody came");
    }
}

/// 1,000 streams of two zones, ten connections each: by the first packet alone every one of them is
/// accepted in its stream's zone, and the counters agree to the last one.
#[test]
fn every_connection_comes_home() {
    if !own_namespace() {
        return;
    }
    let Some(bench) = Bench::new("home", HOUR) else {
        return;
    };
    assert_eq!(bench.steering.attach_lookup().unwrap(), Put::Attached);
    let counting = cgroup().map(|cgroup| bench.steering.attach_life(&cgroup).unwrap());
    for socket in &bench.sockets {
        socket.set_nonblocking(true).unwrap();
    }
    for n in 0..1000 {
        bench
            .steering
            .destination(stream(n), n / 3 % 2, Rule::Stream)
            .unwrap();
    }
    for round in 0..10 {
        let mut pairs = Vec::new();
        for n in 0..1000 {
            let client = TcpStream::connect((stream(n), PORT)).unwrap();
            let (id, viewer) = accept(&bench.sockets);
            assert_eq!(ZONES[id], n / 3 % 2, "stream {n}, round {round}");
            assert_eq!(viewer.local_addr().unwrap().ip(), stream(n));
            bench
                .steering
                .words()
                .set(id as u16, (pairs.len() / 3) as u32, 0);
            pairs.push((client, viewer));
        }
    }
    let counters = Counters::open(&folder("home")).unwrap();
    let sums = counters.zones().unwrap();
    let steered: u64 = sums.iter().map(|sum| sum.steered[1]).sum();
    assert_eq!(steered, 10_000, "{sums:?}");
    assert_eq!(sums.iter().flat_map(|sum| sum.steered).sum::<u64>(), 10_000);
    if counting.is_none() {
        println!("SKIP connections' lives: no cgroup2");
        return;
    }
    for (zone, sum) in sums.iter().enumerate() {
        assert_eq!(sum.established, sum.steered[1], "zone {zone}");
    }
    until("all are closed", || {
        let sums = counters.zones().unwrap();
        sums.iter().all(|sum| sum.closed == sum.established)
    });
}

/// Where the namespace cannot be steered, the sockets that share an address are: by the same rules, of
/// both families.
#[test]
fn sockets_that_share_an_address_are_steered() {
    if !own_namespace() {
        return;
    }
    let Some(bench) = Bench::new("share", HOUR) else {
        return;
    };
    bench.steering.attach_reuseport(&bench.sockets[0]).unwrap();
    for socket in &bench.sockets {
        socket.set_nonblocking(true).unwrap();
    }
    let zone_1 = IpAddr::from([127, 0, 0, 11]);
    bench.steering.destination(zone_1, 1, Rule::Zone).unwrap();
    for n in 0..100 {
        bench
            .steering
            .destination(stream(n), n % 2, Rule::Stream)
            .unwrap();
    }
    let taught = SocketAddr::new(stream(500), PORT);
    bench
        .steering
        .teach(Ipv6Addr::LOCALHOST.into(), taught, 1)
        .unwrap();
    let mut clients = Vec::new();
    for n in 0..100 {
        clients.push(TcpStream::connect((stream(n), PORT)).unwrap());
        let (id, _) = accept(&bench.sockets);
        assert_eq!(ZONES[id], n % 2, "stream {n}");
    }
    for address in [zone_1, stream(500)] {
        clients.push(TcpStream::connect((address, PORT)).unwrap());
        let (id, _) = accept(&bench.sockets);
        assert_eq!(ZONES[id], 1, "{address}");
    }
    let sums = Counters::open(&folder("share")).unwrap().zones().unwrap();
    assert_eq!(sums[0].steered, [0, 50, 0, 0, 0, 0]);
    assert_eq!(sums[1].steered, [0, 50, 1, 1, 0, 0]);
}

/// Without a better hint the interface decides, and without one the load alone.
#[test]
fn an_interface_names_a_zone() {
    if !own_namespace() {
        return;
    }
    let Some(bench) = Bench::new("interface", HOUR) else {
        return;
    };
    bench.steering.attach_lookup().unwrap();
    bench.steering.words().set(2, 1000, 0);
    // `lo` is the first interface of a namespace.
    bench.steering.interface(1, 1).unwrap();
    for _ in 0..50 {
        TcpStream::connect((stream(1), PORT)).unwrap();
    }
    let sums = Counters::open(&folder("interface"))
        .unwrap()
        .zones()
        .unwrap();
    assert_eq!(sums[1].steered[4], 50, "{sums:?}");
}

/// What a connection does is counted in its zone, live and when it has ended, and both its ends are
/// known by its cookie until then.
#[test]
fn lives_are_counted() {
    if !own_namespace() {
        return;
    }
    let Some(bench) = Bench::new("lives", HOUR) else {
        return;
    };
    let Some(cgroup) = cgroup() else {
        println!("SKIP: no cgroup2");
        return;
    };
    bench.steering.attach_lookup().unwrap();
    bench.steering.attach_life(&cgroup).unwrap();
    let lists = bench.steering.attach_live().unwrap();
    bench
        .steering
        .destination(stream(1), 1, Rule::Stream)
        .unwrap();
    let mut client = TcpStream::connect((stream(1), PORT)).unwrap();
    let (mut viewer, _) = bench.sockets[2].accept().unwrap();
    viewer.write_all(&[7; 100_000]).unwrap();
    client.read_exact(&mut [0; 100_000]).unwrap();
    let cookie = rustix::net::sockopt::socket_cookie(&viewer).unwrap();
    let ends = bench.steering.ends(cookie).unwrap().unwrap();
    assert_eq!(ends.client, client.local_addr().unwrap());
    assert_eq!(ends.address, SocketAddr::new(stream(1), PORT));
    assert_eq!(ends.zone, 1);
    let counters = Counters::open(&folder("lives")).unwrap();
    if lists {
        until("all is acknowledged", || {
            let live = counters.live().unwrap().unwrap();
            let ours: Vec<_> = live.iter().filter(|one| one.zone == 1).collect();
            assert_eq!(ours.len(), 1, "{live:?}");
            assert_eq!((ours[0].loop_id, ours[0].established), (2, true));
            ours[0].bytes_acked == 100_000
        });
    } else {
        println!("SKIP live connections: {:?}", bench.steering.notes());
    }
    drop(client);
    drop(viewer);
    until("it is closed", || counters.zones().unwrap()[1].closed == 1);
    let sum = counters.zones().unwrap()[1];
    // The end of what was sent counts as a byte, once it is acknowledged.
    assert_eq!((sum.established, sum.bytes_acked / 2), (1, 50_000));
    assert_eq!(sum.rtt_samples, 1);
    assert_eq!(bench.steering.ends(cookie).unwrap(), None);
}

/// A second daemon cannot have the folder; the next one takes over what is attached while connections
/// keep coming: none is refused, all come home, and what was counted and taught goes on.
#[test]
fn the_next_daemon_takes_over() {
    if !own_namespace() {
        return;
    }
    let Some(bench) = Bench::new("next", HOUR) else {
        return;
    };
    bench.steering.attach_lookup().unwrap();
    bench
        .steering
        .destination(stream(1), 1, Rule::Stream)
        .unwrap();
    let taught = SocketAddr::new(stream(2), PORT);
    bench
        .steering
        .teach(Ipv6Addr::LOCALHOST.into(), taught, 1)
        .unwrap();
    let again = Folder::claim(&folder("next"));
    assert!(matches!(again, Err(Error::InUse { .. })), "{again:?}");
    let (stop, came) = (AtomicBool::new(false), AtomicU64::new(0));
    let home = bench.sockets[2].try_clone().unwrap();
    home.set_nonblocking(true).unwrap();
    let _bench = std::thread::scope(|scope| {
        let knock = || {
            while !stop.load(Ordering::Relaxed) {
                let _client = TcpStream::connect((stream(1), PORT)).unwrap();
                until("it comes home", || home.accept().is_ok());
                came.fetch_add(1, Ordering::Relaxed);
            }
        };
        let knocking = scope.spawn(knock);
        let mut bench = bench;
        for round in 1..=20 {
            let enough = came.load(Ordering::Relaxed) + 20;
            until("more come", || came.load(Ordering::Relaxed) >= enough);
            bench = bench.restarted();
            bench
                .steering
                .destination(stream(1), 1, Rule::Stream)
                .unwrap();
            assert_eq!(
                bench.steering.attach_lookup().unwrap(),
                Put::Replaced,
                "{round}"
            );
        }
        stop.store(true, Ordering::Relaxed);
        knocking.join().unwrap();
        bench
    });
    let came = came.load(Ordering::Relaxed);
    let counters = Counters::open(&folder("next")).unwrap();
    let sums = counters.zones().unwrap();
    assert_eq!(sums[1].steered[1], came, "{sums:?}");
    TcpStream::connect((stream(2), PORT)).unwrap();
    let sums = counters.zones().unwrap();
    assert_eq!(sums[1].steered[3], 1, "what was taught is known: {sums:?}");
}
