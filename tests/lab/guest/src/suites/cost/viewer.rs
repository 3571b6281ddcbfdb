//! A viewer: one kept connection. It asks, and either looks at all that comes or has the kernel
//! throw it away (`MSG_TRUNC`), which costs next to nothing and copies nothing.

use crate::https::equal;
use crate::socket::{Way, kernel_tls};
use anyhow::{Context, Result, bail, ensure};
use rustix::net::{RecvFlags, recv};
use rustls::{ClientConfig, ClientConnection};
use rustls_pki_types::ServerName;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

/// A server that is silent for so long has lost an answer. Virtual time, like all of the guest's.
const PATIENCE: Duration = Duration::from_secs(30);

/// What the kernel may throw away in one call: any record.
const AT_ONCE: usize = 64 << 10;

/// The length of a record's head, and its kind where it holds a response.
const HEAD: usize = 5;
const APPLICATION_DATA: u8 = 23;

/// How a response's bytes come.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Framing {
    Plain,
    /// AES-GCM in TLS 1.3: a kind and a tag after the text.
    Tls13,
    /// In TLS 1.2: half a nonce before the text, a tag after it.
    Tls12,
    /// The same from a card that seals nothing.
    Unsealed,
}

impl Framing {
    /// Bytes of a record before and after its text, without its head.
    fn around(self) -> (usize, usize) {
        match self {
            Framing::Plain => (0, 0),
            Framing::Tls13 => (0, 17),
            Framing::Tls12 | Framing::Unsealed => (8, 16),
        }
    }

    /// As on the wire.
    pub(super) fn version(self) -> Option<u16> {
        match self {
            Framing::Plain => None,
            Framing::Tls13 => Some(0x0304),
            Framing::Tls12 | Framing::Unsealed => Some(0x0303),
        }
    }
}

/// What is said on a connection.
#[derive(Clone)]
pub(super) enum Speech {
    /// HTTP, the answer to this request; over TLS with a configuration.
    Http {
        request: String,
        tls: Option<Arc<ClientConfig>>,
    },
    /// One byte asks for the object, which comes without a head, sealed with a key that all know.
    Bare,
}

/// Where a viewer connects, and what it finds there.
#[derive(Clone)]
pub(super) struct Place {
    pub(super) address: SocketAddr,
    pub(super) speech: Speech,
    pub(super) framing: Framing,
}

/// One connection.
pub(super) struct Viewer {
    socket: TcpStream,
    tls: Option<ClientConnection>,
    place: Place,
    /// Plaintext bytes of a response, its head included.
    length: usize,
    /// Where the kernel may put what it throws away; it writes nothing there.
    nowhere: Vec<u8>,
}

impl Viewer {
    /// Connects, shakes hands, and compares the first response with `object`.
    pub(super) fn connect(place: &Place, object: &[u8]) -> Result<Viewer> {
        let socket = TcpStream::connect(place.address)?;
        socket.set_nodelay(true)?;
        socket.set_read_timeout(Some(PATIENCE))?;
        let tls = match &place.speech {
            Speech::Http { tls: Some(tls), .. } => {
                let name = ServerName::try_from("localhost")?;
                Some(ClientConnection::new(Arc::clone(tls), name)?)
            }
            _ => None,
        };
        let mut viewer = Viewer {
            socket,
            tls,
            place: place.clone(),
            length: object.len(),
            nowhere: vec![0; AT_ONCE],
        };
        if matches!(place.speech, Speech::Http { .. }) {
            viewer.check_http(object)?;
        }
        Ok(viewer)
    }

    /// That the object comes whole and right; the connection is of no more use.
    pub(super) fn check(place: &Place, object: &[u8]) -> Result<()> {
        let mut viewer = Viewer::connect(place, object)?;
        if matches!(place.speech, Speech::Http { .. }) {
            return Ok(());
        }
        let mut came = vec![0; object.len()];
        match place.framing {
            Framing::Unsealed => {
                viewer.ask()?;
                came = viewer.texts()?;
            }
            framing => {
                if let Some(version) = framing.version() {
                    kernel_tls(&viewer.socket, Way::Receive, version)?;
                }
                viewer.ask()?;
                viewer.socket.read_exact(&mut came)?;
            }
        }
        equal(&came, object)
    }

