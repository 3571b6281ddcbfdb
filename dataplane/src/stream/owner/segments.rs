//! Orders about segments: chunks are granted, filled, finished and given back.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use zonecast_ring::{ChunkWriter, NoRoom, Ring, RingConfig};

use super::{OwnerContext, StreamOwner};
use crate::config::Limits;
use crate::counters::IngestError;
use crate::loops::Reply;
use crate::stream::open_uploads::UploadId;
use crate::stream::track_ring::TrackRing;
use crate::stream::{Entry, Index, Object, ObjectState, Stream, Track};

/// A ring has a slot for every so many bytes, between two limits.
const BYTES_PER_SLOT: u32 = 32 << 10;
const SLOTS: std::ops::RangeInclusive<u32> = 64..=4096;

impl StreamOwner {
    pub(super) fn want(
        &mut self,
        ctx: &mut OwnerContext<'_>,
        id: UploadId,
        bytes: u32,
    ) -> Option<Reply> {
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
                Arc::new(track.open(path, kind, upload.generation))
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
                    self.changed |= self
                        .index
                        .renew(&object.path, Entry::Object(object.clone()));
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

    pub(super) fn filled(&mut self, id: UploadId, writer: ChunkWriter) {
        if let Some(track) = self.track_of_upload(id) {
            track.complete(writer);
        }
        self.stirred = true;
    }

    pub(super) fn finish(
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
            return Some(Reply::refused(503, IngestError::NoRoom));
        }
        object.complete(length);
        self.stirred = true;
        self.stream.uploads_total.fetch_add(1, Ordering::Relaxed);
        let track = self.stream.track_of(&upload.path);
        if object.kind.needs_init() && !self.inits.contains(&track) && !self.init_may_come(&track) {
            self.stream.complain(IngestError::NoInit, &upload.path);
            return Some(Reply::refused(412, IngestError::NoInit));
        }
        Some(Reply::done(if upload.replaces { 204 } else { 201 }))
    }

    pub(super) fn abort(
        &mut self,
        id: UploadId,
        writers: [Option<ChunkWriter>; 2],
        why: IngestError,
    ) {
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

    pub(super) fn track_of_upload(&mut self, id: UploadId) -> Option<&mut TrackRing> {
        let upload = self.uploads.get_mut(id)?;
        self.tracks.get_mut(&self.stream.track_of(&upload.path))
    }

    fn init_may_come(&self, track: &str) -> bool {
        self.uploads
            .may_bring_init(|path| self.stream.track_of(path) == track)
    }
}

fn is_listed(index: &Index, object: &Arc<Object>) -> bool {
    matches!(index.get(&object.path), Some(Entry::Object(o)) if Arc::ptr_eq(o, object))
}

/// What is revoked ahead of need. Chunks that are lent to cards get quiet only after a while.
fn ahead(limits: &Limits, ring_bytes: u32) -> u32 {
    match limits.nic_drain.is_zero() {
        true => limits.part_bytes.min(ring_bytes / 8),
        false => ring_bytes / 8,
    }
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
        ahead_bytes: ahead(ctx.limits, settings.ring_bytes),
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
