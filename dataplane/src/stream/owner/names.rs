//! Orders about names: pinned objects are replaced, and names deleted after a while.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::{OwnerContext, StreamOwner};
use crate::counters::IngestError;
use crate::loops::Reply;
use crate::stream::open_uploads::UploadId;
use crate::stream::{Entry, Pinned, Saver};

impl StreamOwner {
    pub(super) fn pin(
        &mut self,
        ctx: &OwnerContext<'_>,
        id: UploadId,
        body: Arc<[u8]>,
    ) -> Option<Reply> {
        let upload = self.uploads.end(id)?;
        let replaces = matches!(self.index.get(&upload.path), Some(Entry::Pinned(_)));
        if !replaces && self.index.pinned().count() >= ctx.limits.pinned_max as usize {
            self.stream.complain(IngestError::TooMany, &upload.path);
            return Some(Reply::refused(503, IngestError::TooMany));
        }
        self.deletions.retain(|(_, path, _)| *path != upload.path);
        let max_age_ms = self.interval_ms() / 2;
        let pinned = Pinned {
            kind: upload.kind,
            generation: upload.generation,
            body,
            max_age_ms,
        };
        let pinned = Arc::new(pinned);
        if pinned.is_init() {
            self.inits.insert(self.stream.track_of(&upload.path));
        }
        if self
            .index
            .renew(&upload.path, Entry::Pinned(pinned.clone()))
        {
            self.changed = true;
            if let Some(saver) = ctx.saver {
                saver.save(&self.stream.id, &upload.path, &pinned);
            }
        }
        self.stream.uploads_total.fetch_add(1, Ordering::Relaxed);
        Some(Reply::done(if replaces { 204 } else { 201 }))
    }

    pub(super) fn delete(&mut self, ctx: &OwnerContext<'_>, path: &Arc<str>) {
        let generation = match self.index.get(path) {
            Some(Entry::Object(object)) => object.generation,
            Some(Entry::Pinned(pinned)) => pinned.generation,
            Some(Entry::Gone) | None => return,
        };
        let grace = self.interval_ms() * u64::from(ctx.limits.delete_grace_segments);
        let until = ctx.now + Duration::from_millis(grace);
        // The first deletion counts: asking again does not keep it longer.
        let mut asked = self.deletions.iter();
        if asked.any(|(_, name, of)| name == path && *of == generation) {
            return;
        }
        self.deletions.push((until, path.clone(), generation));
    }

    /// Older generations of the name go too: an upload that is cut later must not bring one of
    /// them back.
    pub(super) fn delete_now(&mut self, path: &Arc<str>, generation: u64, saver: Option<&Saver>) {
        if let Some(track) = self.tracks.get_mut(&self.stream.track_of(path)) {
            track.unlist_whole(path, generation);
        }
        let current = match self.index.get(path) {
            Some(Entry::Object(object)) => object.generation,
            Some(Entry::Pinned(pinned)) => pinned.generation,
            Some(Entry::Gone) | None => return,
        };
        if current == generation {
            if let Some(saver) = saver {
                saver.forget(&self.stream.id, path);
            }
            self.index.gone(path);
            self.changed = true;
        }
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
