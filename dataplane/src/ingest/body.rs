//! An encoder's body: unframed, and written once, into the ring.
//!
//! Bytes are taken only as there is room for them; what cannot be taken yet stays where it
//! was received, and nothing more is received once that is full.

use zonecast_io::{Driver, Outgoing, Time};
use zonecast_proto::Status;
use zonecast_proto::response::CONTINUE;
use zonecast_ring::{ChunkWriter, Lease};

use super::take::Taken;
use super::target::{Framing, Target, Upload};
use crate::counters::IngestError;
use crate::delivery::Asked;
use crate::loops::{Loop, Message, Order};
use crate::peer::{How, Link, PeerId, Plaintext, State, Step};
use crate::stream::{UploadId, part_bytes};

/// A chunk is asked for when the present one has less room than this.
const AHEAD_BYTES: usize = 32 << 10;

impl<D: Driver<Hold = Lease>> Loop<D> {
    /// An encoder's body begins.
    pub(crate) fn begin_upload(&mut self, id: PeerId, asked: Asked, mut upload: Box<Upload>) {
        let refused = match upload.target {
            Target::Discard(refused) => Some(refused),
            _ => None,
        };
        if let Some(error) = upload.error {
            self.counters.add_ingest_error(error);
        }
        if asked.expects && self.peers.get(id).is_some_and(|peer| !peer.held.is_empty()) {
            // Nobody can wait for this answer before those that it has not waited for.
            return self.terminate(id, How::Abort);
        }
        if let (true, Some(refused)) = (asked.expects, refused) {
            // It waits for a word before it sends the body: this is the word.
            return self.refuse(id, asked.and_close(), refused);
        }
        upload.asked = asked;
        if upload.stream.is_some() {
            self.uploads += 1;
            upload.id = Some(UploadId {
                reader: self.id,
                slot: id.slot,
                number: self.uploads,
            });
        }
        let begin = Order::Begin {
            path: upload.path.clone(),
            kind: upload.kind,
        };
        let is_delete = matches!(upload.target, Target::Delete(_));
        let Some(peer) = self.peers.get_mut(id) else {
            return;
        };
        peer.state.go(State::Upload);
        if upload.stream.is_some() && !peer.inbox.is_own() {
            // Encoders together have half of the buffers at most, viewers the rest.
            let spare = self.driver.buffers_free() * 2 > self.shared.limits.send_buffers as usize;
            if let Some(buffer) = self.driver.buffer().filter(|_| spare) {
                peer.inbox.take_over(buffer);
            }
        }
        peer.upload = Some(upload);
        if !is_delete && refused.is_none() {
            self.tell_owner(id, begin);
        }
        if asked.expects {
            self.say_continue(id);
        }
        self.touch(id);
        if refused.is_some() {
            // Whoever may not upload does not keep the connection by sending a byte at times.
            let until = self.driver.now() + self.request_timeout(id);
            self.set_deadline(id, Some(until));
        }
    }

    /// Tells an encoder that asked to go on.
    fn say_continue(&mut self, id: PeerId) {
        let Some(peer) = self.peers.get_mut(id) else {
            return;
        };
        if peer.send.is_some() {
            return;
        }
        let Some(mut buffer) = self.driver.buffer() else {
            return;
        };
        let n = match &mut peer.link {
            Link::Tls(session) => session.seal(&[CONTINUE], &mut buffer).unwrap_or(0),
            Link::Plain | Link::Handshake(_) => {
                buffer[..CONTINUE.len()].copy_from_slice(CONTINUE);
                CONTINUE.len()
            }
        };
        buffer.set(0, n);
        self.send(id, Outgoing::Buffer(buffer), false);
    }

    /// Takes what of the body has come, as far as there is room.
    pub(crate) fn upload_step(&mut self, id: PeerId) -> Step {
        let Some(upload) = self.peers.get(id).and_then(|p| p.upload.as_ref()) else {
            return Step::Stop;
        };
        if upload.framing.is_done() {
            return self.body_done(id);
        }
        match self.plaintext(id) {
            Some(Plaintext::Some) => self.take_body(id),
            Some(_) => {
                if self.peers.get(id).is_some_and(|peer| peer.finished) {
                    self.cut_upload(id, IngestError::Cut);
                }
                Step::Stop
            }
            None => Step::Stop,
        }
    }

