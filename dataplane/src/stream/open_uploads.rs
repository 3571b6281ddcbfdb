//! The uploads that are in flight to one stream, as its owner books them.

use std::collections::HashMap;
use std::sync::Arc;

use zonecast_numa::LoopId;
use zonecast_proto::kind::Kind;

use super::Object;

/// Names one upload in the process; a message about another one is stale.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct UploadId {
    /// The loop that serves the encoder's connection.
    pub(crate) reader: LoopId,
    /// The connection's slot on that loop.
    pub(crate) slot: u32,
    /// Number of the upload on that loop, never used again.
    pub(crate) number: u64,
}

/// One upload.
#[derive(Debug)]
pub(crate) struct OpenUpload {
    pub(crate) path: Arc<str>,
    pub(crate) kind: Kind,
    /// Number among all of the stream, in the order in which uploads began.
    pub(crate) generation: u64,
    /// The object, from its first chunk on.
    pub(crate) object: Option<Arc<Object>>,
    /// The name was there before.
    pub(crate) replaces: bool,
}

/// All uploads of one stream.
#[derive(Debug, Default)]
pub(crate) struct OpenUploads(HashMap<UploadId, OpenUpload>);

impl OpenUploads {
    pub(crate) fn begin(&mut self, id: UploadId, path: Arc<str>, kind: Kind, generation: u64) {
        self.0.insert(
            id,
            OpenUpload {
                path,
                kind,
                generation,
                object: None,
                replaces: false,
            },
        );
    }

    pub(crate) fn get_mut(&mut self, id: UploadId) -> Option<&mut OpenUpload> {
        self.0.get_mut(&id)
    }

    pub(crate) fn end(&mut self, id: UploadId) -> Option<OpenUpload> {
        self.0.remove(&id)
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether an upload that may still turn out to be an init segment of `track` goes on.
    pub(crate) fn may_bring_init(&self, is_of_track: impl Fn(&str) -> bool) -> bool {
        self.0
            .values()
            .any(|u| u.object.is_none() && u.kind.needs_init() && is_of_track(&u.path))
    }
}
