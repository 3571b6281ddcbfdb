//! Which bytes of the data block chunks take, and where the next chunk may go.
//!
//! The owner's own book, shared with nobody. `head` goes round; going on from it one meets
//! the oldest chunk first, except for those that were stepped over.

use std::collections::BTreeMap;

/// A chunk's bytes: from its key in the map to `end`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Taken {
    end: u32,
    slot: u32,
}

pub(crate) struct Room {
    size: u32,
    /// Where the next chunk goes, if it may.
    head: u32,
    taken: BTreeMap<u32, Taken>,
}

impl Room {
    pub(crate) fn new(size: u32) -> Room {
        Room {
            size,
            head: 0,
            taken: BTreeMap::new(),
        }
    }

    pub(crate) fn size(&self) -> u32 {
        self.size
    }

    /// The first place for `need` bytes, going on from the head, that overlaps nothing
    /// busy. The tail of the block is skipped when they do not fit into it. Gives up when
    /// more than half of the ring would have to be stepped over: the ring would lose what is
    /// new for the sake of what hangs.
    pub(crate) fn find(&self, need: u32, mut busy: impl FnMut(u32) -> bool) -> Option<u32> {
        let mut budget = self.size / 2;
        let tail = self.find_from(self.head, self.size, need, &mut budget, &mut busy);
        tail.or_else(|| self.find_from(0, self.head, need, &mut budget, &mut busy))
    }

    /// As `find`, for a place that begins in `[from, until)`.
    fn find_from(
        &self,
        from: u32,
        until: u32,
        need: u32,
        budget: &mut u32,
        busy: &mut impl FnMut(u32) -> bool,
    ) -> Option<u32> {
        let mut start = from;
        for (&at, taken) in self.taken.range(from..) {
            if start >= until || start + need > self.size {
                return None;
            }
            if start + need <= at {
                break;
            }
            if busy(taken.slot) {
                *budget = budget.checked_sub(taken.end - start)?;
                start = taken.end;
            }
        }
        (start < until && start + need <= self.size).then_some(start)
    }

    /// The slots of the chunks between the head and the end of a place that begins at
    /// `start`, oldest first, the skipped tail included.
    pub(crate) fn path(&self, start: u32, need: u32) -> impl Iterator<Item = u32> {
        let end = start + need;
        let (tail, wrapped) = if start >= self.head {
            (self.head..end, 0..0)
        } else {
            (self.head..self.size, 0..end.min(self.head))
        };
        self.taken
            .range(tail)
            .chain(self.taken.range(wrapped))
            .map(|(_, taken)| taken.slot)
    }

    /// The slots of the chunks in the next `bytes` bytes, round the end.
    pub(crate) fn ahead(&self, bytes: u32) -> impl Iterator<Item = u32> {
        let end = self.head + bytes.min(self.size);
        let tail = self.head..end.min(self.size);
        let wrapped = 0..end.saturating_sub(self.size).min(self.head);
        self.taken
            .range(tail)
            .chain(self.taken.range(wrapped))
            .map(|(_, taken)| taken.slot)
    }

    /// Whether no chunk takes any of these bytes.
    pub(crate) fn is_free(&self, start: u32, need: u32) -> bool {
        let before = self.taken.range(..start + need).next_back();
        before.is_none_or(|(_, taken)| taken.end <= start)
    }

    /// Takes bytes that are free, and puts the head behind them.
    pub(crate) fn take(&mut self, start: u32, need: u32, slot: u32) {
        let end = start + need;
        assert!(end <= self.size, "a chunk lies inside the ring");
        assert!(self.is_free(start, need), "chunks do not overlap");
        self.taken.insert(start, Taken { end, slot });
        self.head = end;
    }

