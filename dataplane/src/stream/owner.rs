//! The one owner of a stream: it answers orders, evicts, and publishes the index.
//!
//! Runs on one loop of the home zone, between completions, and never waits. Each order
//! ends with the index published if it changed, and the watching loops noticed.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use zonecast_io::Time;
use zonecast_numa::{Arena, ControlMemory};
use zonecast_ring::{ChunkWriter, NoRoom, Ring, RingConfig};

use super::open_uploads::{OpenUploads, UploadId};
use super::track_ring::TrackRing;
use super::{Entry, Index, Object, ObjectState, Pinned, Saver, Stream, Track};
use crate::config::Limits;
use crate::counters::IngestError;
use crate::loops::{Message, Order, Post, Reply};

/// A ring has a slot for every so many bytes, between two limits.
const BYTES_PER_SLOT: u32 = 32 << 10;
const SLOTS: std::ops::RangeInclusive<u32> = 64..=4096;

/// What the owner borrows of its loop for one order.
pub(crate) struct OwnerContext<'a> {
    pub(crate) now: Time,
    pub(crate) limits: &'a Limits,
    pub(crate) loops: u16,
    pub(crate) arena: &'a Arena,
    pub(crate) control: &'a ControlMemory,
    pub(crate) post: &'a mut Post,
    pub(crate) saver: Option<&'a Saver>,
}

/// The owner's state of one stream.
pub(crate) struct StreamOwner {
    stream: Arc<Stream>,
    tracks: HashMap<String, TrackRing>,
    uploads: OpenUploads,
    index: Index,
    /// The index is to be published.
    changed: bool,
    /// Nothing of the index changed, but what viewers wait for did.
    stirred: bool,
    /// Tracks whose init segment is pinned.
    inits: HashSet<String>,
    /// Deleted names that are still readable, and until when.
    deletions: Vec<(Time, Arc<str>, u64)>,
    /// When the latest upload began or ended.
    active: Time,
}

impl StreamOwner {
    pub(crate) fn new(stream: Arc<Stream>, now: Time) -> Self {
        let mut owner = Self {
            stream,
            tracks: HashMap::new(),
            uploads: OpenUploads::default(),
            index: Index::default(),
            changed: false,
            stirred: false,
            inits: HashSet::new(),
            deletions: Vec::new(),
            active: now,
        };
        owner.index = Index::clone(&owner.stream.index.load());
        for (path, pinned) in owner.index.pinned() {
            if pinned.is_init() {
                owner.inits.insert(owner.stream.track_of(path));
            }
        }
        owner
    }

    pub(crate) fn stream(&self) -> &Arc<Stream> {
        &self.stream
    }

    /// Carries out one order of `upload`.
    pub(crate) fn order(&mut self, ctx: &mut OwnerContext<'_>, upload: UploadId, order: Order) {
        self.active = ctx.now;
        let reply = match order {
            Order::Begin { path, kind } => {
                self.uploads.begin(upload, path, kind);
                None
            }
            Order::Want { bytes } => self.want(ctx, upload, bytes),
            Order::Filled { writer } => {
                self.filled(upload, writer);
                None
            }
            Order::Finish {
                last,
                unused,
                length,
            } => self.finish(ctx, upload, [last, unused], length),
            Order::Unused { path, writer } => {
                if let Some(track) = self.tracks.get_mut(&self.stream.track_of(&path)) {
                    track.abort(writer);
                }
                None
            }
            Order::Pin { body } => self.pin(ctx, upload, body),
            Order::Abort { writers, why } => {
                self.abort(upload, writers, why);
                None
            }
            Order::Delete { path } => {
                self.delete(ctx, &path);
                Some(Reply::Done { status: 204 })
            }
        };
        self.stream
            .uploads_open
            .store(self.uploads.len() as u32, Ordering::Relaxed);
        self.publish(ctx.post);
        if let Some(reply) = reply {
            ctx.post
                .send(upload.reader, Message::ToUpload { upload, reply });
        }
    }

