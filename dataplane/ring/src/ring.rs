//! The owner's side of a ring: it alone allocates, completes, revokes and reuses.
//!
//! Where the bytes for the next chunk come from is in `allocate.rs`; here is everything
//! else that happens to a chunk.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;

use zonecast_numa::Block;

use crate::control::Control;
use crate::data::Data;
use crate::error::RingError;
use crate::gate;
use crate::layout::{self, ControlLayout, RingConfig};
use crate::reader::RingReader;
use crate::room::Room;
use crate::shared::{ChunkRef, Shared, next_generation};
use crate::state::{Phase, State, Written};
use crate::stats::RingStats;
use crate::sync::{Ordering, fence};
use crate::writer::ChunkWriter;

/// What the owner knows of the chunk in a slot.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry {
    pub(crate) sequence: u64,
    pub(crate) start: u32,
    pub(crate) phase: Phase,
}

/// The ring of one track, as its owner holds it: one loop of the track's zone, or whoever it
/// is moved to. Dropping it takes every chunk away from the readers; the memory
/// stays as long as a reader, lease or writer does.
pub struct Ring {
    pub(crate) shared: Arc<Shared>,
    pub(crate) room: Room,
    /// One a slot.
    pub(crate) entries: Vec<Entry>,
    /// Slots for the next chunks, the longest unused first.
    pub(crate) free: VecDeque<u32>,
    /// Slots of chunks whose writers are at work.
    pub(crate) open: Vec<u32>,
    /// Slots of chunks that are given up and not quiet yet.
    pub(crate) unquiet: Vec<u32>,
    /// Of the newest chunk.
    pub(crate) sequence: u64,
    pub(crate) ahead_bytes: u32,
    /// Only the counters; the rest is counted when asked for.
    pub(crate) counted: RingStats,
}

impl Ring {
    /// Makes an empty ring of all of the data block. Both blocks are the ring's alone from
    /// here on; what was in them is lost.
    ///
    /// # Errors
    /// [`RingError`] when a number is out of range, or a block too small.
    pub fn create(data: Block, control: Block, config: RingConfig) -> Result<Ring, RingError> {
        let layout = ControlLayout::new(config)?;
        let generation = next_generation();
        let data = Data::new(data)?;
        let size = data.bytes();
        let control = Control::new(control, layout, size, generation)?;
        let vacant = Entry {
            sequence: 0,
            start: 0,
            phase: Phase::Free,
        };
        Ok(Ring {
            shared: Arc::new(Shared {
                control,
                data,
                generation,
            }),
            room: Room::new(size),
            entries: vec![vacant; config.slots as usize],
            free: (0..config.slots).collect(),
            open: Vec::new(),
            unquiet: Vec::new(),
            sequence: 0,
            ahead_bytes: config.ahead_bytes.min(size / 4),
            counted: RingStats::default(),
        })
    }

    /// Bytes of control memory that a ring needs.
    ///
    /// # Errors
    /// [`RingError::Slots`] and [`RingError::Loops`] when these are out of range.
    pub fn control_bytes(config: RingConfig) -> Result<u32, RingError> {
        Ok(ControlLayout::new(config)?.bytes())
    }

    /// The largest payload of one chunk in bytes.
    #[must_use]
    pub fn payload_max(&self) -> u32 {
        layout::payload_max(self.room.size())
    }

    /// Publishes all that was written as a whole chunk, and gives the rest of its room back.
    /// A chunk that was aborted meanwhile stays so, and its name is refused.
    ///
    /// # Panics
    /// When the writer is another ring's.
    pub fn complete(&mut self, writer: ChunkWriter) -> ChunkRef {
        assert!(writer.belongs_to(&self.shared), "the writer of this ring");
        let chunk = writer.chunk();
        let Entry { start, phase, .. } = self.entry(chunk.slot);
        if phase != Phase::Open {
            // Dropping the writer is what the chunk waits for.
            return chunk;
        }
        let length = writer.finish();
        let bytes = layout::footprint(length).expect("no more than the capacity");
        self.room.shorten(start, bytes);
        self.open.retain(|&slot| slot != chunk.slot);
        self.set_phase(chunk.slot, Phase::Complete);
        let state = State {
            sequence: chunk.sequence,
            phase: Phase::Complete,
        };
        // Release: who sees it complete sees the last length and the trailer.
        let slot = self.shared.control.slot(chunk.slot);
        slot.state.store(state.pack(), Ordering::Release);
        chunk
    }

