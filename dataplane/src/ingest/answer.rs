//! What the owner of a stream says to an upload, and what the encoder is told.

use std::sync::Arc;

use zonecast_io::Driver;
use zonecast_proto::Status;
use zonecast_ring::Lease;

use super::target::{Framing, Target, Upload};
use crate::counters::IngestError;
use crate::delivery::{Asked, Response};
use crate::loops::{Loop, Message, Order, Reply};
use crate::peer::{PeerId, State};
use crate::stream::{Stream, UploadId};

/// A name to delete.
pub(crate) struct Delete {
    pub(crate) stream: Arc<Stream>,
    pub(crate) path: Arc<str>,
    pub(crate) framing: Framing,
}

impl<D: Driver<Hold = Lease>> Loop<D> {
    /// A DELETE: its body is dropped, then the owner is told.
    pub(crate) fn begin_delete(&mut self, id: PeerId, asked: Asked, delete: Delete) {
        let Delete {
            stream,
            path,
            framing,
        } = delete;
        let target = Target::Delete(path.clone());
        let kind = zonecast_proto::kind::Kind::from_path(&path);
        let upload = Box::new(Upload::new(stream, path, kind, framing, target));
        self.begin_upload(id, asked, upload);
    }

    /// The whole body is in: has the owner commit it, or tells why it was refused.
    pub(super) fn commit(&mut self, id: PeerId) {
        let Some(upload) = self.peers.get_mut(id).and_then(|p| p.upload.as_mut()) else {
            return;
        };
        let refused = match &upload.target {
            Target::Discard(refused) => Some(*refused),
            _ => None,
        };
        let asked = upload.asked;
        match (refused, upload.commit()) {
            (Some(refused), _) => {
                self.end_upload(id);
                self.hold(id, Response::status(asked, refused));
            }
            (None, Some(order)) => {
                self.tell_owner(id, order);
                // From here on it is the owner's: whether the encoder stays is no matter.
                if let Some(upload) = self.peers.get_mut(id).and_then(|p| p.upload.as_mut()) {
                    upload.begun = false;
                }
                self.go(id, State::Commit);
                self.set_deadline(id, None);
            }
            // A body without a byte names nothing: there is nothing to commit.
            (None, None) => {
                self.abort_upload(id, IngestError::Cut);
                self.end_upload(id);
                self.hold(id, Response::status(asked, Status::NoContent.into()));
            }
        }
    }

    fn end_upload(&mut self, id: PeerId) {
        if let Some(peer) = self.peers.get_mut(id) {
            peer.upload = None;
        }
    }

    /// The owner has answered.
    pub(crate) fn upload_reply(&mut self, upload: UploadId, reply: Reply) {
        let peer = self.peers.at(upload.slot).filter(|id| {
            let held = self.peers.get(*id).and_then(|p| p.upload.as_ref());
            held.is_some_and(|u| u.id == Some(upload))
        });
        let Some(id) = peer else {
            // The encoder is gone; a chunk that was granted is dropped, which its owner sees.
            return;
        };
        let state = self.peers.get(id).map(|peer| peer.state);
        match reply {
            Reply::Granted { writer } if state == Some(State::Commit) => self.unused(id, writer),
            Reply::Granted { .. } | Reply::Refused { .. } if state != Some(State::Upload) => {}
            Reply::Done { .. } if state != Some(State::Commit) => {}
            Reply::Granted { writer } => self.granted(id, writer),
            Reply::Refused { error } => {
                let status = match error {
                    IngestError::TooLarge => Status::ContentTooLarge,
                    IngestError::UnknownStream => Status::Forbidden,
                    _ => Status::ServiceUnavailable,
                };
                self.refuse_upload(id, error, status);
                self.advance(id);
            }
            Reply::Done { status, error } => {
                if let Some(error) = error {
                    self.counters.add_ingest_error(error);
                }
                self.committed(id, status);
            }
        }
    }

    /// Asked for ahead of need, and the body has ended without it.
    fn unused(&mut self, id: PeerId, writer: zonecast_ring::ChunkWriter) {
        let upload = self.peers.get(id).and_then(|p| p.upload.as_ref());
        let Some((upload, stream, name)) =
            upload.and_then(|u| Some((u, u.stream.as_ref()?, u.id?)))
        else {
            return;
        };
        let message = Message::ToOwner {
            upload: name,
            stream: stream.clone(),
            order: Order::Unused {
                path: upload.path.clone(),
                writer,
            },
        };
        self.post.send(stream.owner, message);
    }

    fn granted(&mut self, id: PeerId, writer: zonecast_ring::ChunkWriter) {
        let Some(upload) = self.peers.get_mut(id).and_then(|p| p.upload.as_mut()) else {
            return;
        };
        let mut filled = None;
        upload.grant(writer, |writer| filled = Some(writer));
        if let Some(writer) = filled {
            self.tell_owner(id, Order::Filled { writer });
        }
        self.commit_written(id);
        self.advance(id);
    }

    fn committed(&mut self, id: PeerId, status: u16) {
        let Some(peer) = self.peers.get_mut(id) else {
            return;
        };
        let Some(upload) = peer.upload.take() else {
            return;
        };
        let status = Status::ALL.iter().find(|s| s.code() == status);
        let status = status.copied().unwrap_or(Status::InternalServerError);
        let response = Response::status(upload.asked, status.into());
        self.hold(id, response);
    }
}
