//! What every phase does alike: take in what came, go on with whatever can go on, ask for
//! more.

use std::io;

use zonecast_io::{Buffer, Driver, Outgoing, Received};
use zonecast_ring::Lease;

use super::{How, PeerId, Plaintext, Role, State};
use crate::loops::Loop;
use crate::tls::TlsError;

/// Whether a phase can go on with what has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Something was done: look again.
    Again,
    /// Nothing more can be done now.
    Stop,
}

impl<D: Driver<Hold = Lease>> Loop<D> {
    /// Bytes have come in from a viewer.
    pub(crate) fn received(&mut self, id: PeerId, result: io::Result<Received>) {
        let Some(peer) = self.peers.get_mut(id) else {
            return;
        };
        peer.receive = None;
        match result {
            _ if peer.state == State::Closing => self.teardown(id),
            Err(_) => self.receive_failed(id),
            Ok(bytes) if bytes.is_empty() => self.peer_finished(id),
            Ok(bytes) => {
                peer.inbox.borrow(&mut self.scratch);
                peer.inbox.append(&bytes);
                drop(bytes);
                self.advance(id);
                if let Some(peer) = self.peers.get_mut(id) {
                    peer.inbox.give_back(&mut self.scratch);
                }
            }
        }
    }

    /// Bytes have come in from an encoder, into its own buffer.
    pub(crate) fn received_into(&mut self, id: PeerId, result: io::Result<usize>, buffer: Buffer) {
        let Some(peer) = self.peers.get_mut(id) else {
            return;
        };
        peer.receive = None;
        peer.inbox
            .put_buffer(buffer, *result.as_ref().unwrap_or(&0));
        match result {
            _ if peer.state == State::Closing => self.teardown(id),
            Err(_) => self.receive_failed(id),
            Ok(0) => self.peer_finished(id),
            Ok(_) => self.advance(id),
        }
    }

    /// The connection broke. An encoder that closes with answers unread resets it, so what it
    /// had sent before is worked off as after a proper end.
    fn receive_failed(&mut self, id: PeerId) {
        match self.peers.get(id).map(|peer| peer.role) {
            Some(Role::Encoder) => self.peer_finished(id),
            _ => self.terminate(id, How::Abort),
        }
    }

    /// The peer sends nothing more: what it has sent is still worked off.
    pub(crate) fn peer_finished(&mut self, id: PeerId) {
        let Some(peer) = self.peers.get_mut(id) else {
            return;
        };
        peer.finished = true;
        self.advance(id);
    }

    /// Goes on as far as what has come allows, then asks for more.
    pub(crate) fn advance(&mut self, id: PeerId) {
        while let Some(peer) = self.peers.get(id) {
            let step = match peer.state {
                State::Handshake => self.handshake_step(id),
                State::Handover => self.handover_step(id),
                State::Request => self.request_step(id),
                State::Upload => self.upload_step(id),
                State::Draining => self.draining_step(id),
                State::Waiting | State::Response | State::Commit | State::Closing => Step::Stop,
            };
            if step == Step::Stop {
                break;
            }
        }
        self.want_more(id);
    }

    /// Keeps one receive in flight, as long as what comes can be kept.
    pub(crate) fn want_more(&mut self, id: PeerId) {
        let Some(peer) = self.peers.get_mut(id) else {
            return;
        };
        if peer.receive.is_some() || peer.finished || !peer.may_receive() {
            return;
        }
        if !peer.inbox.is_own() {
            peer.receive = Some(self.driver.receive(peer.conn, id.token()));
        } else if let Some((buffer, at)) = peer.inbox.take_buffer() {
            let token = id.token();
            peer.receive = Some(self.driver.receive_into(peer.conn, buffer, at, token));
        }
    }

    /// Makes plaintext available in the peer's inbox. A peer that breaks the protocol is
    /// told so and ended; `None` then.
    pub(crate) fn plaintext(&mut self, id: PeerId) -> Option<Plaintext> {
        let peer = self.peers.get_mut(id)?;
        if peer.inbox.is_away() {
            return Some(Plaintext::None);
        }
        match peer.link.open(&mut peer.inbox) {
            Ok(Plaintext::Finished) => {
                peer.finished = true;
                Some(Plaintext::Finished)
            }
            Ok(plaintext) => Some(plaintext),
            Err(error) => {
                self.records_failed(id, &error);
                None
            }
        }
    }

