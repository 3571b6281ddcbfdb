//! How an upload ends before its final byte: refused, cut off, or left by its encoder.

use zonecast_io::Driver;
use zonecast_proto::Status;
use zonecast_ring::Lease;

use super::target::Target;
use crate::counters::IngestError;
use crate::delivery::Refused;
use crate::loops::{Loop, Message, Order};
use crate::peer::{How, PeerId};

impl<D: Driver<Hold = Lease>> Loop<D> {
    /// The rest of the body is dropped; the status follows its last byte.
    pub(super) fn refuse_upload(&mut self, id: PeerId, error: IngestError, status: Status) {
        self.abort_upload(id, error);
        let Some(upload) = self.peers.get_mut(id).and_then(|p| p.upload.as_mut()) else {
            return;
        };
        upload.target = Target::Discard(Refused {
            close: true,
            ..status.into()
        });
        upload.id = None;
    }

    /// Ends the connection in mid-body.
    pub(super) fn cut_upload(&mut self, id: PeerId, error: IngestError) {
        self.abort_upload(id, error);
        self.terminate(id, How::Abort);
    }

    pub(crate) fn upload_timed_out(&mut self, id: PeerId) {
        self.counters.timeouts.add(1);
        self.cut_upload(id, IngestError::Idle);
    }

    /// Gives back what an upload holds, if there is one, and tells the owner why.
    pub(crate) fn abort_upload(&mut self, id: PeerId, why: IngestError) {
        let Some(upload) = self.peers.get_mut(id).and_then(|p| p.upload.as_mut()) else {
            return;
        };
        if !std::mem::take(&mut upload.begun) {
            upload.id = None;
            return;
        }
        let writers = upload.writers();
        let (Some(stream), Some(name)) = (&upload.stream, upload.id.take()) else {
            return;
        };
        let order = Order::Abort { writers, why };
        let message = Message::ToOwner {
            upload: name,
            stream: stream.clone(),
            order,
        };
        self.post.send(stream.owner, message);
        self.counters.add_ingest_error(why);
    }
}
