//! Bytes over one connection, plain or sealed: what is asked goes in, what comes is handed on,
//! and the bytes that the socket gave out are counted.

use std::io::{self, Read as _, Write as _};
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

use rustls::{ClientConfig, ClientConnection, HandshakeKind};

use crate::socket;
use crate::tls::SERVER_NAME;

/// Room that all channels of a thread share.
pub(crate) struct Room {
    /// What a socket gives out.
    pub(crate) wire: Vec<u8>,
    /// What was in it.
    plain: Vec<u8>,
    /// What discarding is told; never written.
    pub(crate) void: Vec<u8>,
}

impl Room {
    pub(crate) fn new() -> Room {
        Room {
            wire: vec![0; 128 * 1024],
            plain: vec![0; 64 * 1024],
            void: vec![0; 4 << 20],
        }
    }
}

/// What came of looking at a socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Came {
    /// Nothing yet.
    Nothing,
    /// So many bytes on the wire.
    Bytes(usize),
    /// The end of the stream.
    End,
}

/// One connection.
pub(crate) struct Channel {
    socket: OwnedFd,
    tls: Option<Box<ClientConnection>>,
    /// What the socket has not taken yet.
    outgoing: Vec<u8>,
}

impl Channel {
    /// Begins to connect.
    pub(crate) fn start(
        target: SocketAddr,
        tls: Option<&Arc<ClientConfig>>,
        receive_buffer: Option<usize>,
    ) -> io::Result<Channel> {
        Channel::start_from(None, target, tls, receive_buffer)
    }

    /// Begins to connect from an address of this machine.
    pub(crate) fn start_from(
        from: Option<IpAddr>,
        target: SocketAddr,
        tls: Option<&Arc<ClientConfig>>,
        receive_buffer: Option<usize>,
    ) -> io::Result<Channel> {
        let tls = match tls {
            None => None,
            Some(config) => {
                let name = SERVER_NAME.try_into().map_err(io::Error::other)?;
                let client = ClientConnection::new(Arc::clone(config), name);
                let mut client = client.map_err(io::Error::other)?;
                // A producer hands over a whole segment at a time.
                client.set_buffer_limit(None);
                Some(Box::new(client))
            }
        };
        Ok(Channel {
            socket: socket::start(target, receive_buffer, from)?,
            tls,
            outgoing: Vec::new(),
        })
    }

    /// The socket, its TLS, and what the socket has not taken.
    pub(crate) fn into_parts(self) -> (OwnedFd, Option<Box<ClientConnection>>, Vec<u8>) {
        (self.socket, self.tls, self.outgoing)
    }

    pub(crate) fn socket(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }

    /// Shaking hands still.
    pub(crate) fn is_shaking(&self) -> bool {
        self.tls.as_ref().is_some_and(|tls| tls.is_handshaking())
    }

    /// Session tickets that have come.
    pub(crate) fn tickets(&self) -> u32 {
        self.tls
            .as_ref()
            .map_or(0, |tls| tls.tls13_tickets_received())
    }

    /// A ticket spared the full handshake.
    pub(crate) fn resumed(&self) -> bool {
        let kind = self.tls.as_ref().and_then(|tls| tls.handshake_kind());
        kind == Some(HandshakeKind::Resumed)
    }

    /// Seals and sends; what the socket does not take waits for [`Channel::flush`].
    pub(crate) fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        match &mut self.tls {
            Some(tls) => tls.writer().write_all(bytes)?,
            None => self.outgoing.extend_from_slice(bytes),
        }
        self.flush()
    }

    /// Keeps bytes until the connection is there: they go with a later [`Channel::flush`].
    pub(crate) fn hold(&mut self, bytes: &[u8]) -> io::Result<()> {
        match &mut self.tls {
            Some(tls) => tls.writer().write_all(bytes),
            None => {
                self.outgoing.extend_from_slice(bytes);
                Ok(())
            }
        }
    }

    /// Says that nothing more is asked.
    pub(crate) fn send_close(&mut self) -> io::Result<()> {
        if let Some(tls) = &mut self.tls {
            tls.send_close_notify();
        }
        self.flush()
    }

    /// Sends what waits.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        if let Some(tls) = &mut self.tls {
            while tls.wants_write() {
                tls.write_tls(&mut self.outgoing)?;
            }
        }
        while !self.outgoing.is_empty() {
            match socket::send_some(&self.socket, &self.outgoing)? {
                0 => break,
                sent => drop(self.outgoing.drain(..sent)),
            }
        }
        Ok(())
    }

    /// Something waits for the socket to take it.
    pub(crate) fn wants_write(&self) -> bool {
        !self.outgoing.is_empty()
    }

    /// Receives once, opens what came, and hands it to `take`.
    pub(crate) fn receive(
        &mut self,
        room: &mut Room,
        mut take: impl FnMut(&[u8]) -> Result<(), String>,
    ) -> io::Result<Came> {
        let bytes = match socket::receive(&self.socket, &mut room.wire)? {
            None => return Ok(Came::Nothing),
            Some(0) => return Ok(Came::End),
            Some(bytes) => bytes,
        };
        let mut came = &room.wire[..bytes];
        let Some(tls) = &mut self.tls else {
            take(came).map_err(invalid)?;
            return Ok(Came::Bytes(bytes));
        };
        while !came.is_empty() {
            tls.read_tls(&mut came)?;
            let state = tls.process_new_packets().map_err(invalid)?;
            let mut plain = state.plaintext_bytes_to_read();
            while plain > 0 {
                let got = tls.reader().read(&mut room.plain)?;
                take(&room.plain[..got]).map_err(invalid)?;
                plain -= got;
            }
        }
        // The handshake has answers, and so has a KeyUpdate.
        self.flush()?;
        Ok(Came::Bytes(bytes))
    }

    /// Throws away what came, still sealed.
    pub(crate) fn discard(&mut self, room: &mut Room) -> io::Result<Came> {
        Ok(match socket::discard(&self.socket, &mut room.void)? {
            None => Came::Nothing,
            Some(0) => Came::End,
            Some(bytes) => Came::Bytes(bytes),
        })
    }
}

/// Bytes that must not come: [`is_wrong`] tells these from a broken connection.
pub(crate) fn invalid(what: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

/// Whether an error is about what came, and not about the connection.
pub(crate) fn is_wrong(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::InvalidData
}