    fn check_http(&mut self, object: &[u8]) -> Result<()> {
        self.ask()?;
        let mut came = Vec::new();
        let head = loop {
            self.read_some(&mut came)?;
            let head = came.windows(4).position(|four| four == b"\r\n\r\n");
            if let Some(head) = head
                && came.len() >= head + 4 + object.len()
            {
                break head + 4;
            }
        };
        let said = String::from_utf8_lossy(&came[..head]);
        ensure!(said.starts_with("HTTP/1.1 200 "), "{said}");
        self.length = came.len();
        equal(&came[head..], object)
    }

    /// Adds some more of what the server says.
    fn read_some(&mut self, came: &mut Vec<u8>) -> Result<()> {
        if self.place.framing == Framing::Unsealed {
            let text = self.text()?;
            came.extend_from_slice(&text);
            return Ok(());
        }
        let mut piece = vec![0; 1 << 16];
        let count = match &mut self.tls {
            Some(tls) => rustls::Stream::new(tls, &mut self.socket).read(&mut piece)?,
            None => self.socket.read(&mut piece)?,
        };
        ensure!(count > 0, "the server has hung up");
        came.extend_from_slice(&piece[..count]);
        Ok(())
    }

    /// Asks for the object.
    pub(super) fn ask(&mut self) -> Result<()> {
        match (&self.place.speech, &mut self.tls) {
            (Speech::Http { request, .. }, Some(tls)) => {
                let mut stream = rustls::Stream::new(tls, &mut self.socket);
                stream.write_all(request.as_bytes())?;
                stream.flush()?;
            }
            (Speech::Http { request, .. }, None) => self.socket.write_all(request.as_bytes())?,
            (Speech::Bare, _) => self.socket.write_all(b"?")?,
        }
        Ok(())
    }

    /// Has the kernel throw a whole response away.
    pub(super) fn discard(&mut self) -> Result<()> {
        if self.place.framing == Framing::Plain {
            return self.drop_bytes(self.length);
        }
        let mut text = 0;
        while text < self.length {
            let (count, record) = self.record()?;
            self.drop_bytes(record)?;
            text += count;
        }
        ensure!(text == self.length, "{text} bytes came of {}", self.length);
        Ok(())
    }

    /// Reads a record's head: the length of its text, and of all that follows.
    fn record(&mut self) -> Result<(usize, usize)> {
        let mut head = [0; HEAD];
        self.socket.read_exact(&mut head).context("record")?;
        let record = usize::from(u16::from_be_bytes([head[3], head[4]]));
        let (before, after) = self.place.framing.around();
        ensure!(head[0] == APPLICATION_DATA, "a record of kind {}", head[0]);
        ensure!(record > before + after, "a record of {record} bytes");
        Ok((record - before - after, record))
    }

    fn drop_bytes(&mut self, mut count: usize) -> Result<()> {
        while count > 0 {
            let flags = RecvFlags::TRUNC | RecvFlags::WAITALL;
            let most = count.min(AT_ONCE);
            let (_, came) = recv(&self.socket, &mut self.nowhere[..most], flags)?;
            if came == 0 {
                bail!("the server has hung up with {count} bytes to go");
            }
            count -= came;
        }
        Ok(())
    }

    /// The texts of a response's records, from a card that seals nothing.
    fn texts(&mut self) -> Result<Vec<u8>> {
        let mut came = Vec::new();
        while came.len() < self.length {
            came.extend(self.text()?);
        }
        Ok(came)
    }

    /// The text of the next record.
    fn text(&mut self) -> Result<Vec<u8>> {
        let (before, _) = self.place.framing.around();
        let (count, record) = self.record()?;
        let mut bytes = vec![0; record];
        self.socket.read_exact(&mut bytes)?;
        Ok(bytes[before..before + count].to_vec())
    }
}
