//! A viewer's connection: rustls up to the end of its first response, and its own records from
//! then on, so that bodies can be passed over without being opened, and still be counted to the
//! byte.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::sync::Arc;

use rustls::ClientConfig;

use super::answer::{Answer, Ended};
use super::media::Media;
use super::record::{self, HEADER, Opened, Records};
use crate::channel::{Came, Channel, Room, invalid};
use crate::socket;

/// Records of one turn at most, so that nobody keeps the others waiting.
const RECORDS_PER_TURN: usize = 64;

/// A connection that takes over from rustls.
struct Raw {
    socket: OwnedFd,
    /// `None`: plain HTTP.
    records: Option<Records>,
    outgoing: Vec<u8>,
    /// The beginning of a record that is opened once it is whole.
    part: Vec<u8>,
    /// Bytes on the wire of a record that is passed over, and its plaintext.
    passing: (usize, usize),
}

enum State {
    Early(Box<Channel>),
    Raw(Box<Raw>),
}

/// What one look at the socket brought.
#[derive(Debug, Default)]
pub(crate) struct Read {
    /// Bytes that the socket gave out.
    pub(crate) wire_bytes: u64,
    pub(crate) ended: Option<Ended>,
    /// The server has closed.
    pub(crate) closed: bool,
}

/// One connection.
pub(crate) struct Link {
    state: Option<State>,
}

impl Link {
    pub(crate) fn start(
        from: Option<IpAddr>,
        target: SocketAddr,
        tls: Option<&Arc<ClientConfig>>,
        receive_buffer: Option<usize>,
    ) -> io::Result<Link> {
        let channel = Channel::start_from(from, target, tls, receive_buffer)?;
        let state = Some(State::Early(Box::new(channel)));
        Ok(Link { state })
    }

    pub(crate) fn socket(&self) -> BorrowedFd<'_> {
        match self.state() {
            State::Early(channel) => channel.socket(),
            State::Raw(raw) => raw.socket.as_fd(),
        }
    }

    pub(crate) fn connected(&self) -> io::Result<()> {
        socket::connected(self.socket())
    }

    pub(crate) fn is_shaking(&self) -> bool {
        matches!(self.state(), State::Early(channel) if channel.is_shaking())
    }

    /// A ticket spared the full handshake; asked right after it.
    pub(crate) fn resumed(&self) -> bool {
        matches!(self.state(), State::Early(channel) if channel.resumed())
    }

    pub(crate) fn wants_write(&self) -> bool {
        match self.state() {
            State::Early(channel) => channel.wants_write(),
            State::Raw(raw) => !raw.outgoing.is_empty(),
        }
    }

    pub(crate) fn flush(&mut self) -> io::Result<()> {
        match self.state_mut() {
            State::Early(channel) => channel.flush(),
            State::Raw(raw) => raw.flush(),
        }
    }

    /// Asks.
    pub(crate) fn send(&mut self, request: &[u8]) -> io::Result<()> {
        match self.state_mut() {
            State::Early(channel) => channel.send(request),
            State::Raw(raw) => {
                match &mut raw.records {
                    Some(records) => records.seal(request, &mut raw.outgoing)?,
                    None => raw.outgoing.extend_from_slice(request),
                }
                raw.flush()
            }
        }
    }

    /// Goes on with the handshake.
    pub(crate) fn shake(&mut self, room: &mut Room) -> io::Result<Came> {
        match self.state_mut() {
            State::Early(channel) => {
                channel.receive(room, |_| Err("data before a request".to_owned()))
            }
            State::Raw(_) => Ok(Came::Nothing),
        }
    }

    /// Receives what there is of a response; `max` bytes at most, for a reader that is slow.
    pub(crate) fn receive(
        &mut self,
        room: &mut Room,
        answer: &mut Answer,
        media: &Media,
        max: usize,
    ) -> io::Result<Read> {
        let mut read = Read::default();
        match self.state_mut() {
            State::Early(channel) => {
                match channel.receive(room, |came| answer.take(media, came))? {
                    Came::Nothing => {}
                    Came::End => read.closed = true,
                    Came::Bytes(bytes) => read.wire_bytes = bytes as u64,
                }
                read.ended = answer.ended(media).map_err(invalid)?;
                if read.ended.is_some() {
                    self.take_over()?;
                }
            }
            State::Raw(raw) => raw.receive(room, answer, media, max, &mut read)?,
        }
        Ok(read)
    }

    /// Looks at the socket while nothing is due: whether the server has closed.
    pub(crate) fn idle(&mut self, room: &mut Room) -> io::Result<bool> {
        let nothing = |_: &[u8]| Err("bytes that nobody asked for".to_owned());
        match self.state_mut() {
            State::Early(channel) => Ok(channel.receive(room, nothing)? == Came::End),
            State::Raw(raw) => {
                let mut read = Read::default();
                raw.step(room, None, &mut read)?;
                Ok(read.closed)
            }
        }
    }

    /// From here on without rustls, which holds nothing between two responses.
    fn take_over(&mut self) -> io::Result<()> {
        if let Some(State::Early(channel)) = self.state.take() {
            let (socket, tls, outgoing) = channel.into_parts();
            let records = tls.map(|tls| Records::take_over(*tls)).transpose()?;
            self.state = Some(State::Raw(Box::new(Raw {
                socket,
                records,
                outgoing,
                part: Vec::new(),
                passing: (0, 0),
            })));
        }
        Ok(())
    }

    fn state(&self) -> &State {
        self.state
            .as_ref()
            .expect("only take_over takes it, and puts another back or ends the connection")
    }

    fn state_mut(&mut self) -> &mut State {
        self.state
            .as_mut()
            .expect("only take_over takes it, and puts another back or ends the connection")
    }
}