    fn take_body(&mut self, id: PeerId) -> Step {
        let Some(peer) = self.peers.get_mut(id) else {
            return Step::Stop;
        };
        let Some(upload) = &mut peer.upload else {
            return Step::Stop;
        };
        let room = upload.room();
        if room == 0 {
            self.want_chunk(id);
            return Step::Stop;
        }
        let plain = peer.inbox.plain();
        let plain = &plain[..plain.len().min(room)];
        let (consumed, data) = match &mut upload.framing {
            Framing::Length(left) => {
                let n = plain
                    .len()
                    .min(usize::try_from(*left).unwrap_or(usize::MAX));
                *left -= n as u64;
                (n, 0..n)
            }
            Framing::Chunked(decoder) => match decoder.decode(plain) {
                Ok(piece) => (piece.consumed, piece.data),
                Err(error) => {
                    tracing::debug!(%error, path = &*upload.path, "bad chunk framing");
                    self.cut_upload(id, IngestError::BadRequest);
                    return Step::Stop;
                }
            },
        };
        let mut filled = Vec::new();
        let taken = upload.take(&plain[data], &self.shared.limits, &mut filled);
        peer.inbox.take_plain(consumed);
        self.taken(id, taken, filled)
    }

    /// So much of the body is taken: tells whoever waits for it.
    fn taken(&mut self, id: PeerId, taken: Taken, filled: Vec<ChunkWriter>) -> Step {
        for writer in filled {
            self.tell_owner(id, Order::Filled { writer });
        }
        match taken {
            Taken::Nothing => {}
            Taken::Bytes(n) => {
                self.counters.ingest_bytes.add(n as u64);
                self.touch(id);
                self.commit_written(id);
                self.want_first_chunk(id);
            }
            Taken::TooLarge => {
                self.refuse_upload(id, IngestError::TooLarge, Status::ContentTooLarge);
            }
            Taken::TooPatient => {
                self.cut_upload(id, IngestError::TooLarge);
                return Step::Stop;
            }
        }
        Step::Again
    }

    /// Lets readers follow to what is written, and asks for the next chunk in time.
    pub(super) fn commit_written(&mut self, id: PeerId) {
        let Some(upload) = self.peers.get_mut(id).and_then(|p| p.upload.as_mut()) else {
            return;
        };
        let room = upload.room();
        let Target::Ring {
            writer: Some(writer),
            next,
            ..
        } = &mut upload.target
        else {
            return;
        };
        writer.commit();
        let wants = next.is_none() && room < AHEAD_BYTES && upload.framing.length() != Some(0);
        if let Some(stream) = &upload.stream {
            self.post.notice(stream);
        }
        if wants {
            self.want_chunk(id);
        }
    }

    /// Once it is known to be a segment, it opens: viewers may be waiting for it.
    fn want_first_chunk(&mut self, id: PeerId) {
        let upload = self.peers.get(id).and_then(|p| p.upload.as_ref());
        if upload.is_some_and(|u| u.has_first_bytes()) {
            self.want_chunk(id);
        }
    }

    /// Asks the owner for a chunk, unless one is asked for.
    fn want_chunk(&mut self, id: PeerId) {
        let part_max = self.shared.limits.part_bytes;
        let Some(upload) = self.peers.get_mut(id).and_then(|p| p.upload.as_mut()) else {
            return;
        };
        let Target::Ring { parts, .. } = &upload.target else {
            return;
        };
        if upload.wants {
            return;
        }
        upload.wants = true;
        let bytes = match upload.framing.length() {
            Some(left) => u64::from(part_max).min(left + upload.first.len() as u64) as u32,
            None => part_bytes(*parts, part_max),
        };
        self.tell_owner(id, Order::Want { bytes });
    }

    /// Sends an order about `id`'s upload to the stream's owner.
    pub(super) fn tell_owner(&mut self, id: PeerId, order: Order) {
        let Some(upload) = self.peers.get_mut(id).and_then(|p| p.upload.as_mut()) else {
            return;
        };
        let (Some(stream), Some(name)) = (&upload.stream, upload.id) else {
            return;
        };
        upload.begun = true;
        let message = Message::ToOwner {
            upload: name,
            stream: stream.clone(),
            order,
        };
        self.post.send(stream.owner, message);
    }

    /// The encoder is alive; one that may not upload has had its deadline from the start.
    fn touch(&mut self, id: PeerId) {
        let upload = self.peers.get(id).and_then(|p| p.upload.as_ref());
        if upload.is_some_and(|u| u.stream.is_none()) {
            return;
        }
        let until: Time = self.driver.now() + self.shared.ingest_idle;
        self.set_deadline(id, Some(until));
    }

    /// The final byte is in.
    fn body_done(&mut self, id: PeerId) -> Step {
        let Some(upload) = self.peers.get_mut(id).and_then(|p| p.upload.as_mut()) else {
            return Step::Stop;
        };
        upload.decide_short();
        if matches!(&upload.target, Target::Ring { writer: None, .. }) && upload.has_first_bytes() {
            self.want_chunk(id);
            return Step::Stop;
        }
        self.commit(id);
        Step::Stop
    }
}
