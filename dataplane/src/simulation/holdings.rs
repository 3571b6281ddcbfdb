//! What is held, and by whom: it must come back when everybody is gone.

use std::sync::atomic::Ordering;

use super::Simulation;

impl Simulation {
    /// What connections hold, one line each: peers, places in lists, buffers. Empty when nobody
    /// is connected and all has been given back.
    #[must_use]
    pub fn held(&self) -> Vec<String> {
        let mut held = self.world.leaks();
        for (at, this) in self.life.loops.iter().enumerate() {
            let Some(this) = this else { continue };
            let counts = [
                ("peers", this.peers.len()),
                ("peers that wait for a stream", this.waiting.len()),
                ("peers that wait for a buffer", this.starved.len()),
                ("handshakes", this.handshakes.len()),
                ("timers", this.timers.len()),
                ("messages that wait", this.post.waiting()),
                (
                    "bytes that sockets left",
                    this.counters.rest_bytes.get() as usize,
                ),
                (
                    "sends from rings that are looked after",
                    this.from_ring.len(),
                ),
            ];
            for (what, count) in counts.into_iter().filter(|(_, count)| *count > 0) {
                held.push(format!("loop {at}: {count} {what}"));
            }
        }
        for listener in &self.life.shared.listeners {
            let (name, count) = (&listener.name, listener.connections());
            if count > 0 {
                held.push(format!("listener {name}: {count} connections"));
            }
        }
        for stream in self.life.shared.registry.streams().values() {
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
        for (zone, arena) in self.life.shared.arenas.iter().enumerate() {
            let bytes = arena.bytes_total() - arena.bytes_free();
            if bytes > 0 {
                held.push(format!("zone {zone}: {bytes} bytes of ring memory"));
            }
        }
        for (zone, control) in self.life.shared.control.iter().enumerate() {
            let bytes = control.bytes_total() - control.bytes_free();
            if bytes > 0 {
                held.push(format!("zone {zone}: {bytes} bytes of control memory"));
            }
        }
        held
    }
}
