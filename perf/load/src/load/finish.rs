//! The end of a load: what was asked for comes, and nothing else.

use std::time::{Duration, Instant};

use super::Load;
use crate::viewer::Phase;
use crate::{Counts, LoadError};

/// How long sockets must stay silent at the end.
const SILENCE: Duration = Duration::from_millis(100);

impl Load {
    /// Asks for nothing more, waits for what is under way, and then makes sure that no byte
    /// more comes on any connection; what came since the counts were last taken.
    ///
    /// # Errors
    /// See [`LoadError`]; [`LoadError::TooSlow`] when a response does not end within
    /// `patience` (one that is too short never does).
    pub fn finish(mut self, patience: Duration) -> Result<Counts, LoadError> {
        let deadline = Instant::now() + patience;
        for viewer in &mut self.viewers {
            viewer.owed = None;
        }
        while self.viewers.iter().any(|v| v.phase == Phase::Waiting) {
            if Instant::now() >= deadline {
                return Err(self.too_slow("the last responses", patience));
            }
            self.turn(deadline)?;
        }
        let silent = Instant::now() + SILENCE;
        while Instant::now() < silent {
            self.turn(silent)?;
        }
        Ok(self.counts)
    }
}
