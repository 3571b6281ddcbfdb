//! Messages to this loop, and the streams that it owns.

use std::rc::Rc;
use std::sync::Arc;

use zonecast_io::Driver;
use zonecast_ring::Lease;

use super::waiting_lists::key;
use super::{Loop, Message, Order, Reply};
use crate::counters::IngestError;
use crate::stream::{OwnerContext, Stream, StreamOwner, UploadId};

/// Messages that a loop takes in one turn, so that its viewers get theirs too.
const MESSAGES_PER_TURN: usize = 256;

impl<D: Driver<Hold = Lease>> Loop<D> {
    /// Takes what has come; true when something may be left.
    pub(super) fn take_mail(&mut self) -> bool {
        let mut taken = 0;
        while taken < MESSAGES_PER_TURN {
            let Some(message) = self.post.own(self.id).take_message() else {
                break;
            };
            taken += 1;
            match message {
                Message::ToOwner {
                    upload,
                    stream,
                    order,
                } => self.order(upload, &stream, order),
                Message::ToUpload { upload, reply } => self.upload_reply(upload, reply),
                Message::Drain { limit } => self.drain(limit),
                Message::Close { stream } => self.close_stream(&stream),
            }
        }
        while let Some(stream) = self.post.own(self.id).take_notice() {
            self.noticed(&stream);
        }
        if self.post.own(self.id).take_look_at_all() {
            self.notice_all();
        }
        taken == MESSAGES_PER_TURN
    }

    fn order(&mut self, upload: UploadId, stream: &Arc<Stream>, order: Order) {
        let now = self.driver.now();
        if stream.is_closed() {
            let reply = match order {
                Order::Want { .. } | Order::Begin { .. } | Order::Filled { .. } => Reply::Refused {
                    error: IngestError::UnknownStream,
                },
                Order::Finish { .. } | Order::Pin { .. } | Order::Delete { .. } => {
                    Reply::refused(503, IngestError::UnknownStream)
                }
                Order::Abort { .. } | Order::Unused { .. } => return,
            };
            let refused = Message::ToUpload { upload, reply };
            return self.post.send(upload.reader, refused);
        }
        let key = key(stream);
        let owner = self.owned.entry(key);
        let owner = owner.or_insert_with(|| StreamOwner::new(stream.clone(), now));
        let zone = usize::from(self.zone.0);
        let mut ctx = OwnerContext {
            now,
            limits: &self.shared.limits,
            loops: self.shared.loops.len() as u16,
            arena: &self.shared.arenas[zone],
            control: &self.shared.control[zone],
            post: &mut self.post,
            saver: self.shared.saver.as_ref(),
        };
        owner.order(&mut ctx, upload, order);
    }

    /// What is due on owned streams: deletions, and streams without an encoder.
    pub(super) fn tend_streams(&mut self) {
        let now = self.driver.now();
        let (limits, saver) = (&self.shared.limits, self.shared.saver.as_ref());
        let mut idle = Vec::new();
        for (key, owner) in &mut self.owned {
            if owner.tick(now, limits, &self.post, saver) {
                idle.push(*key);
            }
        }
        for key in idle {
            let Some(owner) = self.owned.remove(&key) else {
                continue;
            };
            let stream = owner.stream().clone();
            tracing::info!(
                stream = &*stream.id,
                "no upload for stream_idle: rings given back"
            );
            if stream.by_encoder {
                owner.close(&self.post);
                stream.close();
                self.shared.registry.remove(&stream);
            } else {
                owner.rest(&self.post);
            }
        }
        // A reader whose leases are with the driver still has its row in the ring: another one
        // cannot be made for whoever looks at an object of that ring meanwhile.
        self.readers
            .retain(|_, reader| !reader.is_closed() || Rc::strong_count(reader) > 1);
    }

    fn close_stream(&mut self, stream: &Arc<Stream>) {
        stream.close();
        match self.owned.remove(&key(stream)) {
            Some(owner) => owner.close(&self.post),
            None => stream.index.store(Arc::default()),
        }
        self.post.notice(stream);
    }
}
