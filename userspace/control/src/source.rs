//! Where the admin API gets its answers from.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use zonecast_dataplane::{CounterSnapshot, Dataplane, StreamStatus};

/// What the admin API asks. Calls come from threads that may wait, several at once.
pub trait Source: Send + Sync + 'static {
    /// All counters.
    fn counters(&self) -> CounterSnapshot;
    /// All streams.
    fn streams(&self) -> Vec<StreamStatus>;
    /// Whether new viewers are served now.
    fn ready(&self) -> bool;
}

impl Source for Dataplane {
    fn counters(&self) -> CounterSnapshot {
        Dataplane::counters(self)
    }

    fn streams(&self) -> Vec<StreamStatus> {
        Dataplane::streams(self)
    }

    fn ready(&self) -> bool {
        Dataplane::ready(self)
    }
}

/// A source that comes after the server and goes before it: while it is not there, nothing is
/// counted and nothing is ready. So the admin API answers while memory is still being made, and
/// while the last responses finish.
#[derive(Debug)]
pub struct Late<S> {
    current: Mutex<Option<Arc<S>>>,
    draining: AtomicBool,
}

impl<S> Default for Late<S> {
    fn default() -> Self {
        Self {
            current: Mutex::new(None),
            draining: AtomicBool::new(false),
        }
    }
}

impl<S> Late<S> {
    /// The source is there.
    pub fn set(&self, source: Arc<S>) {
        *self.lock() = Some(source);
    }

    /// The source, if it is there.
    #[must_use]
    pub fn get(&self) -> Option<Arc<S>> {
        self.lock().clone()
    }

    /// Takes the source away.
    pub fn take(&self) -> Option<Arc<S>> {
        self.lock().take()
    }

    /// From now on nothing is ready, whatever the source says.
    pub fn drain(&self) {
        self.draining.store(true, Ordering::Relaxed);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Arc<S>>> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<S: Source> Source for Late<S> {
    fn counters(&self) -> CounterSnapshot {
        self.get()
            .map(|source| source.counters())
            .unwrap_or_default()
    }

    fn streams(&self) -> Vec<StreamStatus> {
        self.get()
            .map(|source| source.streams())
            .unwrap_or_default()
    }

    fn ready(&self) -> bool {
        !self.draining.load(Ordering::Relaxed) && self.get().is_some_and(|source| source.ready())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Always;

    impl Source for Always {
        fn counters(&self) -> CounterSnapshot {
            CounterSnapshot {
                ingest_errors: vec![("cut", 1)],
                ..CounterSnapshot::default()
            }
        }

        fn streams(&self) -> Vec<StreamStatus> {
            vec![StreamStatus::default()]
        }

        fn ready(&self) -> bool {
            true
        }
    }

    /// Ready is from when the source is there until draining begins, and no longer; counters are
    /// there as long as the source.
    #[test]
    fn ready_between_set_and_drain() {
        let late = Late::default();
        assert!(!late.ready() && late.streams().is_empty());
        late.set(Arc::new(Always));
        assert!(late.ready() && late.streams().len() == 1);
        late.drain();
        assert!(!late.ready() && late.counters().ingest_errors.len() == 1);
        assert!(late.take().is_some() && late.streams().is_empty());
    }
}
