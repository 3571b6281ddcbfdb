//! For the simulation: how much an owner keeps, and how to make it forget.

use std::sync::Arc;

use super::StreamOwner;
use crate::loops::Post;
use crate::stream::{Entry, ObjectState};

impl StreamOwner {
    /// Names that can be asked for, or could be.
    pub(crate) fn names(&self) -> usize {
        self.index.len()
    }

    /// Deletions that are yet to come.
    pub(crate) fn deletions(&self) -> usize {
        self.deletions.len()
    }

    /// Loses one object that is complete; false where there is none.
    pub(crate) fn lose_one(&mut self, post: &Post) -> bool {
        let complete = |entry: &Entry| match entry {
            Entry::Object(object) => object.state() == ObjectState::Complete,
            Entry::Pinned(_) => true,
            Entry::Gone => false,
        };
        let Some(path) = self.index.first(complete) else {
            return false;
        };
        self.index.remove(&path);
        self.changed = true;
        self.publish(post);
        true
    }

    /// Brings back what `kept` has once it was replaced, and keeps something first; true once it
    /// has.
    pub(crate) fn bring_back(&mut self, kept: &mut Option<(Arc<str>, Entry)>, post: &Post) -> bool {
        let Some((path, old)) = kept else {
            let path = self.index.first(|entry| matches!(entry, Entry::Pinned(_)));
            *kept = path.and_then(|path| Some((path.clone(), self.index.get(&path)?.clone())));
            return false;
        };
        let replaced = match (self.index.get(path), &*old) {
            (Some(Entry::Pinned(new)), Entry::Pinned(old)) => new.generation > old.generation,
            _ => false,
        };
        if replaced {
            self.index.put(path, old.clone());
            self.changed = true;
            self.publish(post);
        }
        replaced
    }
}
