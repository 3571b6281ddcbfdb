//! What all actors have: a turn, and what they see in it.

use std::sync::Arc;

use rustls::ClientConfig;
use zonecast_dataplane::simulation::{Door, Simulation};
use zonecast_io::Time;

use super::book::Book;
use super::wire::Wire;

/// What an actor sees and may do in its turn.
pub(crate) struct Stage<'a> {
    pub(crate) simulation: &'a Simulation,
    pub(crate) book: &'a mut Book,
    /// Of TLS 1.3 and 1.2.
    pub(crate) tls: Option<&'a [Arc<ClientConfig>; 2]>,
    /// Whether the configuration has, or may have, closed a stream.
    pub(crate) reloaded: bool,
    /// Whether the pipeline accepts nobody any more.
    pub(crate) drained: bool,
    pub(crate) now: Time,
}

impl Stage<'_> {
    /// A connection to a loop.
    pub(crate) fn connect(&self, index: usize, door: Door) -> Wire {
        let secured = matches!(door, Door::ViewerTls | Door::EncoderTls);
        let old = index / 4 % 2;
        let tls = self.tls.filter(|_| secured).map(|tls| &tls[old]);
        Wire::new(self.simulation.connect(index, door), tls)
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
