//! What loops tell each other: messages about uploads, and notices that a stream changed.
//!
//! A mailbox is a bounded queue that its loop drains once a turn. A message that finds it
//! full waits in the sender's [`Post`], in order; each upload has at most a few messages
//! under way, so that is bounded by the uploads. Nothing here blocks.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crossbeam_queue::ArrayQueue;
use zonecast_io::Waker;
use zonecast_numa::LoopId;
use zonecast_proto::kind::Kind;
use zonecast_ring::ChunkWriter;

use crate::counters::IngestError;
use crate::stream::{Stream, UploadId};

/// Messages that a loop's mailbox holds.
const MESSAGES_MAX: usize = 4096;

/// A message from one loop to another (or to itself).
pub(crate) enum Message {
    /// To the owner of the upload's stream.
    ToOwner {
        upload: UploadId,
        stream: Arc<Stream>,
        order: Order,
    },
    /// To the loop that serves the encoder.
    ToUpload { upload: UploadId, reply: Reply },
    /// From the control plane: accept nobody, finish what is in flight.
    Drain { limit: Duration },
    /// From the control plane, to the owner: the stream is closed for good.
    Close { stream: Arc<Stream> },
}

/// What an encoder's loop asks of the owner.
pub(crate) enum Order {
    /// An upload has begun; no room is taken yet.
    Begin { path: Arc<str>, kind: Kind },
    /// It is a segment and needs a chunk.
    Want { bytes: u32 },
    /// This chunk is full.
    Filled { writer: ChunkWriter },
    /// The final byte is in; `unused` was granted ahead of need.
    Finish {
        last: Option<ChunkWriter>,
        unused: Option<ChunkWriter>,
        length: u64,
    },
    /// This chunk came when the body had ended.
    Unused { path: Arc<str>, writer: ChunkWriter },
    /// It is a pinned object, whole.
    Pin { body: Arc<[u8]> },
    /// It was cut.
    Abort {
        writers: [Option<ChunkWriter>; 2],
        why: IngestError,
    },
    /// The encoder deletes a name.
    Delete { path: Arc<str> },
}

/// What the owner answers.
pub(crate) enum Reply {
    /// A chunk.
    Granted { writer: ChunkWriter },
    /// No chunk: the rest of the body is to be discarded.
    Refused { error: IngestError },
    /// The upload is committed, or was refused: the status to answer, and what there is to
    /// complain of.
    Done {
        status: u16,
        error: Option<IngestError>,
    },
}

impl Reply {
    /// It is in its place.
    pub(crate) fn done(status: u16) -> Self {
        let error = None;
        Self::Done { status, error }
    }

    /// It is not, or something is wrong with it all the same.
    pub(crate) fn refused(status: u16, error: IngestError) -> Self {
        let error = Some(error);
        Self::Done { status, error }
    }
}

/// The receiving end of one loop.
pub(crate) struct Mailbox {
    messages: ArrayQueue<Message>,
    notices: ArrayQueue<Arc<Stream>>,
    /// A notice found no room: look at everything.
    look_at_all: AtomicBool,
    /// What is in it is under way: it cannot be taken yet.
    #[cfg(feature = "simulation")]
    late: AtomicBool,
    waker: Waker,
}

impl Mailbox {
    pub(crate) fn new(waker: Waker, streams_max: usize) -> Self {
        Self::with_room(waker, MESSAGES_MAX, streams_max)
    }

    /// For so many messages, and notices of so many streams.
    pub(crate) fn with_room(waker: Waker, messages: usize, notices: usize) -> Self {
        Self {
            messages: ArrayQueue::new(messages.max(1)),
            notices: ArrayQueue::new(notices.max(1)),
            look_at_all: AtomicBool::new(false),
            #[cfg(feature = "simulation")]
            late: AtomicBool::new(false),
            waker,
        }
    }

    pub(crate) fn take_message(&self) -> Option<Message> {
        if self.is_late() {
            return None;
        }
        self.messages.pop()
    }

    pub(crate) fn take_notice(&self) -> Option<Arc<Stream>> {
        if self.is_late() {
            return None;
        }
        self.notices.pop()
    }

    pub(crate) fn take_look_at_all(&self) -> bool {
        !self.is_late() && self.look_at_all.swap(false, Ordering::SeqCst)
    }

    #[cfg(not(feature = "simulation"))]
    #[inline]
    fn is_late(&self) -> bool {
        false
    }

    #[cfg(feature = "simulation")]
    pub(crate) fn is_late(&self) -> bool {
        self.late.load(Ordering::SeqCst)
    }

    /// Mail stays under way until it is late no more.
    #[cfg(feature = "simulation")]
    pub(crate) fn set_late(&self, late: bool) {
        self.late.store(late, Ordering::SeqCst);
        self.waker.wake();
    }

    /// Puts a message in; gives it back where there is no room.
    pub(crate) fn put(&self, message: Message) -> Option<Message> {
        let back = self.messages.push(message).err();
        self.waker.wake();
        back
    }

    fn notice(&self, stream: &Arc<Stream>) {
        if self.notices.push(stream.clone()).is_err() {
            self.look_at_all.store(true, Ordering::SeqCst);
        }
        self.waker.wake();
    }
}

/// The sending end of one loop.
pub(crate) struct Post {
    boxes: Arc<[Mailbox]>,
    waiting: VecDeque<(LoopId, Message)>,
}

impl Post {
    pub(crate) fn new(boxes: Arc<[Mailbox]>) -> Self {
        Self {
            boxes,
            waiting: VecDeque::new(),
        }
    }

    /// Messages that found no room yet.
    #[cfg(feature = "simulation")]
    pub(crate) fn waiting(&self) -> usize {
        self.waiting.len()
    }

    pub(crate) fn own(&self, id: LoopId) -> &Mailbox {
        &self.boxes[usize::from(id.0)]
    }

    /// Sends `message`, now or on a later turn, after all that was sent before it.
    pub(crate) fn send(&mut self, to: LoopId, message: Message) {
        if self.waiting.is_empty() {
            if let Some(message) = self.boxes[usize::from(to.0)].put(message) {
                self.waiting.push_back((to, message));
            }
        } else {
            self.waiting.push_back((to, message));
        }
    }

    /// Sends what found no room before; true when nothing is left.
    pub(crate) fn flush(&mut self) -> bool {
        while let Some((to, message)) = self.waiting.pop_front() {
            if let Some(message) = self.boxes[usize::from(to.0)].put(message) {
                self.waiting.push_front((to, message));
                return false;
            }
        }
        true
    }

    /// Tells every loop that waits for something of `stream` that it has changed.
    pub(crate) fn notice(&self, stream: &Arc<Stream>) {
        for reader in stream.watch.to_notice() {
            self.boxes[usize::from(reader.0)].notice(stream);
        }
    }
}
