//! Room for the next chunk: revoke what is oldest, step over what is not quiet, never wait.
//!
//! The head goes round the data block. What lies before it is revoked, the oldest chunk
//! first, and reused as soon as it is quiet: nobody leases it, and its writer is done. What
//! does not get quiet is stepped over, as the tail is when a chunk does not fit into it,
//! and waits for the head's next turn. Open chunks are stepped over as they are: to be old is no
//! reason to end an upload. So a reader or a writer that hangs costs the ring its chunk's
//! bytes, and nothing else.

use std::sync::Arc;

use crate::error::NoRoom;
use crate::gate;
use crate::layout;
use crate::ring::{Entry, Ring};
use crate::shared::ChunkRef;
use crate::state::{Extent, Phase, State, Written};
use crate::sync::Ordering;
use crate::writer::ChunkWriter;

/// How often an allocation looks for another place when a lease came in between the look
/// and the revocation.
const TRIES_MAX: u32 = 8;

impl Ring {
    /// The sole right to write a new chunk of at most `payload_max` bytes. Never waits.
    ///
    /// What had to be given up for it, and what was found abandoned by its writer, is added
    /// to `revoked`, also when there is no room after all.
    ///
    /// # Errors
    /// [`NoRoom`]; after the last two kinds, what is in the way is revoked already, so that a
    /// later call finds it quiet.
    pub fn allocate(
        &mut self,
        payload_max: u32,
        revoked: &mut Vec<ChunkRef>,
    ) -> Result<ChunkWriter, NoRoom> {
        let max = self.payload_max();
        let need = layout::footprint(payload_max).filter(|&bytes| bytes <= self.room.size());
        let Some(need) = need else {
            return Err(NoRoom::TooLarge { max });
        };
        self.find_abandoned(revoked);
        self.reuse_quiet();
        let start = self.clear_bytes(need, revoked);
        let place = start.and_then(|start| Ok((start, self.clear_slot(revoked)?)));
        let (start, slot) = place.inspect_err(|_| self.counted.refused += 1)?;
        let writer = self.place(slot, start, need, payload_max);
        self.revoke_ahead(revoked);
        Ok(writer)
    }

    /// Open chunks whose writers are gone are aborted.
    fn find_abandoned(&mut self, revoked: &mut Vec<ChunkRef>) {
        let mut index = 0;
        while let Some(&slot) = self.open.get(index) {
            if self.written(slot).gone {
                revoked.push(self.withdraw(slot));
            } else {
                index += 1;
            }
        }
    }

    /// Chunks that have got quiet give their bytes and slots back.
    fn reuse_quiet(&mut self) {
        let mut unquiet = std::mem::take(&mut self.unquiet);
        unquiet.retain(|&slot| {
            let quiet = self.is_quiet(slot);
            if quiet {
                self.room.give_back(self.entry(slot).start);
                self.set_phase(slot, Phase::Free);
                self.free.push_back(slot);
            }
            !quiet
        });
        self.unquiet = unquiet;
    }

    /// Whether nobody uses the bytes of a chunk that is given up.
    fn is_quiet(&self, slot: u32) -> bool {
        let writer_done = match self.entry(slot).phase {
            Phase::Revoked => true,
            Phase::Aborted => self.written(slot).gone,
            Phase::Free | Phase::Open | Phase::Complete => false,
        };
        writer_done && self.is_idle(slot)
    }

    /// Whether no loop leases what is in a slot: final for a chunk that is given up, for
    /// another one a guess.
    fn is_idle(&self, slot: u32) -> bool {
        let control = &self.shared.control;
        (0..control.layout().loops).all(|index| gate::idle(control.count(index, slot)))
    }

    /// Whether a chunk has to be stepped over, as far as one can tell before it is revoked.
    fn is_busy(&self, slot: u32) -> bool {
        match self.entry(slot).phase {
            Phase::Open => true,
            Phase::Complete => !self.is_idle(slot),
            Phase::Free | Phase::Revoked | Phase::Aborted => !self.is_quiet(slot),
        }
    }

