//! What is held: by whom, and whether that is within its bounds.

use std::sync::atomic::Ordering;

use zonecast_io::Driver;
use zonecast_ring::Lease;

use super::Simulation;
use super::assembly::STREAMS_MAX;
use crate::loops::Loop;

/// Entries of timers: a few a connection, of all that there were within the longest deadline.
const TIMERS_MAX: usize = 4096;
/// What a connection may hold on the heap: a request head and what was sent ahead.
const PEER_BYTES_MAX: usize = 96 << 10;

impl Simulation {
    /// What connections hold, one line each: peers, places in lists, buffers. Empty when nobody
    /// is connected and all has been given back.
    #[must_use]
    pub fn held(&self) -> Vec<String> {
        let mut held = self.world.leaks();
        for (at, this) in self.loops.iter().enumerate() {
            let Some(this) = this else { continue };
            let counts = [
                ("peers", this.peers.len()),
                ("peers that wait for a stream", this.waiting.len()),
                ("peers that wait for a buffer", this.starved.len()),
                ("handshakes", this.handshakes.len()),
                ("timers", this.timers.len()),
                ("messages that wait", this.post.waiting()),
                (
                    "sends from rings that are looked after",
                    this.from_ring.len(),
                ),
            ];
            for (what, count) in counts.into_iter().filter(|(_, count)| *count > 0) {
                held.push(format!("loop {at}: {count} {what}"));
            }
        }
        for listener in &self.shared.listeners {
            let (name, count) = (&listener.name, listener.connections());
            if count > 0 {
                held.push(format!("listener {name}: {count} connections"));
            }
        }
        for stream in self.shared.registry.streams().values() {
            let (id, count) = (&stream.id, stream.uploads_open.load(Ordering::Relaxed));
            if count > 0 {
                held.push(format!("stream {id}: {count} uploads"));
            }
        }
        held
    }

    /// Memory of rings that is in use, one line a zone. Empty when all streams are closed and
    /// the last lease has ended.
    #[must_use]
    pub fn memory_held(&self) -> Vec<String> {
        let mut held = Vec::new();
        for (zone, arena) in self.shared.arenas.iter().enumerate() {
            let bytes = arena.bytes_total() - arena.bytes_free();
            if bytes > 0 {
                held.push(format!("zone {zone}: {bytes} bytes of ring memory"));
            }
        }
        for (zone, control) in self.shared.control.iter().enumerate() {
            let bytes = control.bytes_total() - control.bytes_free();
            if bytes > 0 {
                held.push(format!("zone {zone}: {bytes} bytes of control memory"));
            }
        }
        held
    }

    /// What has grown beyond its bound, one line each.
    #[must_use]
    pub fn out_of_bounds(&self) -> Vec<String> {
        let mut out = Vec::new();
        for (at, this) in self.loops.iter().enumerate() {
            let Some(this) = this else { continue };
            let (peers, slots) = (this.peers.len(), this.peers.slots());
            let bounds = [
                ("peers that wait for a stream", this.waiting.len(), peers),
                ("sends from rings", this.from_ring.len(), slots * 64),
                ("streams", this.owned.len(), STREAMS_MAX as usize),
                ("timers", this.timers.len(), TIMERS_MAX),
                ("messages that wait", this.post.waiting(), slots * 8 + 64),
                ("bytes of a peer", this.bytes_of_a_peer(), PEER_BYTES_MAX),
            ];
            for (what, count, most) in bounds.into_iter().filter(|(_, count, most)| count > most) {
                out.push(format!("loop {at}: {count} {what}, {most} at most"));
            }
        }
        out
    }
}

impl<D: Driver<Hold = Lease>> Loop<D> {
    /// What the largest of its peers keeps of what it was sent.
    fn bytes_of_a_peer(&self) -> usize {
        let ids = self.peers.ids().into_iter();
        let peers = ids.filter_map(|id| self.peers.get(id));
        peers
            .map(|peer| peer.inbox.len() + peer.head.len())
            .max()
            .unwrap_or(0)
    }
}