    /// Gives an open chunk up: readers that follow it are told, and it is never complete.
    ///
    /// # Panics
    /// When the writer is another ring's.
    pub fn abort(&mut self, writer: ChunkWriter) {
        assert!(writer.belongs_to(&self.shared), "the writer of this ring");
        let chunk = writer.chunk();
        drop(writer);
        self.revoke(chunk);
    }

    /// The writer of a chunk was dropped where it was; as [`Ring::abort`]. The room is
    /// reused only after it really was.
    pub fn lost(&mut self, chunk: ChunkRef) {
        if self.has(chunk) && self.entry(chunk.slot).phase == Phase::Open {
            self.withdraw(chunk.slot);
        }
    }

    /// Gives a chunk up, complete or open: no lease is taken on it any more. Does nothing
    /// when it is gone already.
    pub fn revoke(&mut self, chunk: ChunkRef) {
        let given_up = |phase| matches!(phase, Phase::Open | Phase::Complete);
        if self.has(chunk) && given_up(self.entry(chunk.slot).phase) {
            self.withdraw(chunk.slot);
        }
    }

    /// A handle for readers.
    #[must_use]
    pub fn reader(&self) -> RingReader {
        RingReader::new(Arc::clone(&self.shared))
    }

    /// Whether the chunk is complete, can be read, and its markers and CRC-32C agree with its
    /// bytes. Reads all of them.
    #[must_use]
    pub fn verify(&self, chunk: ChunkRef) -> bool {
        if !self.has(chunk) || self.entry(chunk.slot).phase != Phase::Complete {
            return false;
        }
        let progress = self.written(chunk.slot).committed;
        let start = self.entry(chunk.slot).start;
        // SAFETY: complete, and only this owner reuses its bytes, by `&mut self`.
        unsafe { self.shared.verify(chunk, start, progress) }
    }

    /// Takes every chunk away from the readers and ends the ring; dropping it does the same.
    pub fn close(self) {
        drop(self);
    }

    pub(crate) fn entry(&self, slot: u32) -> Entry {
        self.entries[slot as usize]
    }

    pub(crate) fn set_phase(&mut self, slot: u32, phase: Phase) {
        self.entries[slot as usize].phase = phase;
    }

    /// Whether the slot that the name points at holds that chunk.
    fn has(&self, chunk: ChunkRef) -> bool {
        let entry = self.entries.get(chunk.slot as usize);
        entry.is_some_and(|entry| entry.sequence == chunk.sequence)
    }

    pub(crate) fn written(&self, slot: u32) -> Written {
        let words = self.shared.control.slot(slot);
        Written::unpack(words.progress.load(Ordering::Acquire))
    }

    /// Gives the chunk in a slot up. It is reused when it is quiet.
    pub(crate) fn withdraw(&mut self, slot: u32) -> ChunkRef {
        let Entry {
            sequence, phase, ..
        } = self.entry(slot);
        let phase = if phase == Phase::Open {
            self.open.retain(|&open| open != slot);
            self.counted.aborted += 1;
            Phase::Aborted
        } else {
            debug_assert_eq!(phase, Phase::Complete);
            self.counted.revoked += 1;
            Phase::Revoked
        };
        let words = self.shared.control.slot(slot);
        gate::revoke(&words.state, State { sequence, phase });
        self.set_phase(slot, phase);
        self.unquiet.push(slot);
        ChunkRef { slot, sequence }
    }
}

impl Drop for Ring {
    fn drop(&mut self) {
        let control = &self.shared.control;
        control.header().closed.store(1, Ordering::Release);
        for (slot, entry) in (0..).zip(&self.entries) {
            let phase = match entry.phase {
                Phase::Open => Phase::Aborted,
                Phase::Complete => Phase::Revoked,
                Phase::Free | Phase::Revoked | Phase::Aborted => continue,
            };
            let sequence = entry.sequence;
            let state = State { sequence, phase }.pack();
            control.slot(slot).state.store(state, Ordering::Release);
        }
        // Nothing is reused, so that nobody's leases need to be looked at: the memory goes
        // when the last reader and writer let it go.
        fence(Ordering::SeqCst);
    }
}

impl fmt::Debug for Ring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ring")
            .field("stats", &self.stats())
            .finish_non_exhaustive()
    }
}
