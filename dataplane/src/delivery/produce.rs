//! The next send of a response: head and body bytes, sealed where there is TLS, in one
//! buffer.
//!
//! This is the seam between what is sent and how: [`put`] copies or seals one record, and
//! for a connection that the kernel seals it only copies. A lease is held for that call only.

use zonecast_io::{BUFFER_BYTES, BURST_BYTES, Buffer, Driver};
use zonecast_proto::Status;
use zonecast_proto::chunked::{CHUNK_END, LAST_CHUNK, SIZE_LINE_BYTES_MAX, encode_size};
use zonecast_proto::response::HEAD_BYTES_MAX;
use zonecast_ring::Lease;

use super::body::{Next, Piece};
use super::response::{Body, Response};
use crate::loops::Loop;
use crate::peer::{Link, PeerId, State};
use crate::tls::{Session, TlsError};

/// Records that fit in a buffer of the pool, with all that they add, and in a burst. Of what a
/// socket is sent, more at once costs less per byte.
const BUFFER_RECORDS: usize = 3;
pub(super) const BURST_RECORDS: usize = 16;
const _: () = {
    assert!(bytes_of(BUFFER_RECORDS) <= BUFFER_BYTES);
    assert!(bytes_of(BURST_RECORDS) <= BURST_BYTES);
};

/// What so many records take, and the end of a chunked body in one of its own.
const fn bytes_of(records: usize) -> usize {
    (records + 1) * Session::OVERHEAD_MAX + records * Session::PLAINTEXT_MAX + LAST_CHUNK.len()
}

/// What came of an attempt to make a send.
enum Made {
    /// This buffer is to be sent.
    Send(Buffer),
    /// This is to be sent straight from its ring.
    FromRing(Piece),
    /// No send buffer is free.
    NoBuffer,
    /// The object has nothing new yet.
    NotYet,
    /// There is nothing more: the end of the connection ends the body.
    Ended,
    /// It cannot go on.
    Failed(Status),
}

impl<D: Driver<Hold = Lease>> Loop<D> {
    /// Makes and sends what comes next, unless a send is in flight.
    pub(crate) fn pump(&mut self, id: PeerId) {
        let Some(peer) = self.peers.get_mut(id) else {
            return;
        };
        let busy = peer.send.is_some() || peer.writable.is_some();
        if peer.state != State::Response || busy {
            return;
        }
        if peer.rest.is_some() {
            return self.send_what_was_left(id);
        }
        if self.changes_kernel_key(id) {
            return;
        }
        let Some(peer) = self.peers.get_mut(id) else {
            return;
        };
        let Some(mut response) = peer.response.take() else {
            return;
        };
        let made = self.make(id, &mut response);
        let head_sent = response.head_sent;
        let borrows = self.peers.get(id).is_some_and(|peer| peer.borrows);
        let more = !borrows && !response.ended && !response.head_only && response.at.left.is_some();
        let asked = response.asked_again();
        let Some(peer) = self.peers.get_mut(id) else {
            return;
        };
        peer.response = Some(response);
        match made {
            Made::Send(buffer) => {
                self.measure(id);
                self.send_now(id, buffer, more);
            }
            Made::FromRing(piece) => {
                self.measure(id);
                match self.is_lent(id, &piece) {
                    Some(true) => self.lend_from_ring(id, piece),
                    Some(false) => self.send_from_ring(id, piece),
                    None => {}
                }
            }
            Made::NoBuffer => {
                self.rest(id);
                self.starve(id);
            }
            Made::NotYet => self.rest(id),
            Made::Ended => self.response_done(id),
            // Sealing failed, as it would again.
            Made::Failed(Status::InternalServerError) => self.cut(id),
            Made::Failed(status) if !head_sent => {
                if status == Status::Gone {
                    self.counters.viewers_lapped.add(1);
                }
                self.stop_waiting(id);
                if let Some(peer) = self.peers.get_mut(id) {
                    peer.response = Some(Response::status(asked, status.into()));
                }
                self.pump(id);
            }
            Made::Failed(Status::Gone) => self.lapped(id),
            Made::Failed(_) => self.cut(id),
        }
    }