    fn want(&mut self, ctx: &mut OwnerContext<'_>, id: UploadId, bytes: u32) -> Option<Reply> {
        let upload = self.uploads.get_mut(id)?;
        let name = self.stream.track_of(&upload.path);
        if !self.tracks.contains_key(&name) {
            match make_track(&self.stream, ctx, &name, self.tracks.len()) {
                Ok(track) => drop(self.tracks.insert(name.clone(), track)),
                Err(error) => return Some(Reply::Refused { error }),
            }
        }
        let track = self.tracks.get_mut(&name)?;
        let object = match &upload.object {
            Some(object) => object.clone(),
            None => {
                let (path, kind) = (upload.path.clone(), upload.kind);
                Arc::new(track.open(path, kind, self.stream.next_generation()))
            }
        };
        let (index, changed) = (&mut self.index, &mut self.changed);
        let stirred = &mut self.stirred;
        let result = track.allocate(&object, bytes, |lost| {
            // One that is not listed any more may still be followed.
            *stirred = true;
            if is_listed(index, lost) {
                index.passed(&lost.path);
                *changed = true;
            }
        });
        match result {
            Ok(writer) if object.state() == ObjectState::Open => {
                if upload.object.is_none() {
                    track.list(&object);
                    upload.replaces =
                        matches!(self.index.get(&object.path), Some(Entry::Object(_)));
                    self.index.put(&object.path, Entry::Object(object.clone()));
                    self.changed = true;
                    upload.object = Some(object.clone());
                }
                Some(Reply::Granted { writer })
            }
            Ok(writer) => {
                // The ring has gone round since it began: it was too slow, not too large.
                track.abort(writer);
                Some(Reply::Refused {
                    error: IngestError::NoRoom,
                })
            }
            Err(NoRoom::TooLarge { .. }) => Some(Reply::Refused {
                error: IngestError::TooLarge,
            }),
            Err(_) => Some(Reply::Refused {
                error: IngestError::NoRoom,
            }),
        }
    }

    fn filled(&mut self, id: UploadId, writer: ChunkWriter) {
        if let Some(track) = self.track_of_upload(id) {
            track.complete(writer);
        }
        self.stirred = true;
    }

    fn finish(
        &mut self,
        ctx: &OwnerContext<'_>,
        id: UploadId,
        [last, unused]: [Option<ChunkWriter>; 2],
        length: u64,
    ) -> Option<Reply> {
        let track = self.track_of_upload(id)?;
        if let Some(unused) = unused {
            track.abort(unused);
        }
        if let Some(last) = last {
            track.complete(last);
        }
        if let Some(before) = track.last_segment.replace(ctx.now) {
            track
                .shared
                .measure_interval((ctx.now - before).as_millis() as u64);
        }
        let upload = self.uploads.end(id)?;
        let object = upload.object?;
        if object.state() != ObjectState::Open {
            self.stream.complain(IngestError::NoRoom, &upload.path);
            return Some(Reply::Done { status: 503 });
        }
        object.complete(length);
        self.stirred = true;
        self.stream.uploads_total.fetch_add(1, Ordering::Relaxed);
        let track = self.stream.track_of(&upload.path);
        if object.kind.needs_init() && !self.inits.contains(&track) && !self.init_may_come(&track) {
            self.stream.complain(IngestError::NoInit, &upload.path);
            return Some(Reply::Done { status: 412 });
        }
        Some(Reply::Done {
            status: if upload.replaces { 204 } else { 201 },
        })
    }

    fn pin(&mut self, ctx: &OwnerContext<'_>, id: UploadId, body: Arc<[u8]>) -> Option<Reply> {
        let upload = self.uploads.end(id)?;
        let replaces = matches!(self.index.get(&upload.path), Some(Entry::Pinned(_)));
        if !replaces && self.index.pinned().count() >= ctx.limits.pinned_max as usize {
            self.stream.complain(IngestError::TooMany, &upload.path);
            return Some(Reply::Done { status: 503 });
        }
        if let Some(saver) = ctx.saver {
            saver.save(&self.stream.id, &upload.path, upload.kind, &body);
        }
        self.deletions.retain(|(_, path, _)| *path != upload.path);
        let max_age_ms = self.interval_ms() / 2;
        let pinned = Pinned {
            kind: upload.kind,
            generation: self.stream.next_generation(),
            body,
            max_age_ms,
        };
        if pinned.is_init() {
            self.inits.insert(self.stream.track_of(&upload.path));
        }
        self.index
            .put(&upload.path, Entry::Pinned(Arc::new(pinned)));
        self.changed = true;
        self.stream.uploads_total.fetch_add(1, Ordering::Relaxed);
        Some(Reply::Done {
            status: if replaces { 204 } else { 201 },
        })
    }

    fn abort(&mut self, id: UploadId, writers: [Option<ChunkWriter>; 2], why: IngestError) {
        for writer in writers.into_iter().flatten() {
            match self.track_of_upload(id) {
                Some(track) => track.abort(writer),
                None => drop(writer),
            }
        }
        let Some(upload) = self.uploads.end(id) else {
            return;
        };
        self.stream.complain(why, &upload.path);
        let Some(object) = upload.object else { return };
        let Some(track) = self.tracks.get_mut(&self.stream.track_of(&upload.path)) else {
            return;
        };
        track.unlist(&object, ObjectState::Aborted);
        if is_listed(&self.index, &object) {
            match track.newest(&object.path) {
                Some(older) => self.index.put(&object.path, Entry::Object(older)),
                None => self.index.remove(&object.path),
            }
        }
        self.changed = true;
    }

