//! The one owner of a stream: it answers orders, evicts, and publishes the index.
//!
//! Runs on one loop of the home zone, between completions, and never waits. Each order
//! ends with the index published if it changed, and the watching loops noticed.

#[cfg(feature = "simulation")]
mod flawed;
mod names;
mod segments;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use zonecast_io::Time;
use zonecast_numa::{Arena, ControlMemory};

use crate::config::Limits;
use crate::loops::{Message, Order, Post, Reply};
use crate::stream::open_uploads::{OpenUploads, UploadId};
use crate::stream::track_ring::TrackRing;
use crate::stream::{Index, Saver, Stream};

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
                let generation = self.stream.next_generation();
                self.uploads.begin(upload, path, kind, generation);
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
                Some(Reply::done(204))
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

    /// Carries out what is due; true when the stream has been idle for too long.
    pub(crate) fn tick(
        &mut self,
        now: Time,
        limits: &Limits,
        post: &Post,
        saver: Option<&Saver>,
    ) -> bool {
        let due = self.deletions.extract_if(.., |(until, ..)| *until <= now);
        for (_, path, generation) in due.collect::<Vec<_>>() {
            self.delete_now(&path, generation, saver);
        }
        self.publish(post);
        self.uploads.len() == 0 && now - self.active >= limits.stream_idle
    }

    /// Gives everything back: viewers in mid-object are lapped, nothing can be asked for.
    pub(crate) fn close(self, post: &Post) {
        self.give_back(Index::default(), post);
    }

    /// Gives the rings back; what encoders send only once stays for when one comes back.
    pub(crate) fn rest(self, post: &Post) {
        let kept = self.index.kept();
        self.give_back(kept, post);
    }

    fn give_back(mut self, index: Index, post: &Post) {
        self.tracks.clear();
        self.index = index;
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
}
