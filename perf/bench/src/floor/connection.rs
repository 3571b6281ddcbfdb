//! One connection: a handshake, then answers, one send after the other until the socket is full.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use anyhow::{Result, bail};
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, recv, send, sendmsg};
use zonecast_dataplane::tls::{Acceptor, Handshake, Opened, Progress, Session};

use super::answer::{Answer, Answers};

/// A client's bytes of one turn: requests are small.
const INPUT_BYTES: usize = 16 * 1024;

enum State {
    Shaking(Box<Handshake>),
    Sealed(Box<Session>),
    Plain,
}

/// Buffers that connections share, and the one that receives.
pub(super) struct Buffers {
    free: Vec<Vec<u8>>,
    bytes: usize,
    input: Vec<u8>,
}

impl Buffers {
    pub(super) fn new(bytes: usize) -> Buffers {
        Buffers {
            free: Vec::new(),
            bytes,
            input: vec![0; INPUT_BYTES],
        }
    }

    /// The one that was given back last is the one that the CPU's caches hold.
    fn take(&mut self) -> Vec<u8> {
        self.free.pop().unwrap_or_else(|| vec![0; self.bytes])
    }
}

/// What is to be sent before anything else.
struct Outgoing {
    buffer: Vec<u8>,
    from: usize,
    to: usize,
}

/// One client.
pub(super) struct Connection {
    socket: OwnedFd,
    state: Option<State>,
    /// Sealed bytes of an incomplete record.
    input: Vec<u8>,
    requests: usize,
    next: usize,
    answer: Option<Answer>,
    outgoing: Option<Outgoing>,
}

impl Connection {
    /// `number` says which object it gets first.
    pub(super) fn new(
        socket: OwnedFd,
        acceptor: Option<&Acceptor>,
        number: usize,
    ) -> Result<Connection> {
        let state = match acceptor {
            Some(acceptor) => State::Shaking(Box::new(Handshake::new(acceptor)?)),
            None => State::Plain,
        };
        Ok(Connection {
            socket,
            state: Some(state),
            input: Vec::new(),
            requests: 0,
            next: number,
            answer: None,
            outgoing: None,
        })
    }

    pub(super) fn socket(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }

    /// Takes what has come and sends what the socket takes; false once the client is gone.
    pub(super) fn go_on(&mut self, answers: &Answers, buffers: &mut Buffers) -> Result<bool> {
        loop {
            let got = match recv(&self.socket, &mut buffers.input[..], RecvFlags::empty()) {
                Ok((_, 0)) | Err(Errno::CONNRESET) => return Ok(false),
                Ok((_, got)) => got,
                Err(Errno::AGAIN) => break,
                Err(error) => return Err(error.into()),
            };
            if !self.take(got, buffers)? {
                return Ok(false);
            }
            // A short read has emptied the socket; the edge tells of more.
            if got < buffers.input.len() {
                break;
            }
        }
        self.pump(answers, buffers)
    }

    /// Takes `got` received bytes; false when the client says that it closes.
    fn take(&mut self, got: usize, buffers: &mut Buffers) -> Result<bool> {
        let came = &mut buffers.input[..got];
        match self.state.take() {
            None => bail!("a connection without a state"),
            Some(State::Plain) => {
                self.requests += 1;
                self.state = Some(State::Plain);
                Ok(true)
            }
            Some(State::Shaking(mut handshake)) => {
                let mut out = Vec::new();
                let progress = handshake.receive(came, &mut out)?;
                if !out.is_empty() {
                    // Small enough for any empty socket.
                    let sent = send(&self.socket, &out, SendFlags::NOSIGNAL)?;
                    anyhow::ensure!(sent == out.len(), "a handshake did not fit in the socket");
                }
                if progress == Progress::NeedMore {
                    self.state = Some(State::Shaking(handshake));
                    return Ok(true);
                }
                let (session, rest) = handshake.finish()?;
                self.input = rest;
                self.open(Box::new(session))
            }
            Some(State::Sealed(session)) => {
                self.input.extend_from_slice(came);
                self.open(session)
            }
        }
    }

    /// Opens the records that are there: each one with data is a request.
    fn open(&mut self, mut session: Box<Session>) -> Result<bool> {
        let mut at = 0;
        let open = loop {
            match session.open(&mut self.input[at..])? {
                Opened::Data { consumed, .. } => {
                    self.requests += 1;
                    at += consumed;
                }
                Opened::KeyUpdate { consumed, .. } | Opened::Skipped { consumed } => at += consumed,
                Opened::CloseNotify { .. } => break false,
                Opened::Incomplete | Opened::NoRoom { .. } => break true,
            }
        };
        self.input.drain(..at);
        self.state = Some(State::Sealed(session));
        Ok(open)
    }

    /// Sends until the socket is full or nothing is left to answer.
    fn pump(&mut self, answers: &Answers, buffers: &mut Buffers) -> Result<bool> {
        loop {
            if let Some(mut outgoing) = self.outgoing.take() {
                let rest = &outgoing.buffer[outgoing.from..outgoing.to];
                match send(&self.socket, rest, SendFlags::NOSIGNAL) {
                    Ok(sent) => outgoing.from += sent,
                    Err(Errno::AGAIN) => {
                        self.outgoing = Some(outgoing);
                        return Ok(true);
                    }
                    Err(Errno::CONNRESET | Errno::PIPE) => return Ok(false),
                    Err(error) => return Err(error.into()),
                }
                if outgoing.from < outgoing.to {
                    self.outgoing = Some(outgoing);
                } else {
                    buffers.free.push(outgoing.buffer);
                }
                continue;
            }
            let Some(mut answer) = self.next_answer(answers) else {
                return Ok(true);
            };
            match &mut self.state {
                Some(State::Sealed(session)) => {
                    let mut buffer = buffers.take();
                    let (to, ended) = answers.seal(&mut answer, session, &mut buffer)?;
                    let from = 0;
                    self.outgoing = Some(Outgoing { buffer, from, to });
                    self.answer = (!ended).then_some(answer);
                }
                Some(State::Plain) => match self.send_plain(&mut answer, answers) {
                    Ok(()) => self.answer = (!answers.ended(&answer)).then_some(answer),
                    Err(Errno::AGAIN) => {
                        self.answer = Some(answer);
                        return Ok(true);
                    }
                    Err(Errno::CONNRESET | Errno::PIPE) => return Ok(false),
                    Err(error) => return Err(error.into()),
                },
                Some(State::Shaking(_)) | None => return Ok(true),
            }
        }
    }

    /// The answer under way, or the one to the next request.
    fn next_answer(&mut self, answers: &Answers) -> Option<Answer> {
        if let Some(answer) = self.answer.take() {
            return Some(answer);
        }
        self.requests = self.requests.checked_sub(1)?;
        let answer = answers.begin(self.next);
        self.next += 1;
        Some(answer)
    }

    fn send_plain(&self, answer: &mut Answer, answers: &Answers) -> Result<(), Errno> {
        let [head, body] = answers.plain(answer);
        let sent = if head.is_empty() {
            send(&self.socket, body, SendFlags::NOSIGNAL)?
        } else {
            let pieces = [std::io::IoSlice::new(head), std::io::IoSlice::new(body)];
            let mut control = rustix::net::SendAncillaryBuffer::default();
            sendmsg(&self.socket, &pieces, &mut control, SendFlags::NOSIGNAL)?
        };
        answers.take(answer, sent);
        Ok(())
    }
}