    fn make(&mut self, id: PeerId, response: &mut Response) -> Made {
        if response.head_sent && self.goes_from_ring(id, response) {
            return self.make_from_ring(id, response);
        }
        let Some((mut buffer, records)) = self.buffer_for(id, response) else {
            return Made::NoBuffer;
        };
        match self.fill(id, response, records, &mut buffer) {
            Ok(0) if response.ended => Made::Ended,
            Ok(0) => Made::NotYet,
            Ok(filled) => {
                buffer.set(0, filled);
                Made::Send(buffer)
            }
            Err(status) => Made::Failed(status),
        }
    }

    /// A buffer for the next send, and how many records it is for.
    fn buffer_for(&mut self, id: PeerId, response: &Response) -> Option<(Buffer, usize)> {
        let records = self.records_max(id);
        let small = response
            .at
            .left
            .is_some_and(|left| left <= (BUFFER_RECORDS * Session::PLAINTEXT_MAX) as u64);
        if records > BUFFER_RECORDS
            && !small
            && let Some(burst) = self.driver.burst()
        {
            return Some((burst, records));
        }
        Some((self.driver.buffer()?, records.min(BUFFER_RECORDS)))
    }

    /// Fills `buffer` with at most so many records; returns the bytes in it.
    fn fill(
        &mut self,
        id: PeerId,
        response: &mut Response,
        records_max: usize,
        buffer: &mut [u8],
    ) -> Result<usize, Status> {
        let mut head_room = [0; HEAD_BYTES_MAX];
        let head_len = if response.head_sent {
            0
        } else {
            let date = self.date();
            response.write_head(&date, &mut head_room)
        };
        let mut head = &head_room[..head_len];
        let (mut filled, mut payload) = (0, 0);
        let from_ring = self.goes_from_ring(id, response);
        let only_head = from_ring || response.head_only;
        let framing = if response.is_chunked() {
            SIZE_LINE_BYTES_MAX + CHUNK_END.len()
        } else {
            0
        };
        if from_ring && let Some(piece) = self.first_of_borrower(id, response) {
            (payload, filled) = self.put_piece(id, response, head, &piece, buffer)?;
            head = &[];
        }
        let mut records = 0;
        while !only_head && records < records_max {
            let most = Session::PLAINTEXT_MAX - head.len() - framing;
            match self.next_piece(&response.body, &mut response.at, most) {
                Next::Bytes(piece) => {
                    response.at.take(piece.len());
                    let out = &mut buffer[filled..];
                    let (bytes, put) = self.put_piece(id, response, head, &piece, out)?;
                    (payload, filled) = (payload + bytes, filled + put);
                    head = &[];
                    records += 1;
                }
                Next::End => {
                    response.ended = true;
                    break;
                }
                Next::NotYet if payload == 0 && head.is_empty() => {
                    if !self.starts_waiting(id, response) {
                        return Ok(0);
                    }
                }
                Next::NotYet => break,
                Next::Lapped if payload == 0 => return Err(Status::Gone),
                Next::Aborted if payload == 0 => return Err(Status::ServiceUnavailable),
                // What is there is sent; the next attempt cuts the response off.
                Next::Lapped | Next::Aborted => break,
            }
        }
        response.ended |= response.head_only || response.at.left == Some(0);
        let last = if response.ended && response.is_chunked() && !response.head_only {
            LAST_CHUNK
        } else {
            &[]
        };
        if !head.is_empty() || !last.is_empty() {
            payload += head.len();
            filled += self.put(id, &[head, last], &mut buffer[filled..])?;
        }
        if !std::mem::replace(&mut response.head_sent, true) {
            self.counters.add_response(response.status.code());
        }
        response.in_flight = payload as u64 + last.len() as u64;
        Ok(filled)
    }

