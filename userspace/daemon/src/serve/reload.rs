//! SIGHUP: the file is read again, and taken over whole or not at all.
//!
//! Streams, tokens, `streams_max`, certificates and `drain_timeout` can change while the daemon
//! runs. Everything else needs a restart: a change there is logged, and the old value stays. So
//! what is checked before it is taken over is the new file with the old values of all that stays.

use std::sync::Arc;
use std::time::Duration;

use zonecast_dataplane::{Dataplane, Reload, ReloadSummary};

use crate::config::{self, Settings};

/// What takes over a new configuration: a data plane, or a test.
pub trait Target {
    /// Takes over all of it, or nothing; the text goes to the operator in both cases.
    ///
    /// # Errors
    /// Why nothing was taken over.
    fn reload(&self, reload: Reload) -> Result<String, String>;
}

impl Target for Arc<Dataplane> {
    fn reload(&self, reload: Reload) -> Result<String, String> {
        match Dataplane::reload(self, reload) {
            Ok(ReloadSummary { added, closed }) => {
                Ok(format!("streams added: {added}, closed: {closed}"))
            }
            Err(error) => Err(error.to_string()),
        }
    }
}

/// Holds the configuration that is in force.
pub struct Reloader<T> {
    current: Settings,
    target: T,
}

impl<T: Target> Reloader<T> {
    /// `current` is in force in `target`.
    pub fn new(current: Settings, target: T) -> Self {
        Self { current, target }
    }

    /// What the configurations go to.
    pub fn target(&self) -> &T {
        &self.target
    }

    /// The configuration in force.
    pub fn current(&self) -> &Settings {
        &self.current
    }

    /// How long draining may take.
    pub fn drain_timeout(&self) -> Duration {
        self.current.drain_timeout
    }

    /// Reads the file again and takes it over; logs what came of it and returns that in a line.
    pub fn reload(&mut self) -> String {
        match self.try_reload() {
            Ok(summary) => {
                tracing::info!("reloaded: {summary}");
                format!("reloaded: {summary}")
            }
            Err(error) => {
                for line in error.lines() {
                    tracing::error!("reload refused: {line}");
                }
                let path = self.current.path.display();
                tracing::error!("{path} was not taken over: everything stays as it was");
                format!("reload refused: {error}")
            }
        }
    }

    fn try_reload(&mut self) -> Result<String, String> {
        let (mut next, unchangeable) = config::reload(&self.current).map_err(|e| e.to_string())?;
        let summary = self.target.reload(next.take_reload())?;
        for warning in &next.warnings {
            tracing::warn!("{warning}");
        }
        for key in unchangeable {
            tracing::warn!("{key} has changed: it takes a restart to change it");
        }
        self.current = next;
        Ok(summary)
    }
}
