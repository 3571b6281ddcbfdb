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
    pub(crate) tls: Option<&'a Arc<ClientConfig>>,
    pub(crate) now: Time,
}

impl Stage<'_> {
    /// A connection to a loop.
    pub(crate) fn connect(&self, index: usize, door: Door) -> Wire {
        let secured = matches!(door, Door::ViewerTls | Door::EncoderTls);
        let tls = self.tls.filter(|_| secured);
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
