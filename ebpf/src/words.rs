//! How busy each loop is, in memory that the programs read as they decide.

use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use libbpf_rs::MapHandle;
use memmap2::{MmapOptions, MmapRaw};

use crate::Error;
use crate::skeleton::types::loop_word;

/// A cache line a loop, which that loop alone writes: no system call, no shared line.
///
/// A handle: clones share the memory.
#[derive(Clone, Debug)]
pub struct LoopWords {
    memory: Arc<MmapRaw>,
    loops: usize,
}

impl LoopWords {
    /// Maps the programs' array, and notes the zone of every loop.
    pub(crate) fn map(map: &MapHandle, zones: &[u32]) -> Result<Self, Error> {
        use std::os::fd::AsFd;
        let memory = MmapOptions::new()
            .len(zones.len() * size_of::<loop_word>())
            .map_raw(map.as_fd().as_raw_fd())
            .map_err(|error| Error::Attach {
                program: "loop_words",
                error,
            })?;
        let words = Self {
            memory: Arc::new(memory),
            loops: zones.len(),
        };
        for (id, zone) in zones.iter().enumerate() {
            words.word(id, 1).store(*zone, Ordering::Relaxed);
        }
        Ok(words)
    }

    /// Publishes how many connections a loop has and has had; a loop that is not there is nobody's
    /// business.
    pub fn set(&self, id: u16, connections: u32, accepted: u64) {
        let id = usize::from(id);
        if id < self.loops {
            self.word(id, 0).store(connections, Ordering::Relaxed);
            // Two words: who reads them while they change is a moment off.
            self.word(id, 2).store(accepted as u32, Ordering::Relaxed);
            let high = (accepted >> 32) as u32;
            self.word(id, 3).store(high, Ordering::Relaxed);
        }
    }

    /// The `at`th word of a loop's line.
    fn word(&self, id: usize, at: usize) -> &AtomicU32 {
        assert!(id < self.loops && at < size_of::<loop_word>() / 4);
        let offset = id * size_of::<loop_word>() + 4 * at;
        // SAFETY: just checked to be inside the mapping.
        let pointer = unsafe { self.memory.as_mut_ptr().add(offset) };
        // SAFETY: aligned to a page and then by four; the mapping lives as long as `self`, and who
        // else writes to it does so by whole words.
        unsafe { AtomicU32::from_ptr(pointer.cast()) }
    }
}
