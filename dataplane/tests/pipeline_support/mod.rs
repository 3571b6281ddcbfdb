//! A data plane on loopback with an encoder's and a viewer's side, for tests over real
//! sockets.

#![allow(
    dead_code,
    unreachable_pub,
    unused_imports,
    missing_docs,
    clippy::unwrap_used,
    reason = "each test file uses its own part"
)]

mod client;
pub mod tls;

use std::net::SocketAddr;
use std::time::{Duration, Instant};

pub use client::{Client, Response, find};

use sha2::{Digest, Sha256};
use zonecast_dataplane::{
    Config, ConnectionLimits, Dataplane, IngestConfig, Limits, ListenAddress, ListenerConfig,
    MemoryConfig, StreamConfig, StreamStatus, TokenHash, ZoneCounters,
};
use zonecast_numa::PageKind;
use zonecast_numa::zones::Zone;

/// A running data plane with one plain listener and open ingest.
pub struct Running {
    pub dataplane: Dataplane,
    pub viewers: SocketAddr,
    pub ingest: SocketAddr,
}

/// Two virtual zones of one loop each, plain, with an open token `secret`.
pub fn config() -> Config {
    let any: SocketAddr = "127.0.0.1:0".parse().unwrap();
    let zone = |id: u16| Zone {
        id: zonecast_numa::ZoneId(id),
        node: None,
        is_virtual: true,
        loop_cpus: vec![usize::from(id) % cpus()],
        control_cpus: vec![],
        nics: vec![],
        warnings: vec![],
    };
    Config {
        zones: vec![zone(0), zone(1)],
        memory: MemoryConfig {
            arena_bytes: 64 << 20,
            pages: PageKind::Plain,
        },
        listeners: vec![ListenerConfig {
            name: "http".into(),
            address: ListenAddress::Tcp(any),
            tls: false,
            kernel_tls: true,
            nic_tls12: false,
            zone: None,
            limits: ConnectionLimits {
                connections_max: 500,
                ..Default::default()
            },
        }],
        ingest: IngestConfig {
            addresses: vec![ListenAddress::Tcp(any)],
            tls: false,
            open_token: Some(token("secret")),
            streams_max: 16,
            ingest_idle: Duration::from_secs(5),
            limits: ConnectionLimits {
                connections_max: 50,
                ..Default::default()
            },
        },
        streams: vec![],
        limits: Limits {
            send_buffers: 128,
            open_ring_bytes: 8 << 20,
            ..Default::default()
        },
        certificates: None,
        state_dir: None,
        redirects: zonecast_dataplane::Redirects::default(),
        inherited: Vec::new(),
        steering_board: None,
    }
}

fn cpus() -> usize {
    std::thread::available_parallelism().map_or(1, |n| n.get())
}

pub fn token(token: &str) -> TokenHash {
    TokenHash(Sha256::digest(token.as_bytes()).into())
}

pub fn stream(id: &str) -> StreamConfig {
    StreamConfig {
        token: Some(token("secret")),
        ring_bytes: 4 << 20,
        ..StreamConfig::named(id)
    }
}

impl Running {
    pub fn start(config: Config) -> Self {
        let dataplane = Dataplane::start(config).unwrap();
        let of = |name: &str| {
            let bound = dataplane
                .addresses()
                .into_iter()
                .find(|a| a.name == name)
                .unwrap();
            match bound.address {
                ListenAddress::Tcp(address) => address,
                ListenAddress::Unix(_) => panic!("a TCP listener"),
            }
        };
        Self {
            viewers: of("http"),
            ingest: of("ingest"),
            dataplane,
        }
    }

    /// Where the listener of this name is.
    pub fn address(&self, name: &str) -> SocketAddr {
        let addresses = self.dataplane.addresses();
        let bound = addresses.into_iter().find(|a| a.name == name).unwrap();
        match bound.address {
            ListenAddress::Tcp(address) => address,
            ListenAddress::Unix(_) => panic!("a TCP listener"),
        }
    }

    /// A viewer's connection.
    pub fn viewer(&self) -> Client {
        Client::connect(self.viewers)
    }

    /// An encoder's connection.
    pub fn encoder(&self) -> Client {
        Client::connect(self.ingest)
    }

    /// Uploads `body` whole; returns the status.
    pub fn put(&self, path: &str, body: &[u8]) -> u16 {
        let mut encoder = self.encoder();
        encoder.send(&put_head(
            path,
            &format!("Content-Length: {}\r\n", body.len()),
        ));
        encoder.send(body);
        encoder.response().status
    }

    pub fn get(&self, path: &str) -> Response {
        self.viewer().get(path, "")
    }

    /// Waits until `what` holds.
    pub fn until(&self, name: &str, mut what: impl FnMut(&Dataplane) -> bool) {
        let started = Instant::now();
        while !what(&self.dataplane) {
            assert!(started.elapsed() < Duration::from_secs(10), "never: {name}");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Sums one figure over the zones.
    pub fn sum(&self, figure: impl Fn(&ZoneCounters) -> u64) -> u64 {
        self.dataplane.counters().zones.iter().map(figure).sum()
    }

    /// How many responses had this status.
    pub fn responses(&self, status: u16) -> u64 {
        let of = |zone: &ZoneCounters| {
            let found = zone.responses.iter().find(|(s, _)| *s == status);
            found.map_or(0, |(_, n)| *n)
        };
        self.sum(of)
    }

    /// An upload of unknown length whose first bytes are there; it goes on by its connection.
    pub fn open(&self, path: &str, first: &[u8]) -> Client {
        let mut encoder = self.encoder();
        encoder.send(&put_head(path, "Transfer-Encoding: chunked\r\n"));
        encoder.send(&chunk(first));
        let id = path.split('/').nth(2).unwrap();
        let is_it = |s: &StreamStatus| s.id == id && s.uploads_open > 0;
        self.until("the upload opens", |d| d.streams().iter().any(is_it));
        encoder
    }

    pub fn stop(self) {
        self.dataplane.drain(Duration::from_secs(2));
        self.dataplane.join().unwrap();
    }
}

pub fn put_head(path: &str, fields: &str) -> Vec<u8> {
    format!("PUT {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer secret\r\n{fields}\r\n").into()
}

/// `body` as one HTTP chunk.
pub fn chunk(body: &[u8]) -> Vec<u8> {
    let mut out = format!("{:x}\r\n", body.len()).into_bytes();
    out.extend_from_slice(body);
    out.extend_from_slice(b"\r\n");
    out
}

/// Bytes that differ by place and by `seed`.
pub fn bytes(seed: u64, len: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let next = |_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as u8
    };
    (0..len).map(next).collect()
}
