//! The owner's side of one track: its ring, and which object each chunk belongs to.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use zonecast_io::Time;
use zonecast_proto::kind::Kind;
use zonecast_ring::{ChunkRef, ChunkWriter, NoRoom, Ring};

use super::{Object, ObjectState, Track};

/// A ring has room for so many chunks at least: a larger object is put into several.
const CHUNKS_MIN: u32 = 4;

/// A track as its owner holds it.
pub(crate) struct TrackRing {
    pub(crate) shared: Arc<Track>,
    ring: Ring,
    /// By ring slot: the chunk in it.
    chunks: Vec<Option<Held>>,
    /// Every object that can be asked for, by place.
    objects: VecDeque<Arc<Object>>,
    next_place: u64,
    /// Chunks that an allocation revoked, kept to spare an allocation.
    revoked: Vec<ChunkRef>,
    /// When the latest segment ended.
    pub(crate) last_segment: Option<Time>,
}

/// A chunk of an object.
struct Held {
    chunk: ChunkRef,
    object: Arc<Object>,
    /// Its writer is done with it.
    complete: bool,
}

impl TrackRing {
    pub(crate) fn new(shared: Arc<Track>, ring: Ring, slots: u32) -> Self {
        Self {
            shared,
            ring,
            chunks: (0..slots).map(|_| None).collect(),
            objects: VecDeque::new(),
            next_place: 0,
            revoked: Vec::new(),
            last_segment: None,
        }
    }

    /// A new object of this track; nobody can ask for it before [`TrackRing::list`].
    pub(crate) fn open(&mut self, path: Arc<str>, kind: Kind, generation: u64) -> Object {
        let place = self.next_place;
        self.next_place += 1;
        Object::open(path, kind, generation, place, self.shared.clone())
    }

    /// Books an object that can be asked for from now on.
    pub(crate) fn list(&mut self, object: &Arc<Object>) {
        self.objects.push_back(object.clone());
        self.publish_figures();
    }

    /// A chunk for `object`; objects that lose a chunk to it are told to `evicted`.
    pub(crate) fn allocate(
        &mut self,
        object: &Arc<Object>,
        payload_max: u32,
        mut evicted: impl FnMut(&Arc<Object>),
    ) -> Result<ChunkWriter, NoRoom> {
        self.revoked.clear();
        let payload_max = payload_max.min(self.ring.payload_max() / CHUNKS_MIN);
        let result = self.ring.allocate(payload_max, &mut self.revoked);
        for chunk in std::mem::take(&mut self.revoked) {
            let Some(held) = self.forget(chunk) else {
                continue;
            };
            // A chunk that was granted ahead of need, and dropped with its connection, has
            // nothing of an object that is complete without it.
            if held.complete || held.object.state() != ObjectState::Complete {
                evicted(&held.object);
                self.unlist(&held.object, ObjectState::Gone);
            }
        }
        let result = result.and_then(|writer| {
            if object.push_part(writer.chunk()) {
                let chunk = writer.chunk();
                self.chunks[chunk.slot as usize] = Some(Held {
                    chunk,
                    object: object.clone(),
                    complete: false,
                });
                Ok(writer)
            } else {
                self.ring.abort(writer);
                Err(NoRoom::TooLarge { max: 0 })
            }
        });
        self.publish_figures();
        result
    }

    /// A chunk is full, or the last of its object.
    pub(crate) fn complete(&mut self, writer: ChunkWriter) {
        let chunk = self.ring.complete(writer);
        if let Some(held) = &mut self.chunks[chunk.slot as usize]
            && held.chunk == chunk
        {
            held.complete = true;
        }
        self.shared.chunks_total.fetch_add(1, Ordering::Relaxed);
        self.publish_figures();
    }

    /// A chunk that its writer gives back unfinished.
    pub(crate) fn abort(&mut self, writer: ChunkWriter) {
        self.forget(writer.chunk());
        self.ring.abort(writer);
    }

    /// `object` can no longer be asked for: `state` says why, and its chunks are revoked.
    pub(crate) fn unlist(&mut self, object: &Arc<Object>, state: ObjectState) {
        object.end(state);
        for part in 0.. {
            let Some(chunk) = object.part(part) else {
                break;
            };
            if self.forget(chunk).is_some() {
                self.ring.revoke(chunk);
            }
        }
        self.objects.retain(|o| !Arc::ptr_eq(o, object));
        self.publish_figures();
    }

    /// `path` can no longer be asked for up to this generation; whoever reads it goes on.
    pub(crate) fn unlist_whole(&mut self, path: &str, generation: u64) {
        self.objects
            .retain(|o| &*o.path != path || o.generation > generation);
        self.publish_figures();
    }

    /// The newest listed object under this path, if any.
    pub(crate) fn newest(&self, path: &str) -> Option<Arc<Object>> {
        self.objects
            .iter()
            .rev()
            .find(|o| &*o.path == path)
            .cloned()
    }

    fn forget(&mut self, chunk: ChunkRef) -> Option<Held> {
        let slot = self.chunks.get_mut(chunk.slot as usize)?;
        if slot.as_ref().is_none_or(|held| held.chunk != chunk) {
            return None;
        }
        slot.take()
    }

    fn publish_figures(&self) {
        let stats = self.ring.stats();
        let values = [
            stats.bytes_total,
            stats.bytes_live,
            u64::from(stats.chunks_live),
            stats.stepped_over,
            stats.refused,
        ];
        for (figure, value) in self.shared.figures.iter().zip(values) {
            figure.store(value, Ordering::Relaxed);
        }
        self.shared
            .objects
            .store(self.objects.len() as u64, Ordering::Relaxed);
        let oldest = self.objects.front().map_or(self.next_place, |o| o.place);
        self.shared.oldest.store(oldest, Ordering::Relaxed);
    }
}
