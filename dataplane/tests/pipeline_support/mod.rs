//! A data plane on loopback with an encoder's and a viewer's side, for tests over real
//! sockets.

#![allow(dead_code, reason = "each test file uses its own part")]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use sha2::{Digest, Sha256};
use zonecast_dataplane::{
    Config, ConnectionLimits, Dataplane, IngestConfig, Limits, ListenAddress, ListenerConfig,
    MemoryConfig, StreamConfig, TokenHash,
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

pub struct Client {
    pub socket: TcpStream,
    left: Vec<u8>,
}

#[derive(Debug)]
pub struct Response {
    pub status: u16,
    pub head: String,
    pub body: Vec<u8>,
    /// The body ended as its framing says.
    pub complete: bool,
}

impl Response {
    pub fn field(&self, name: &str) -> Option<&str> {
        let wanted = format!("{name}: ");
        self.head
            .lines()
            .find_map(|line| line.strip_prefix(wanted.as_str()))
    }
}

impl Client {
    pub fn connect(address: SocketAddr) -> Self {
        let socket = TcpStream::connect(address).unwrap();
        socket
            .set_read_timeout(Some(Duration::from_secs(10)))
            .unwrap();
        socket.set_nodelay(true).unwrap();
        Self {
            socket,
            left: Vec::new(),
        }
    }

    pub fn send(&mut self, bytes: &[u8]) {
        self.socket.write_all(bytes).unwrap();
    }

    pub fn get(&mut self, path: &str, fields: &str) -> Response {
        self.request("GET", path, fields)
    }

    pub fn request(&mut self, method: &str, path: &str, fields: &str) -> Response {
        self.send(format!("{method} {path} HTTP/1.1\r\nHost: x\r\n{fields}\r\n").as_bytes());
        let head = self.head();
        self.body(head, method == "HEAD")
    }

    /// The next response to a request other than HEAD.
    pub fn response(&mut self) -> Response {
        let head = self.head();
        self.body(head, false)
    }

    /// Reads up to the end of a head.
    pub fn head(&mut self) -> String {
        loop {
            if let Some(end) = find(&self.left, b"\r\n\r\n") {
                let rest = self.left.split_off(end + 4);
                let head = std::mem::replace(&mut self.left, rest);
                return String::from_utf8(head).unwrap();
            }
            assert!(
                self.more(),
                "the connection ended in a head: {:?}",
                self.left
            );
        }
    }

    /// Reads exactly `n` body bytes of a chunked response that goes on.
    pub fn chunked_bytes(&mut self, n: usize) -> Vec<u8> {
        let mut body = Vec::new();
        while body.len() < n {
            body.extend(self.one_chunk().expect("a chunk"));
        }
        body
    }

    /// The next chunk; empty: the last; `None`: cut.
    pub fn one_chunk(&mut self) -> Option<Vec<u8>> {
        let line = loop {
            if let Some(end) = find(&self.left, b"\r\n") {
                break end;
            }
            if !self.more() {
                return None;
            }
        };
        let size =
            usize::from_str_radix(std::str::from_utf8(&self.left[..line]).unwrap(), 16).unwrap();
        while self.left.len() < line + 2 + size + 2 {
            if !self.more() {
                return None;
            }
        }
        let body = self.left[line + 2..line + 2 + size].to_vec();
        self.left.drain(..line + 4 + size);
        Some(body)
    }

    fn body(&mut self, head: String, none: bool) -> Response {
        let status: u16 = head[9..12].parse().unwrap();
        let mut response = Response {
            status,
            head,
            body: Vec::new(),
            complete: true,
        };
        if none || status == 204 || status == 304 {
            return response;
        }
        if response.field("Transfer-Encoding").is_some() {
            loop {
                match self.one_chunk() {
                    Some(chunk) if chunk.is_empty() => break,
                    Some(chunk) => response.body.extend(chunk),
                    None => {
                        response.complete = false;
                        break;
                    }
                }
            }
        } else if let Some(length) = response.field("Content-Length") {
            let length: usize = length.parse().unwrap();
            while self.left.len() < length && self.more() {}
            response.complete = self.left.len() >= length;
            response.body = self.left.drain(..length.min(self.left.len())).collect();
        } else {
            while self.more() {}
            response.body = std::mem::take(&mut self.left);
        }
        response
    }

    /// Whether the connection has ended.
    pub fn is_ended(&mut self) -> bool {
        !self.more()
    }

    fn more(&mut self) -> bool {
        let mut room = [0; 65536];
        match self.socket.read(&mut room) {
            Ok(0) => false,
            Ok(n) => {
                self.left.extend_from_slice(&room[..n]);
                true
            }
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
                panic!("nothing came for 10 s")
            }
            Err(_) => false,
        }
    }
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|w| w == what)
}
