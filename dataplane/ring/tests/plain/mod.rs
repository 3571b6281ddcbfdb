//! The plain model: every chunk that ever was, as a vector of bytes.

mod compare;

use std::rc::Rc;

use proptest::sample::Index;
use zonecast_ring::{ChunkRef, ChunkWriter, Lease, LoopReader, NoRoom, Ring};

/// One call; an index picks among the writers, leases or chunks there are.
#[derive(Clone, Debug)]
pub(crate) enum Op {
    Allocate(u32),
    Append(Index, u32),
    InPlace(Index, u32),
    Commit(Index),
    Complete(Index),
    Abort(Index),
    Abandon(Index),
    Lose(Index),
    Lease(u16, Index),
    GiveBack(Index),
    Revoke(Index),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Life {
    Open,
    Complete,
    Revoked,
    Aborted,
    /// Its writer was dropped, and the owner has not heard.
    Abandoned,
}

struct Chunk {
    name: ChunkRef,
    bytes: Vec<u8>,
    committed: usize,
    life: Life,
    /// It was open when something was stepped over: it may be older than what is revoked.
    passed: bool,
}

pub(crate) struct Plain {
    ring: Ring,
    readers: [Rc<LoopReader>; 2],
    chunks: Vec<Chunk>,
    writers: Vec<ChunkWriter>,
    leases: Vec<Lease>,
}

/// What is at a place of a chunk: no two chunks look alike.
fn pattern(sequence: u64, at: usize) -> u8 {
    let mixed = (sequence << 32 | at as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (mixed >> 56) as u8
}

impl Plain {
    pub(crate) fn new(ring: Ring) -> Plain {
        let readers = [0, 1].map(|id| crate::common::on_loop(&ring, id));
        Plain {
            ring,
            readers,
            chunks: Vec::new(),
            writers: Vec::new(),
            leases: Vec::new(),
        }
    }

    pub(crate) fn apply(&mut self, op: &Op) {
        match *op {
            Op::Allocate(size) => self.allocate(size),
            Op::Append(index, len) => self.write(index, len, false),
            Op::InPlace(index, len) => self.write(index, len, true),
            Op::Commit(index) => self.commit(index),
            Op::Complete(index) => self.end_writer(index, Life::Complete, |ring, writer| {
                let name = writer.chunk();
                assert_eq!(ring.complete(writer), name);
            }),
            Op::Abort(index) => self.end_writer(index, Life::Aborted, Ring::abort),
            Op::Abandon(index) => self.end_writer(index, Life::Abandoned, |_, writer| drop(writer)),
            Op::Lose(index) => self.end_writer(index, Life::Aborted, |ring, writer| {
                let name = writer.chunk();
                drop(writer);
                ring.lost(name);
            }),
            Op::Lease(id, index) => self.lease(id, index),
            Op::GiveBack(index) => {
                if !self.leases.is_empty() {
                    drop(self.leases.swap_remove(index.index(self.leases.len())));
                }
            }
            Op::Revoke(index) => self.revoke(index),
        }
    }

    fn allocate(&mut self, size: u32) {
        let mut revoked = Vec::new();
        let stepped_before = self.ring.stats().stepped_over;
        let result = self.ring.allocate(size, &mut revoked);
        if self.ring.stats().stepped_over > stepped_before {
            let open = self
                .chunks
                .iter_mut()
                .filter(|chunk| chunk.life == Life::Open);
            open.for_each(|chunk| chunk.passed = true);
        }
        for name in revoked {
            self.note_revoked(name);
        }
        let abandoned = self
            .chunks
            .iter()
            .find(|chunk| chunk.life == Life::Abandoned);
        let told = abandoned.is_none() || matches!(result, Err(NoRoom::TooLarge { .. }));
        assert!(told, "an abandoned chunk is found");
        match result {
            Ok(writer) => {
                let newest = self.chunks.last().map_or(0, |chunk| chunk.name.sequence);
                assert!(writer.chunk().sequence > newest);
                assert_eq!(writer.capacity(), size);
                self.chunks.push(Chunk {
                    name: writer.chunk(),
                    bytes: Vec::new(),
                    committed: 0,
                    life: Life::Open,
                    passed: false,
                });
                self.writers.push(writer);
            }
            Err(NoRoom::TooLarge { max }) => assert!(size > max),
            Err(NoRoom::NotQuiet | NoRoom::NoSlot) => {
                assert!(!self.leases.is_empty() || !self.writers.is_empty());
            }
        }
    }

    /// The owner gave a chunk up for room: it lived, and no older one lives on.
    fn note_revoked(&mut self, name: ChunkRef) {
        let chunk = self.chunk(name);
        chunk.life = match chunk.life {
            Life::Complete => Life::Revoked,
            Life::Abandoned => Life::Aborted,
            other => panic!("{name:?} was revoked while {other:?}"),
        };
        if chunk.life == Life::Revoked {
            let is_older = |chunk: &&Chunk| {
                chunk.life == Life::Complete && chunk.name.sequence < name.sequence
            };
            let mut older = self.chunks.iter().filter(is_older);
            assert!(older.all(|chunk| chunk.passed), "the oldest goes first");
        }
    }

    fn write(&mut self, index: Index, len: u32, in_place: bool) {
        if self.writers.is_empty() {
            return;
        }
        let index = index.index(self.writers.len());
        let name = self.writers[index].chunk();
        let from = self.chunk(name).bytes.len();
        let bytes: Vec<u8> = (from..from + len as usize)
            .map(|at| pattern(name.sequence, at))
            .collect();
        let writer = &mut self.writers[index];
        let fits = bytes.len().min(writer.room() as usize);
        if in_place {
            writer.spare()[..fits].copy_from_slice(&bytes[..fits]);
            writer.advance(fits as u32);
        } else {
            assert_eq!(writer.append(&bytes), fits);
        }
        self.chunk(name).bytes.extend(&bytes[..fits]);
    }

    fn commit(&mut self, index: Index) {
        if !self.writers.is_empty() {
            let index = index.index(self.writers.len());
            self.writers[index].commit();
            let name = self.writers[index].chunk();
            let chunk = self.chunk(name);
            chunk.committed = chunk.bytes.len();
        }
    }

    fn end_writer(&mut self, index: Index, life: Life, end: impl FnOnce(&mut Ring, ChunkWriter)) {
        if !self.writers.is_empty() {
            let writer = self.writers.swap_remove(index.index(self.writers.len()));
            let name = writer.chunk();
            end(&mut self.ring, writer);
            let chunk = self.chunk(name);
            if chunk.life == Life::Open {
                chunk.life = life;
                if life == Life::Complete {
                    chunk.committed = chunk.bytes.len();
                }
            }
        }
    }

    fn lease(&mut self, id: u16, index: Index) {
        if !self.chunks.is_empty() {
            let name = self.chunks[index.index(self.chunks.len())].name;
            self.leases
                .extend(self.readers[usize::from(id)].lease(name));
        }
    }

    fn revoke(&mut self, index: Index) {
        if !self.chunks.is_empty() {
            let index = index.index(self.chunks.len());
            self.ring.revoke(self.chunks[index].name);
            let life = &mut self.chunks[index].life;
            *life = match *life {
                Life::Open | Life::Abandoned => Life::Aborted,
                Life::Complete => Life::Revoked,
                over => over,
            };
        }
    }

    fn chunk(&mut self, name: ChunkRef) -> &mut Chunk {
        let mut chunks = self.chunks.iter_mut();
        chunks
            .find(|chunk| chunk.name == name)
            .expect("a chunk that was")
    }
}
