//! Where the admin API gets its answers from.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use zonecast_dataplane::{CounterSnapshot, Dataplane, StreamStatus};
use zonecast_ebpf::{Counters, ZoneSums};

/// What the admin API asks. Calls come from threads that may wait, several at once.
pub trait Source: Send + Sync + 'static {
    /// All counters.
    fn counters(&self) -> CounterSnapshot;
    /// All streams.
    fn streams(&self) -> Vec<StreamStatus>;
    /// Whether new viewers are served now.
    fn ready(&self) -> bool;
    /// What programs in the kernel have counted, if they count.
    fn in_kernel(&self) -> Option<InKernel> {
        None
    }
}

/// What programs in the kernel have counted.
#[derive(Clone, Debug)]
pub struct InKernel {
    /// How connections get to zones, as [`crate::SteeringPath::as_str`].
    pub path: &'static str,
    /// By zone; the last of connections that were given to none. Empty where nobody counts.
    pub zones: Vec<ZoneSums>,
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
pub struct Late<S> {
    current: Mutex<Option<Arc<S>>>,
    kernel: OnceLock<(&'static str, Option<Counters>)>,
    draining: AtomicBool,
}

impl<S> Default for Late<S> {
    fn default() -> Self {
        Self {
            current: Mutex::new(None),
            kernel: OnceLock::new(),
            draining: AtomicBool::new(false),
        }
    }
}

impl<S> Late<S> {
    /// The source is there.
    pub fn set(&self, source: Arc<S>) {
        *self.lock() = Some(source);
    }

    /// Connections get to zones by this path, and programs in the kernel count them if there are counters.
    /// Who says it first is right.
    pub fn set_kernel(&self, path: &'static str, counters: Option<Counters>) {
        drop(self.kernel.set((path, counters)));
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

    fn in_kernel(&self) -> Option<InKernel> {
        let (path, counters) = self.kernel.get()?;
        let zones = counters.as_ref().map(Counters::zones).transpose();
        let zones = zones.inspect_err(|error| tracing::warn!(%error, "steering is not counted"));
        Some(InKernel {
            path,
            zones: zones.ok().flatten().unwrap_or_default(),
        })
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
