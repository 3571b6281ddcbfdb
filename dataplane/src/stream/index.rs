//! The published index of a stream: what each path is just now.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use super::{Object, Pinned};

/// Paths that are remembered as gone, so that they are answered 410 and never waited for.
const GONE_MAX: usize = 256;

/// What a path is.
#[derive(Clone, Debug)]
pub(crate) enum Entry {
    /// An object in a ring, open or complete.
    Object(Arc<Object>),
    /// A pinned object.
    Pinned(Arc<Pinned>),
    /// It was there: the ring has passed it, or it was deleted or cut.
    Gone,
}

impl Entry {
    /// The generation of what is there; 0 for what is gone.
    fn generation(&self) -> u64 {
        match self {
            Self::Object(object) => object.generation,
            Self::Pinned(pinned) => pinned.generation,
            Self::Gone => 0,
        }
    }
}

/// A snapshot of a stream; the owner replaces it as a whole.
#[derive(Clone, Debug, Default)]
pub(crate) struct Index {
    entries: HashMap<Arc<str>, Entry>,
    gone: VecDeque<Arc<str>>,
    /// The ring passed an object that a playlist may still list.
    lapped_while_listed: bool,
}

impl Index {
    pub(crate) fn get(&self, path: &str) -> Option<&Entry> {
        self.entries.get(path)
    }

    pub(crate) fn put(&mut self, path: &Arc<str>, entry: Entry) {
        self.entries.insert(path.clone(), entry);
    }

    /// Puts `entry`, unless there is one whose upload began later; true if it was put.
    pub(crate) fn renew(&mut self, path: &Arc<str>, entry: Entry) -> bool {
        let is_newer = self
            .entries
            .get(path)
            .is_none_or(|e| e.generation() < entry.generation());
        if is_newer {
            self.put(path, entry);
        }
        is_newer
    }

    /// Forgets `path`: a request for it waits again.
    pub(crate) fn remove(&mut self, path: &str) {
        self.entries.remove(path);
    }

    /// Remembers that `path` was there; the oldest such memory goes when there are many.
    pub(crate) fn gone(&mut self, path: &Arc<str>) {
        if !matches!(
            self.entries.insert(path.clone(), Entry::Gone),
            Some(Entry::Gone)
        ) {
            self.gone.push_back(path.clone());
        }
        while self.gone.len() > GONE_MAX {
            let oldest = self.gone.pop_front().expect("not empty: just measured");
            if matches!(self.entries.get(&oldest), Some(Entry::Gone)) {
                self.entries.remove(&oldest);
            }
        }
    }

    /// Remembers that the ring has passed `path`, and whether a playlist still lists it.
    pub(crate) fn passed(&mut self, path: &Arc<str>) {
        let name = path.rsplit('/').next().unwrap_or(path).as_bytes();
        let lists = |body: &[u8]| body.windows(name.len().max(1)).any(|w| w == name);
        let listed = self
            .pinned()
            .any(|(_, p)| p.kind.is_pinned_by_name() && lists(&p.body));
        self.lapped_while_listed = listed;
        self.gone(path);
    }

    /// The ring passed an object that a playlist still listed.
    pub(crate) fn lapped_while_listed(&self) -> bool {
        self.lapped_while_listed
    }

    /// What encoders send only once: all that is left of a stream that rests.
    pub(crate) fn kept(&self) -> Self {
        let mut kept = Self::default();
        for (path, pinned) in self.pinned().filter(|(_, p)| p.is_sent_once()) {
            kept.put(path, Entry::Pinned(pinned.clone()));
        }
        kept
    }

    /// Whether there is nothing that can be asked for.
    pub(crate) fn is_empty(&self) -> bool {
        self.entries.values().all(|e| matches!(e, Entry::Gone))
    }

    /// Paths of which something is known.
    #[cfg(feature = "simulation")]
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// The first path, by name, that is like this.
    #[cfg(feature = "simulation")]
    pub(crate) fn first(&self, wanted: impl Fn(&Entry) -> bool) -> Option<Arc<str>> {
        let wanted = self.entries.iter().filter(|(_, entry)| wanted(entry));
        wanted.map(|(path, _)| path.clone()).min()
    }

    /// Every pinned object with its path, unordered.
    pub(crate) fn pinned(&self) -> impl Iterator<Item = (&Arc<str>, &Arc<Pinned>)> {
        self.entries.iter().filter_map(|(path, entry)| match entry {
            Entry::Pinned(pinned) => Some((path, pinned)),
            _ => None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The memory of gone paths is bounded, and a path that came back is not forgotten.
    #[test]
    fn gone_paths_are_bounded() {
        let mut index = Index::default();
        let back: Arc<str> = "back".into();
        index.gone(&back);
        index.put(&back, Entry::Gone);
        for n in 0..GONE_MAX * 2 {
            index.gone(&format!("{n}").into());
        }
        assert!(index.entries.len() <= GONE_MAX);
        assert!(index.get("back").is_none());
        assert!(matches!(
            index.get(&format!("{}", GONE_MAX * 2 - 1)),
            Some(Entry::Gone)
        ));
        assert!(index.is_empty());
    }
}