    /// Puts one piece of the body into `out`, with what frames it; returns how many bytes
    /// that is, and how many of `out` they take.
    fn put_piece(
        &mut self,
        id: PeerId,
        response: &Response,
        head: &[u8],
        piece: &[u8],
        out: &mut [u8],
    ) -> Result<(usize, usize), Status> {
        let mut room = [0; SIZE_LINE_BYTES_MAX];
        let (size, end): (&[u8], &[u8]) = if response.is_chunked() {
            (encode_size(piece.len() as u64, &mut room), CHUNK_END)
        } else {
            (&[], &[])
        };
        let pieces = [head, size, piece, end];
        let bytes = pieces.iter().map(|piece| piece.len()).sum();
        Ok((bytes, self.put(id, &pieces, out)?))
    }

    /// Puts `pieces` into `out` the way the connection wants them.
    fn put(&mut self, id: PeerId, pieces: &[&[u8]], out: &mut [u8]) -> Result<usize, Status> {
        let peer = self.peers.get_mut(id).ok_or(Status::InternalServerError)?;
        put(&mut peer.link, pieces, out).map_err(|error| {
            tracing::error!(%error, "a response could not be sealed");
            Status::InternalServerError
        })
    }

    /// Has the loop notice the peer when the object grows; false when it does so already.
    fn starts_waiting(&mut self, id: PeerId, response: &Response) -> bool {
        let Some(stream) = response.stream.clone() else {
            return false;
        };
        if self
            .peers
            .get(id)
            .is_none_or(|peer| peer.wait_place.is_some())
        {
            return false;
        }
        self.start_waiting(id, &stream);
        true
    }

    /// The peer has all there is: that nothing is sent now is not its fault.
    fn rest(&mut self, id: PeerId) {
        if let Some(response) = self.peers.get_mut(id).and_then(|p| p.response.as_mut()) {
            response.rate_since = None;
        }
    }

    /// The peer waits for a send buffer.
    pub(super) fn starve(&mut self, id: PeerId) {
        let Some(peer) = self.peers.get_mut(id) else {
            return;
        };
        if !peer.starved {
            peer.starved = true;
            self.starved.push_back(id);
        }
    }

    /// Gives those who wait for a send buffer what there is, first come first served.
    pub(crate) fn feed_starved(&mut self) {
        for _ in 0..self.starved.len() {
            if self.driver.buffers_free() == 0 {
                return;
            }
            let Some(id) = self.starved.pop_front() else {
                return;
            };
            let Some(peer) = self.peers.get_mut(id) else {
                continue;
            };
            peer.starved = false;
            self.pump(id);
        }
    }

    fn goes_from_ring(&self, id: PeerId, response: &Response) -> bool {
        let as_it_is = self
            .peers
            .get(id)
            .is_some_and(|peer| peer.link.takes_plaintext());
        as_it_is && matches!(response.body, Body::Object(_)) && response.at.left.is_some()
    }

    fn make_from_ring(&mut self, id: PeerId, response: &mut Response) -> Made {
        let borrower = self.peers.get(id).filter(|peer| peer.borrows);
        let lent = borrower.map(|peer| super::lend::lend_bytes_max(peer.records));
        let most = lent.unwrap_or(super::from_ring::SEND_BYTES_MAX);
        let mut next = self.next_piece(&response.body, &mut response.at, most);
        if matches!(next, Next::NotYet) && self.starts_waiting(id, response) {
            next = self.next_piece(&response.body, &mut response.at, most);
        }
        match next {
            Next::Bytes(mut piece) => {
                if lent.is_some() {
                    piece.cut_at_page();
                }
                response.at.take(piece.len());
                response.ended = response.at.left == Some(0);
                response.in_flight = piece.len() as u64;
                Made::FromRing(piece)
            }
            Next::NotYet => Made::NotYet,
            Next::Lapped => Made::Failed(Status::Gone),
            Next::End | Next::Aborted => Made::Failed(Status::ServiceUnavailable),
        }
    }
}

/// Copies, or seals into one record.
fn put(link: &mut Link, pieces: &[&[u8]], out: &mut [u8]) -> Result<usize, TlsError> {
    match link {
        Link::Tls(session) if !session.is_sealed_by_kernel() => session.seal(pieces, out),
        Link::Plain | Link::Tls(_) | Link::Handshake(_) => {
            let mut at = 0;
            for piece in pieces {
                out[at..at + piece.len()].copy_from_slice(piece);
                at += piece.len();
            }
            Ok(at)
        }
    }
}
