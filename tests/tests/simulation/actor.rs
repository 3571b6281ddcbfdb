//! What all actors have: a turn, and what they see in it.

use std::sync::Arc;

use rustls::ClientConfig;
use zonecast_dataplane::simulation::{Door, Simulation};
use zonecast_io::Time;

use super::book::Book;
use super::request::Request;
use super::response::Response;
use super::wire::Wire;

/// What an actor sees and may do in its turn.
pub(crate) struct Stage<'a> {
    pub(crate) simulation: &'a Simulation,
    pub(crate) book: &'a mut Book,
    /// Of TLS 1.3 and 1.2.
    pub(crate) tls: Option<&'a [Arc<ClientConfig>; 2]>,
    /// Whether a stream has, or may have, been closed: by the configuration, or for being idle.
    pub(crate) reloaded: bool,
    /// Whether the pipeline accepts nobody any more.
    pub(crate) drained: bool,
    pub(crate) now: Time,
    /// The time without what the clock has leapt: in it, everybody could do something.
    pub(crate) awake: Time,
    /// Whether the run is told event by event.
    pub(crate) told: bool,
}

impl Stage<'_> {
    /// A connection to a loop.
    pub(crate) fn connect(&self, index: usize, door: Door) -> Wire {
        let secured = matches!(door, Door::ViewerTls | Door::EncoderTls);
        let old = index / 4 % 2;
        let tls = self.tls.filter(|_| secured).map(|tls| &tls[old]);
        Wire::new(self.simulation.connect(index, door), tls)
    }

    /// Whether an answer to a viewer can be true.
    ///
    /// # Errors
    /// Why not.
    pub(crate) fn judge(&mut self, request: &Request, response: &Response) -> Result<(), String> {
        self.note(|| {
            let (status, len, complete) = (response.status, response.body.len(), response.complete);
            format!("{status}, {len} bytes, complete: {complete}, to {request:?}")
        });
        let simulation = self.simulation;
        // What a ring has stepped over counts against its room, nobody knows by how much.
        let stepped_over = || {
            let streams = simulation.streams();
            let mut tracks = streams.iter().flat_map(|stream| &stream.tracks);
            tracks.any(|track| track.stepped_over > 0)
        };
        self.book.judge(request, response, self.now, stepped_over)
    }

    /// Something worth seeing has happened.
    pub(crate) fn see(&mut self, what: &'static str) {
        *self.book.seen.entry(what).or_default() += 1;
    }

    /// A sentence for who reads the run.
    pub(crate) fn note(&self, text: impl FnOnce() -> String) {
        if self.told {
            self.simulation.world().remark(&text());
        }
    }
}

/// When an actor wants its next turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// When something has come, or at this moment.
    At(Time),
    /// When something has come.
    Whenever,
    /// Never: it has done all it wanted.
    Done,
}

/// An encoder or a viewer.
pub(crate) trait Actor {
    /// Does what can be done now.
    ///
    /// # Errors
    /// What it has seen that must not be.
    fn act(&mut self, stage: &mut Stage<'_>) -> Result<Next, String>;
}
