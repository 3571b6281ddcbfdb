//! Who waits for a change of which stream, so that a notice costs only those who wait.
//!
//! Each list is a vector; a peer knows its place in it, and the last one takes the place of
//! one that leaves. So coming and going cost the same for one viewer and for ten thousand.

use std::collections::BTreeMap;
use std::sync::Arc;

use zonecast_io::Driver;
use zonecast_ring::Lease;

use super::Loop;
use crate::peer::PeerId;
use crate::stream::Stream;

struct List {
    stream: Arc<Stream>,
    peers: Vec<PeerId>,
}

/// By the stream's number.
#[derive(Default)]
pub(crate) struct WaitingLists {
    lists: BTreeMap<usize, List>,
    waiting: usize,
}

/// The key of a stream in maps: their order is the same in every run of a seed.
pub(crate) fn key(stream: &Stream) -> usize {
    stream.number as usize
}

impl WaitingLists {
    /// Peers that wait, in all.
    pub(crate) fn len(&self) -> usize {
        self.waiting
    }

    /// Peers that wait for `stream`.
    pub(crate) fn of(&self, stream: &Arc<Stream>) -> usize {
        self.lists
            .get(&key(stream))
            .map_or(0, |list| list.peers.len())
    }
}

impl<D: Driver<Hold = Lease>> Loop<D> {
    /// From now on `id` is looked at again when `stream` changes; look at the condition once
    /// more after this call.
    pub(crate) fn start_waiting(&mut self, id: PeerId, stream: &Arc<Stream>) {
        let Some(peer) = self.peers.get_mut(id) else {
            return;
        };
        if peer.wait_place.is_some() {
            return;
        }
        let entry = self.waiting.lists.entry(key(stream));
        let list = entry.or_insert_with(|| List {
            stream: stream.clone(),
            peers: Vec::new(),
        });
        if list.peers.is_empty() {
            stream.watch.start(self.id);
        }
        peer.wait_place = Some((key(stream), list.peers.len()));
        list.peers.push(id);
        self.waiting.waiting += 1;
        self.counters.waiting.set(self.waiting.waiting as u64);
    }

    /// `id` waits no more, if it did.
    pub(crate) fn stop_waiting(&mut self, id: PeerId) {
        let Some((key, at)) = self.peers.get_mut(id).and_then(|p| p.wait_place.take()) else {
            return;
        };
        let Some(list) = self.waiting.lists.get_mut(&key) else {
            return;
        };
        list.peers.swap_remove(at);
        let moved = list.peers.get(at).copied();
        if list.peers.is_empty() {
            list.stream.watch.stop(self.id);
            self.waiting.lists.remove(&key);
        }
        if let Some(peer) = moved.and_then(|moved| self.peers.get_mut(moved)) {
            peer.wait_place = Some((key, at));
        }
        self.waiting.waiting -= 1;
        self.counters.waiting.set(self.waiting.waiting as u64);
    }

    /// `stream` has changed: looks at everybody who waits for it, last first, since one that
    /// goes on is replaced by the last.
    pub(crate) fn noticed(&mut self, stream: &Arc<Stream>) {
        stream.watch.take(self.id);
        let key = key(stream);
        let mut at = self
            .waiting
            .lists
            .get(&key)
            .map_or(0, |list| list.peers.len());
        while at > 0 {
            at -= 1;
            let Some(id) = self
                .waiting
                .lists
                .get(&key)
                .and_then(|l| l.peers.get(at))
                .copied()
            else {
                continue;
            };
            self.look_again(id);
        }
    }

    /// As if every stream that somebody waits for had changed.
    pub(crate) fn notice_all(&mut self) {
        let streams: Vec<_> = self
            .waiting
            .lists
            .values()
            .map(|l| l.stream.clone())
            .collect();
        for stream in streams {
            self.noticed(&stream);
        }
    }
}
