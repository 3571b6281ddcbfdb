//! One upload: how its body is framed, and where its bytes go.

use std::sync::Arc;

use zonecast_proto::chunked::Decoder;
use zonecast_proto::kind::Kind;
use zonecast_proto::request::BodyKind;
use zonecast_ring::ChunkWriter;

use crate::counters::IngestError;
use crate::delivery::{Asked, Refused};
use crate::loops::Order;
use crate::stream::{Stream, UploadId};

/// Where a body ends.
pub(crate) enum Framing {
    Length(u64),
    Chunked(Decoder),
}

impl Framing {
    pub(crate) fn of(body: BodyKind) -> Self {
        match body {
            BodyKind::None => Self::Length(0),
            BodyKind::Length(n) => Self::Length(n),
            BodyKind::Chunked => Self::Chunked(Decoder::new()),
        }
    }

    /// Bytes that are still to come, where that is known.
    pub(crate) fn length(&self) -> Option<u64> {
        match self {
            Self::Length(n) => Some(*n),
            Self::Chunked(_) => None,
        }
    }

    pub(crate) fn is_done(&self) -> bool {
        match self {
            Self::Length(n) => *n == 0,
            Self::Chunked(decoder) => decoder.done(),
        }
    }
}

/// Where a body's bytes go.
pub(crate) enum Target {
    /// Nowhere yet: the first 8 bytes tell an init segment from a segment.
    Undecided { first: [u8; 8], len: usize },
    /// Into a pinned object.
    Pinned(Vec<u8>),
    /// Into chunks of the ring: the one being written, and one granted ahead of need.
    Ring {
        writer: Option<ChunkWriter>,
        next: Option<ChunkWriter>,
        parts: usize,
    },
    /// Nowhere: the upload is refused, and told so after its last byte.
    Discard(Refused),
    /// It is a DELETE, whose body means nothing.
    Delete(Arc<str>),
}

impl Target {
    pub(crate) fn undecided() -> Self {
        Self::Undecided {
            first: [0; 8],
            len: 0,
        }
    }
}

/// One upload.
pub(crate) struct Upload {
    /// `None` for one that never had a stream.
    pub(crate) stream: Option<Arc<Stream>>,
    pub(crate) path: Arc<str>,
    pub(crate) kind: Kind,
    pub(crate) framing: Framing,
    pub(crate) target: Target,
    pub(crate) asked: Asked,
    pub(crate) id: Option<UploadId>,
    /// Body bytes taken.
    pub(crate) taken: u64,
    /// A chunk is asked for.
    pub(crate) wants: bool,
    /// The stream's owner knows of it.
    pub(crate) begun: bool,
    /// The bytes that decided it, until its first chunk is granted.
    pub(crate) first: Vec<u8>,
    /// Why it is refused.
    pub(crate) error: Option<IngestError>,
}

impl Upload {
    pub(crate) fn new(
        stream: Arc<Stream>,
        path: Arc<str>,
        kind: Kind,
        framing: Framing,
        target: Target,
    ) -> Self {
        Self {
            stream: Some(stream),
            path,
            kind,
            target,
            ..Self::blank(framing)
        }
    }

    /// One whose body is dropped.
    pub(crate) fn discarded(framing: Framing, refused: Refused, error: IngestError) -> Self {
        let target = Target::Discard(refused);
        Self {
            target,
            error: Some(error),
            ..Self::blank(framing)
        }
    }

    fn blank(framing: Framing) -> Self {
        Self {
            stream: None,
            path: "".into(),
            kind: Kind::Other,
            framing,
            target: Target::undecided(),
            asked: Asked::unreadable(),
            id: None,
            taken: 0,
            wants: false,
            begun: false,
            first: Vec::new(),
            error: None,
        }
    }

    /// Body bytes that can be taken now.
    pub(crate) fn room(&self) -> usize {
        match &self.target {
            Target::Undecided { len, .. } => 8 - len,
            Target::Ring { writer, next, .. } => {
                let room = |w: &Option<ChunkWriter>| w.as_ref().map_or(0, |w| w.room() as usize);
                room(writer) + room(next)
            }
            Target::Pinned(_) | Target::Discard(_) | Target::Delete(_) => usize::MAX,
        }
    }

    /// Writes body bytes into the ring, at most [`Upload::room`]; a chunk that is full is
    /// given to `full`.
    pub(crate) fn write(&mut self, mut bytes: &[u8], mut full: impl FnMut(ChunkWriter)) {
        let Target::Ring { writer, next, .. } = &mut self.target else {
            return;
        };
        while !bytes.is_empty() {
            let Some(chunk) = writer else { break };
            let n = chunk.append(bytes);
            bytes = &bytes[n..];
            if chunk.room() == 0 {
                chunk.commit();
                full(writer.take().expect("it was just written to"));
                *writer = next.take();
            }
        }
        debug_assert!(bytes.is_empty(), "no more is taken than there is room for");
    }

    /// The order that commits it; the whole body is taken.
    pub(crate) fn commit(&mut self) -> Option<Order> {
        match std::mem::replace(&mut self.target, Target::undecided()) {
            Target::Pinned(body) => Some(Order::Pin { body: body.into() }),
            Target::Ring {
                mut writer, next, ..
            } => {
                if let Some(writer) = &mut writer {
                    writer.commit();
                }
                let (last, unused) = match writer {
                    Some(w) if w.committed() > 0 => (Some(w), next),
                    unused => (None, unused),
                };
                Some(Order::Finish {
                    last,
                    unused,
                    length: self.taken,
                })
            }
            Target::Delete(path) => Some(Order::Delete { path }),
            Target::Undecided { .. } | Target::Discard(_) => None,
        }
    }

    /// Bytes of a pinned object that it holds.
    #[cfg(feature = "simulation")]
    pub(crate) fn pinned_bytes(&self) -> usize {
        match &self.target {
            Target::Pinned(body) => body.len(),
            _ => 0,
        }
    }

    /// The chunks that it holds, given back.
    pub(crate) fn writers(&mut self) -> [Option<ChunkWriter>; 2] {
        match &mut self.target {
            Target::Ring { writer, next, .. } => [writer.take(), next.take()],
            _ => [None, None],
        }
    }
}