    /// Frees `need` bytes in one piece and says where.
    fn clear_bytes(&mut self, need: u32, revoked: &mut Vec<ChunkRef>) -> Result<u32, NoRoom> {
        for _ in 0..TRIES_MAX {
            let Some(start) = self.room.find(need, |slot| self.is_busy(slot)) else {
                break;
            };
            let path: Vec<u32> = self.room.path(start, need).collect();
            self.revoke_complete(&path, revoked);
            self.reuse_quiet();
            if self.room.is_free(start, need) {
                self.counted.stepped_over += self.room.path(start, need).count() as u64;
                return Ok(start);
            }
        }
        // Where it would have been, had nobody had a lease: a later call may find it quiet.
        let is_open = |slot| self.entry(slot).phase == Phase::Open;
        if let Some(start) = self.room.find(need, is_open) {
            let path: Vec<u32> = self.room.path(start, need).collect();
            self.revoke_complete(&path, revoked);
        }
        Err(NoRoom::NotQuiet)
    }

    /// Takes a free slot, or the slot of the oldest chunk that nobody uses.
    fn clear_slot(&mut self, revoked: &mut Vec<ChunkRef>) -> Result<u32, NoRoom> {
        for _ in 0..TRIES_MAX {
            if let Some(slot) = self.free.pop_front() {
                return Ok(slot);
            }
            let Some(oldest) = self.oldest(|slot| self.is_idle(slot)) else {
                break;
            };
            let sequence = self.entry(oldest).sequence;
            while let Some(slot) = self.oldest(|slot| self.entry(slot).sequence <= sequence) {
                self.counted.stepped_over += u64::from(slot != oldest);
                revoked.push(self.withdraw(slot));
            }
            self.reuse_quiet();
        }
        let oldest: Vec<u32> = self.oldest(|_| true).into_iter().collect();
        self.revoke_complete(&oldest, revoked);
        Err(NoRoom::NoSlot)
    }

    /// The slot of the oldest complete chunk that is wanted.
    fn oldest(&self, wanted: impl Fn(u32) -> bool) -> Option<u32> {
        (0..)
            .zip(&self.entries)
            .filter(|&(slot, entry)| entry.phase == Phase::Complete && wanted(slot))
            .min_by_key(|(_, entry)| entry.sequence)
            .map(|(slot, _)| slot)
    }

    fn revoke_complete(&mut self, slots: &[u32], revoked: &mut Vec<ChunkRef>) {
        for &slot in slots {
            if self.entry(slot).phase == Phase::Complete {
                revoked.push(self.withdraw(slot));
            }
        }
    }

    /// Opens a chunk in a free slot and free bytes.
    fn place(&mut self, slot: u32, start: u32, need: u32, capacity: u32) -> ChunkWriter {
        self.sequence += 1;
        let sequence = self.sequence;
        self.entries[slot as usize] = Entry {
            sequence,
            start,
            phase: Phase::Open,
        };
        self.room.take(start, need, slot);
        self.open.push(slot);
        let chunk = ChunkRef { slot, sequence };
        let mut writer = ChunkWriter::new(Arc::clone(&self.shared), chunk, start, capacity);
        writer.begin();
        self.publish(
            chunk,
            Extent {
                offset: start,
                capacity,
            },
        );
        writer
    }

    fn publish(&self, chunk: ChunkRef, extent: Extent) {
        let words = self.shared.control.slot(chunk.slot);
        words.extent.store(extent.pack(), Ordering::Relaxed);
        let written = Written {
            committed: 0,
            gone: false,
        };
        // Release: a reader that sees this progress where it looked for the slot's last chunk
        // sees that chunk revoked too. (The revocation's fence orders them as well.)
        words.progress.store(written.pack(), Ordering::Release);
        let state = State {
            sequence: chunk.sequence,
            phase: Phase::Open,
        };
        // Release: who sees the chunk open sees its extent, and a progress that is its own.
        words.state.store(state.pack(), Ordering::Release);
    }

    /// Gives up what lies next before the head, so that it is quiet when it is needed, and
    /// keeps a sixteenth of the slots free.
    fn revoke_ahead(&mut self, revoked: &mut Vec<ChunkRef>) {
        if self.ahead_bytes > 0 {
            let path: Vec<u32> = self.room.ahead(self.ahead_bytes).collect();
            self.revoke_complete(&path, revoked);
            if self.free.len() + self.unquiet.len() < self.entries.len() / 16 {
                let oldest: Vec<u32> = self.oldest(|_| true).into_iter().collect();
                self.revoke_complete(&oldest, revoked);
            }
        }
    }
}