    /// Gives the end of a chunk back; when it is the newest, the next one follows it
    /// directly.
    pub(crate) fn shorten(&mut self, start: u32, need: u32) {
        let taken = self
            .taken
            .get_mut(&start)
            .expect("the chunk is in the book");
        let end = start + need;
        assert!(end <= taken.end, "a chunk does not grow");
        if self.head == taken.end {
            self.head = end;
        }
        taken.end = end;
    }

    /// Gives all of a chunk back; when it is the newest, the next one takes its place.
    pub(crate) fn give_back(&mut self, start: u32) {
        let taken = self.taken.remove(&start).expect("the chunk is in the book");
        if self.head == taken.end {
            self.head = start;
        }
    }

    /// Bytes that a chunk takes.
    pub(crate) fn bytes_of(&self, start: u32) -> u32 {
        self.taken.get(&start).map_or(0, |taken| taken.end - start)
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    fn room(chunks: &[(u32, u32)], head: u32) -> Room {
        let mut room = Room::new(1000);
        for (slot, &(start, need)) in (0..).zip(chunks) {
            room.take(start, need, slot);
        }
        room.head = head;
        room
    }

    /// A chunk that does not fit into the tail goes to the start, and what is in the tail
    /// is on its path.
    #[test]
    fn the_tail_is_skipped() {
        let room = room(&[(0, 300), (300, 300), (900, 100)], 600);
        assert_eq!(room.find(400, |_| false), Some(600));
        assert_eq!(room.find(401, |_| false), Some(0));
        assert_eq!(room.path(0, 401).collect::<Vec<_>>(), [2, 0, 1]);
        assert_eq!(room.path(600, 300).count(), 0);
    }

    /// What is busy is stepped over, in the tail and behind the wrap, and no place that
    /// overlaps it is given.
    #[test]
    fn busy_chunks_are_stepped_over() {
        let room = room(&[(0, 100), (100, 100), (600, 100), (700, 100)], 600);
        assert_eq!(room.find(200, |slot| slot == 2), Some(700));
        assert_eq!(room.find(400, |slot| slot == 2), Some(0));
        assert_eq!(room.find(400, |slot| slot == 2 || slot == 0), Some(100));
        assert_eq!(room.find(400, |slot| slot != 1), Some(100));
        assert_eq!(room.find(400, |slot| slot != 3), Some(200));
        assert_eq!(room.find(401, |slot| slot != 3), None);
        assert_eq!(room.find(601, |slot| slot == 2), None);
    }

    /// Stepping over ends at half of the ring.
    #[test]
    fn stepping_over_is_bounded() {
        let full = room(&[(0, 300), (300, 300), (600, 300)], 0);
        assert_eq!(full.find(100, |slot| slot == 0), Some(300));
        assert_eq!(full.find(100, |slot| slot < 2), None);
        assert_eq!(full.find(1001, |_| false), None);
    }

    /// The end of the newest chunk, or all of it, is used again at once; a hole elsewhere
    /// waits for the head to come round.
    #[test]
    fn the_newest_gives_back_at_once() {
        let mut room = room(&[(0, 300), (300, 300)], 600);
        room.shorten(0, 100);
        assert_eq!(room.head, 600);
        room.shorten(300, 100);
        assert_eq!(room.head, 400);
        room.give_back(300);
        assert_eq!(room.head, 300);
        assert!(room.is_free(100, 900));
        assert!(!room.is_free(99, 1));
        assert_eq!(room.bytes_of(0), 100);
    }

    /// Looking ahead goes round the end and never past the head.
    #[test]
    fn ahead_goes_round() {
        let room = room(&[(0, 100), (100, 100), (600, 100), (900, 100)], 500);
        let ahead = |bytes| room.ahead(bytes).collect::<Vec<_>>();
        assert_eq!(ahead(100), [0; 0]);
        assert_eq!(ahead(101), [2]);
        assert_eq!(ahead(501), [2, 3, 0]);
        assert_eq!(ahead(u32::MAX / 2), [2, 3, 0, 1]);
    }
}