    /// A send is over: what it was for goes on.
    pub(crate) fn sent(&mut self, id: PeerId, result: io::Result<usize>, out: Outgoing<Lease>) {
        let Some(peer) = self.peers.get_mut(id) else {
            return;
        };
        peer.send = None;
        let length = out.len();
        // What is sent of a response from a buffer is what the socket took at once.
        let out = match (&result, out) {
            (Ok(n), Outgoing::Buffer(buffer)) if *n < length && peer.state == State::Response => {
                return self.keep_rest(id, *n, &buffer.filled()[*n..]);
            }
            (_, out) => out,
        };
        match result {
            _ if peer.state == State::Closing => {
                drop(out);
                self.teardown(id);
            }
            Err(error) => {
                drop(out);
                self.send_failed(id, &error);
            }
            Ok(0) if length > 0 => {
                drop(out);
                self.terminate(id, How::Abort);
            }
            Ok(n) if n < length => self.send_rest(id, out, n),
            _ => {
                drop(out);
                self.send_done(id);
            }
        }
    }

    /// The socket took only a part: the rest is sent as it is (it may be sealed).
    fn send_rest(&mut self, id: PeerId, out: Outgoing<Lease>, n: usize) {
        let rest = match out {
            Outgoing::Buffer(mut buffer) => {
                let range = buffer.filled_range();
                buffer.set(range.start + n, range.end);
                Outgoing::Buffer(buffer)
            }
            Outgoing::Span { span, hold } => {
                let left = span.len - n as u32;
                let span = span.slice(n as u32, left).expect("a part of what was sent");
                Outgoing::Span { span, hold }
            }
        };
        self.send(id, rest, false);
    }

    /// Sends; the peer has nothing else in flight to it.
    pub(crate) fn send(&mut self, id: PeerId, out: Outgoing<Lease>, more: bool) {
        let Some(peer) = self.peers.get_mut(id) else {
            return;
        };
        debug_assert!(peer.send.is_none(), "one send at a time");
        peer.send = Some(self.driver.send(peer.conn, out, more, id.token()));
    }

    /// What a completed send was for goes on.
    pub(crate) fn send_done(&mut self, id: PeerId) {
        let Some(peer) = self.peers.get(id) else {
            return;
        };
        match peer.state {
            State::Response => self.response_sent(id),
            State::Handshake | State::Handover => self.advance(id),
            State::Draining => self.shut(id),
            _ => {}
        }
    }

    /// The socket takes nothing any more. For an encoder whose upload is committed that is
    /// no error: it closes without reading the answer, and what it sent behind that upload
    /// is still worked off.
    pub(crate) fn send_failed(&mut self, id: PeerId, error: &io::Error) {
        use io::ErrorKind::{BrokenPipe, ConnectionReset};
        let is_gone = matches!(error.kind(), BrokenPipe | ConnectionReset);
        match self.peers.get(id).map(|peer| (peer.role, peer.state)) {
            Some((Role::Encoder, State::Response)) if is_gone => self.response_done(id),
            _ => self.terminate(id, How::Abort),
        }
    }

    /// A record that the peer sent cannot be opened.
    fn records_failed(&mut self, id: PeerId, error: &TlsError) {
        let Some(peer) = self.peers.get_mut(id) else {
            return;
        };
        tracing::debug!(%error, peer = super::name(self.driver.peer(peer.conn)), "records refused");
        let between_responses = peer.state == State::Request;
        self.stop_waiting(id);
        self.abort_upload(id, crate::counters::IngestError::Tls);
        match error.alert() {
            Some(alert) if between_responses && self.send_alert(id, alert) => {
                self.go(id, State::Draining);
                self.set_draining_deadline(id);
            }
            _ => self.terminate(id, How::Abort),
        }
    }

    /// Changes the state by the table.
    pub(crate) fn go(&mut self, id: PeerId, next: State) {
        if let Some(peer) = self.peers.get_mut(id) {
            peer.state.go(next);
        }
    }
}
