//! An encoder's or a viewer's side of a connection, blocking, with a time-out of ten seconds.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustix::net::{AddressFamily, SocketType};
use rustls::{ClientConfig, ClientConnection, StreamOwned};

/// One connection, plain, over TLS, or on a Unix socket.
pub struct Client {
    wire: Wire,
    left: Vec<u8>,
    /// How the connection ended, once it has.
    pub ended: Option<std::io::ErrorKind>,
}

enum Wire {
    Plain(TcpStream),
    Unix(UnixStream),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
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
        Self::on(TcpStream::connect(address).unwrap())
    }

    /// With little room for what comes, from the start.
    pub fn connect_small(address: SocketAddr) -> Self {
        let family = if address.is_ipv4() {
            AddressFamily::INET
        } else {
            AddressFamily::INET6
        };
        let socket = rustix::net::socket(family, SocketType::STREAM, None).unwrap();
        rustix::net::sockopt::set_socket_recv_buffer_size(&socket, 16 << 10).unwrap();
        rustix::net::connect(&socket, &address).unwrap();
        Self::on(socket.into())
    }

    fn on(socket: TcpStream) -> Self {
        socket
            .set_read_timeout(Some(Duration::from_secs(10)))
            .unwrap();
        socket.set_nodelay(true).unwrap();
        Self::of(Wire::Plain(socket))
    }

    /// With TLS; the handshake is done when this returns.
    pub fn connect_tls(address: SocketAddr, config: &Arc<ClientConfig>) -> Self {
        let mut client = Self::connect_tls_lazy(address, config);
        if let Wire::Tls(stream) = &mut client.wire {
            stream.conn.complete_io(&mut stream.sock).unwrap();
        }
        client
    }

    /// With TLS; the handshake is done by what is sent first.
    pub fn connect_tls_lazy(address: SocketAddr, config: &Arc<ClientConfig>) -> Self {
        Self::connect(address).with_tls(config)
    }

    /// The same connection with TLS.
    pub fn with_tls(self, config: &Arc<ClientConfig>) -> Self {
        let Wire::Plain(socket) = self.wire else {
            panic!("it is not plain")
        };
        let name = "localhost".try_into().unwrap();
        let connection = ClientConnection::new(config.clone(), name).unwrap();
        Self::of(Wire::Tls(Box::new(StreamOwned::new(connection, socket))))
    }

    pub fn connect_unix(path: &Path) -> Self {
        let socket = UnixStream::connect(path).unwrap();
        socket
            .set_read_timeout(Some(Duration::from_secs(10)))
            .unwrap();
        Self::of(Wire::Unix(socket))
    }

    fn of(wire: Wire) -> Self {
        Self {
            wire,
            left: Vec::new(),
            ended: None,
        }
    }

    pub fn socket(&self) -> &TcpStream {
        match &self.wire {
            Wire::Plain(socket) => socket,
            Wire::Tls(stream) => &stream.sock,
            Wire::Unix(_) => panic!("no TCP"),
        }
    }

    pub fn tls(&mut self) -> &mut ClientConnection {
        match &mut self.wire {
            Wire::Tls(stream) => &mut stream.conn,
            _ => panic!("no TLS"),
        }
    }

    pub fn send(&mut self, bytes: &[u8]) {
        self.try_send(bytes).unwrap();
    }

    pub fn try_send(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        match &mut self.wire {
            Wire::Plain(socket) => socket.write_all(bytes),
            Wire::Unix(socket) => socket.write_all(bytes),
            Wire::Tls(stream) => stream.write_all(bytes).and_then(|()| stream.flush()),
        }
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

    /// What follows a head that was read.
    pub fn rest(&mut self, head: &str) -> Response {
        self.body(head.to_owned(), false)
    }

    /// Reads up to the end of a head.
    pub fn head(&mut self) -> String {
        let head = self.try_head();
        head.unwrap_or_else(|| panic!("the connection ended in a head: {:?}", self.left))
    }

    /// The same; `None` when the connection ends before.
    pub fn try_head(&mut self) -> Option<String> {
        loop {
            if let Some(end) = find(&self.left, b"\r\n\r\n") {
                let rest = self.left.split_off(end + 4);
                let head = std::mem::replace(&mut self.left, rest);
                return Some(String::from_utf8(head).unwrap());
            }
            if !self.more() {
                return None;
            }
        }
    }

    /// The head of a chunked response, then exactly `n` body bytes.
    pub fn chunked_head_and(&mut self, n: usize) -> Vec<u8> {
        let head = self.head();
        assert!(head.contains("Transfer-Encoding: chunked"), "{head}");
        self.chunked_bytes(n)
    }

    /// Receives at most `n` bytes, for later; says how many.
    pub fn some(&mut self, n: usize) -> usize {
        let mut room = vec![0; n];
        let Wire::Plain(socket) = &mut self.wire else {
            panic!("not plain")
        };
        let n = socket.read(&mut room).unwrap();
        self.left.extend_from_slice(&room[..n]);
        n
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
        let read = match &mut self.wire {
            Wire::Plain(socket) => socket.read(&mut room),
            Wire::Unix(socket) => socket.read(&mut room),
            Wire::Tls(stream) => stream.read(&mut room),
        };
        match read {
            Ok(0) => false,
            Ok(n) => {
                self.left.extend_from_slice(&room[..n]);
                true
            }
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
                panic!("nothing came for 10 s")
            }
            Err(error) => {
                self.ended = Some(error.kind());
                false
            }
        }
    }
}

pub fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|w| w == what)
}