    fn delete(&mut self, ctx: &OwnerContext<'_>, path: &Arc<str>) {
        let generation = match self.index.get(path) {
            Some(Entry::Object(object)) => object.generation,
            Some(Entry::Pinned(pinned)) => pinned.generation,
            Some(Entry::Gone) | None => return,
        };
        let grace = self.interval_ms() * u64::from(ctx.limits.delete_grace_segments);
        let until = ctx.now + Duration::from_millis(grace);
        self.deletions.push((until, path.clone(), generation));
    }

    /// Carries out what is due; true when the stream has been idle for too long.
    pub(crate) fn tick(&mut self, now: Time, limits: &Limits, post: &Post) -> bool {
        let due = self.deletions.extract_if(.., |(until, ..)| *until <= now);
        for (_, path, generation) in due.collect::<Vec<_>>() {
            self.delete_now(&path, generation);
        }
        self.publish(post);
        self.uploads.len() == 0 && now - self.active >= limits.stream_idle
    }

    /// Older generations of the name go too: an upload that is cut later must not bring one of
    /// them back.
    fn delete_now(&mut self, path: &Arc<str>, generation: u64) {
        if let Some(track) = self.tracks.get_mut(&self.stream.track_of(path)) {
            track.unlist_whole(path, generation);
        }
        let current = match self.index.get(path) {
            Some(Entry::Object(object)) => object.generation,
            Some(Entry::Pinned(pinned)) => pinned.generation,
            Some(Entry::Gone) | None => return,
        };
        if current == generation {
            self.index.gone(path);
            self.changed = true;
        }
    }

    /// Gives everything back: viewers in mid-object are lapped, nothing can be asked for.
    pub(crate) fn close(mut self, post: &Post) {
        self.tracks.clear();
        self.index = Index::default();
        self.changed = true;
        self.publish(post);
        self.stream.tracks.store(Arc::default());
    }

    fn publish(&mut self, post: &Post) {
        if std::mem::take(&mut self.changed) {
            self.stream.index.store(Arc::new(self.index.clone()));
            self.stirred = true;
        }
        if std::mem::take(&mut self.stirred) {
            post.notice(&self.stream);
        }
    }

    fn track_of_upload(&mut self, id: UploadId) -> Option<&mut TrackRing> {
        let upload = self.uploads.get_mut(id)?;
        self.tracks.get_mut(&self.stream.track_of(&upload.path))
    }

    fn init_may_come(&self, track: &str) -> bool {
        self.uploads
            .may_bring_init(|path| self.stream.track_of(path) == track)
    }

    /// The shortest segment interval of the tracks.
    fn interval_ms(&self) -> u64 {
        let intervals = self
            .tracks
            .values()
            .map(|t| t.shared.interval_or_default_ms());
        intervals.min().unwrap_or(2_000)
    }
}

fn is_listed(index: &Index, object: &Arc<Object>) -> bool {
    matches!(index.get(&object.path), Some(Entry::Object(o)) if Arc::ptr_eq(o, object))
}

/// Makes the ring of a new track.
fn make_track(
    stream: &Stream,
    ctx: &OwnerContext<'_>,
    name: &str,
    tracks: usize,
) -> Result<TrackRing, IngestError> {
    let settings = stream.settings.load();
    if tracks >= usize::from(settings.tracks_max) {
        return Err(IngestError::TooMany);
    }
    let slots = (settings.ring_bytes / BYTES_PER_SLOT).clamp(*SLOTS.start(), *SLOTS.end());
    let config = RingConfig {
        slots,
        loops: ctx.loops,
        ahead_bytes: ctx.limits.part_bytes.min(settings.ring_bytes / 8),
    };
    let control = Ring::control_bytes(config)
        .ok()
        .and_then(|n| ctx.control.allocate(n));
    let data = ctx.arena.allocate(settings.ring_bytes);
    let (Some(data), Some(control)) = (data, control) else {
        return Err(IngestError::NoRoom);
    };
    let ring = Ring::create(data, control, config).map_err(|error| {
        tracing::error!(stream = &*stream.id, track = name, %error, "no ring");
        IngestError::NoRoom
    })?;
    let track = Arc::new(Track::new(name, stream.zone, ring.reader()));
    stream.add_track(&track);
    Ok(TrackRing::new(track, ring, slots))
}