impl Raw {
    fn flush(&mut self) -> io::Result<()> {
        while !self.outgoing.is_empty() {
            match socket::send_some(&self.socket, &self.outgoing)? {
                0 => break,
                sent => drop(self.outgoing.drain(..sent)),
            }
        }
        Ok(())
    }

    fn receive(
        &mut self,
        room: &mut Room,
        answer: &mut Answer,
        media: &Media,
        max: usize,
        read: &mut Read,
    ) -> io::Result<()> {
        for _ in 0..RECORDS_PER_TURN {
            if !self.step(room, Some((&mut *answer, media)), read)? || read.closed {
                return Ok(());
            }
            read.ended = answer.ended(media).map_err(invalid)?;
            if read.ended.is_some() || read.wire_bytes >= max as u64 {
                return Ok(());
            }
        }
        Ok(())
    }

    /// One record, or a piece of one, or of a plain stream; whether there may be more. Without
    /// an answer every byte of data is one too many.
    fn step(
        &mut self,
        room: &mut Room,
        answer: Option<(&mut Answer, &Media)>,
        read: &mut Read,
    ) -> io::Result<bool> {
        if self.records.is_none() {
            return self.plain(room, answer, read);
        }
        if self.passing.0 > 0 {
            let max = self.passing.0.min(room.void.len());
            let Some(bytes) = got(socket::discard(&self.socket, &mut room.void[..max])?, read)
            else {
                return Ok(false);
            };
            self.passing.0 -= bytes;
            if self.passing.0 == 0
                && let (Some((answer, _)), Some(records)) = (answer, &mut self.records)
            {
                records.pass();
                answer.pass(self.passing.1 as u64);
            }
            return Ok(true);
        }
        let Some(header) = self.part.first_chunk::<HEADER>() else {
            let max = HEADER - self.part.len();
            return self.append(max, room, read);
        };
        let payload = record::payload(*header).map_err(invalid)?;
        let plain = record::plaintext(payload);
        let may_pass = answer.as_ref().map_or(0, |(answer, _)| answer.may_pass());
        if self.part.len() == HEADER && plain as u64 <= may_pass {
            self.part.clear();
            self.passing = (payload, plain);
            return Ok(true);
        }
        let left = HEADER + payload - self.part.len();
        if !self.append(left, room, read)? || self.part.len() < HEADER + payload {
            return Ok(false);
        }
        let mut record = std::mem::take(&mut self.part);
        let Some(records) = &mut self.records else {
            return Ok(false);
        };
        match (records.open(&mut record).map_err(invalid)?, answer) {
            (Opened::Data(data), Some((answer, media))) => {
                answer.take(media, data).map_err(invalid)?;
            }
            (Opened::Data([]), None) | (Opened::Other, _) => {}
            (Opened::Data(_), None) => return Err(invalid("bytes that nobody asked for")),
            (Opened::Closed, _) => read.closed = true,
        }
        Ok(true)
    }

    /// Receives at most `max` bytes more of a record; whether any came.
    fn append(&mut self, max: usize, room: &mut Room, read: &mut Read) -> io::Result<bool> {
        let max = max.min(room.wire.len());
        let came = socket::receive(&self.socket, &mut room.wire[..max])?;
        let Some(bytes) = got(came, read) else {
            return Ok(false);
        };
        self.part.extend_from_slice(&room.wire[..bytes]);
        Ok(true)
    }

    fn plain(
        &mut self,
        room: &mut Room,
        answer: Option<(&mut Answer, &Media)>,
        read: &mut Read,
    ) -> io::Result<bool> {
        let may_pass = answer.as_ref().map_or(0, |(answer, _)| answer.may_pass());
        let may_pass = usize::try_from(may_pass).unwrap_or(usize::MAX);
        if may_pass > 0 {
            let max = may_pass.min(room.void.len());
            let came = socket::discard(&self.socket, &mut room.void[..max])?;
            let Some(bytes) = got(came, read) else {
                return Ok(false);
            };
            if let Some((answer, _)) = answer {
                answer.pass(bytes as u64);
            }
            return Ok(true);
        }
        let came = socket::receive(&self.socket, &mut room.wire)?;
        let Some(bytes) = got(came, read) else {
            return Ok(false);
        };
        match answer {
            Some((answer, media)) => {
                let came = &room.wire[..bytes];
                answer.take(media, came).map_err(invalid)?;
                Ok(true)
            }
            None => Err(invalid("bytes that nobody asked for")),
        }
    }
}

/// Notes what a socket gave out; `None` if there was nothing, or nothing will come any more.
fn got(came: Option<usize>, read: &mut Read) -> Option<usize> {
    match came {
        None => None,
        Some(0) => {
            read.closed = true;
            None
        }
        Some(bytes) => {
            read.wire_bytes += bytes as u64;
            Some(bytes)
        }
    }
}
