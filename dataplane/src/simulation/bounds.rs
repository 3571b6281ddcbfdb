//! What is held at any moment: whether it is within its bounds, and whether it was worth seeing.

use zonecast_io::{BURST_BYTES, Driver};
use zonecast_ring::Lease;

use super::assembly::STREAMS_MAX;
use super::{Life, Simulation};
use crate::config::Limits;
use crate::loops::Loop;

/// Entries of timers: a few a connection, of all that there were within the longest deadline.
const TIMERS_MAX: usize = 4096;
/// What a connection may hold on the heap: a request head and what was sent ahead.
const PEER_BYTES_MAX: usize = 96 << 10;
/// Answers to uploads of one connection that are held.
const HELD_MAX: usize = 16;
/// Names of a stream that are remembered as gone.
const GONE_MAX: usize = 256;

/// Steps of which one is looked at: what grows without bound is still there in the next.
const LOOKS_EVERY: u64 = 8;

/// What there is, how much of it, and how much there may be.
type Bound = (&'static str, usize, usize);

impl Simulation {
    /// What has grown beyond its bound, one line each.
    #[must_use]
    pub fn out_of_bounds(&mut self) -> Vec<String> {
        let mut out = Vec::new();
        self.looks += 1;
        if !self.looks.is_multiple_of(LOOKS_EVERY) {
            return out;
        }
        let limits = &self.config.limits;
        for (at, this) in self.life.loops.iter().enumerate() {
            let Some(this) = this else { continue };
            for (what, seen) in this.sights() {
                if seen {
                    *self.sightings.entry(what).or_default() += 1;
                }
            }
            let bounds = this.bounds(limits);
            for (what, count, most) in bounds.into_iter().filter(|(_, count, most)| count > most) {
                out.push(format!("loop {at}: {count} {what}, {most} at most"));
            }
        }
        out.extend(self.life.pinned_beyond(limits));
        out
    }
}

impl Life {
    fn pinned_beyond(&self, limits: &Limits) -> Option<String> {
        let streams = self.shared.registry.streams();
        let (objects, bytes) = (limits.pinned_max as usize, limits.pinned_bytes_max as usize);
        streams.values().find_map(|stream| {
            let index = stream.index.load();
            let large = index.pinned().any(|(_, pinned)| pinned.body.len() > bytes);
            let (id, count) = (&stream.id, index.pinned().count());
            let beyond = large || count > objects;
            beyond.then(|| format!("stream {id}: {count} pinned objects, or one is too large"))
        })
    }
}

impl<D: Driver<Hold = Lease>> Loop<D> {
    fn bounds(&self, limits: &Limits) -> Vec<Bound> {
        let (peers, slots) = (self.peers.len(), self.peers.slots());
        let (bytes, held, body, rest) = self.most_of_a_peer();
        let names = |owner: &crate::stream::StreamOwner| owner.names();
        let deletions = self.owned.values().map(|owner| owner.deletions());
        let names = self.owned.values().map(names).max().unwrap_or(0);
        vec![
            ("peers that wait for a stream", self.waiting.len(), peers),
            (
                "peers that wait for a buffer",
                self.starved.len(),
                slots * 2,
            ),
            ("handshakes", self.handshakes.len(), slots * 2),
            ("sends from rings", self.from_ring.len(), slots * 64),
            ("streams", self.owned.len(), STREAMS_MAX as usize),
            ("timers", self.timers.len(), TIMERS_MAX),
            ("messages that wait", self.post.waiting(), slots * 8 + 64),
            ("bytes of a peer", bytes, PEER_BYTES_MAX),
            ("answers that a peer does not read", held, HELD_MAX),
            ("bytes that a socket left", rest, BURST_BYTES),
            (
                "bytes of a pinned upload",
                body,
                limits.pinned_bytes_max as usize,
            ),
            (
                "deletions of a stream",
                deletions.max().unwrap_or(0),
                names + GONE_MAX,
            ),
        ]
    }

    /// The most that one of its peers keeps: of what it was sent, of answers, of a body, of what
    /// its socket left.
    fn most_of_a_peer(&self) -> (usize, usize, usize, usize) {
        let ids = self.peers.ids().into_iter();
        let mut most = (0, 0, 0, 0);
        for peer in ids.filter_map(|id| self.peers.get(id)) {
            most.0 = most.0.max(peer.inbox.len() + peer.head.len());
            most.1 = most.1.max(peer.held.len());
            let body = peer
                .upload
                .as_ref()
                .map_or(0, |upload| upload.pinned_bytes());
            most.2 = most.2.max(body);
            most.3 = most.3.max(peer.rest.as_ref().map_or(0, |rest| rest.len()));
        }
        most
    }

    fn sights(&self) -> [(&'static str, bool); 7] {
        let ids = self.peers.ids().into_iter();
        let mut peers = ids.filter_map(|id| self.peers.get(id));
        [
            ("a viewer without a send buffer", !self.starved.is_empty()),
            ("a handshake that waits", !self.handshakes.is_empty()),
            ("a viewer that waits for a stream", self.waiting.len() > 0),
            ("a send from a ring", !self.from_ring.is_empty()),
            (
                "a rest that a socket left",
                self.counters.rest_bytes.get() > 0,
            ),
            ("a full mailbox", self.post.waiting() > 0),
            (
                "an answer that is held",
                peers.any(|peer| !peer.held.is_empty()),
            ),
        ]
    }
}
