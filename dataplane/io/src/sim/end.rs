//! The ends: of a loop, and of the world, which looks for what was lost on the way.

use super::world::{Event, World};

impl World {
    /// A loop's driver is gone, as when its process is killed.
    pub(super) fn end_loop(&mut self, at: usize) {
        let side = &mut self.sides[at];
        side.alive = false;
        side.submitted.clear();
        side.ready.clear();
        for listener in &mut side.listeners {
            listener.accepts.clear();
            listener.backlog.clear();
        }
        self.events
            .retain(|_, event| !matches!(event, Event::Ended(loop_, ..) if *loop_ == at));
        for id in 0..self.sockets.len() {
            let near = &mut self.sockets[id].near;
            if near.at == at && !near.closed {
                (near.receive, near.send, near.writable) = (None, None, None);
                self.let_go(id, false);
            }
        }
    }

    /// Buffers that have not come back, one line a pool.
    pub(super) fn leaks(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for (at, side) in self.sides.iter().enumerate() {
            for (name, pool) in [
                ("send", &side.send_pool),
                ("burst", &side.burst_pool),
                ("receive", &side.receive_pool),
            ] {
                let missing = pool.count() - pool.free_count();
                if missing > 0 {
                    lines.push(format!(
                        "loop {at}: {missing} {name} buffers have not come back"
                    ));
                }
            }
        }
        lines
    }
}

impl Drop for World {
    fn drop(&mut self) {
        // Completions that nobody fetched hold buffers of their own.
        self.events.clear();
        if std::thread::panicking() {
            return;
        }
        let leaks = self.leaks();
        if !leaks.is_empty() {
            self.violated(&leaks.join("; "));
        }
    }
}
