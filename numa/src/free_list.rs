//! Which bytes of one region are free: plain arithmetic, no memory.
//!
//! Invariants, kept by every call: free ranges lie inside the region, do not overlap
//! and do not touch (neighbours are merged).

use std::collections::BTreeMap;

/// The free ranges of one region, by where they begin.
#[derive(Debug)]
pub(crate) struct FreeList {
    /// Offset to length, both in bytes; no length is 0.
    ranges: BTreeMap<u32, u32>,
    free_bytes: u64,
    len: u32,
}

impl FreeList {
    /// A region of `len` bytes, all free.
    pub(crate) fn new(len: u32) -> FreeList {
        let mut ranges = BTreeMap::new();
        if len > 0 {
            ranges.insert(0, len);
        }
        FreeList {
            ranges,
            free_bytes: u64::from(len),
            len,
        }
    }

    pub(crate) fn free_bytes(&self) -> u64 {
        self.free_bytes
    }

    /// Takes `len` bytes at a multiple of `align` (a power of two) out of the smallest free
    /// range that holds them, and says where they begin.
    ///
    /// The smallest fit keeps large ranges whole: a process makes a few kinds of ring, so
    /// that what one track leaves, the next one of its kind fills.
    pub(crate) fn take(&mut self, len: u32, align: u32) -> Option<u32> {
        if len == 0 {
            return None;
        }
        let (free_start, free_len, start) = self
            .ranges
            .iter()
            .filter_map(|(&free_start, &free_len)| {
                let start = free_start.checked_next_multiple_of(align)?;
                let end = u64::from(start) + u64::from(len);
                let fits = end <= u64::from(free_start) + u64::from(free_len);
                fits.then_some((free_start, free_len, start))
            })
            .min_by_key(|&(_, free_len, _)| free_len)?;
        self.ranges.remove(&free_start);
        let before = start - free_start;
        let after = free_len - before - len;
        if before > 0 {
            self.ranges.insert(free_start, before);
        }
        if after > 0 {
            self.ranges.insert(start + len, after);
        }
        self.free_bytes -= u64::from(len);
        Some(start)
    }

    /// Gives back exactly what one `take` returned.
    pub(crate) fn give_back(&mut self, start: u32, len: u32) {
        let end = start.checked_add(len).filter(|&end| end <= self.len);
        let mut end = end.expect("what comes back was taken from inside this region");
        let mut start = start;
        if let Some((&next, _)) = self.ranges.range(start..).next() {
            assert!(next >= end, "bytes {start}..{end} came back while free");
        }
        if let Some((&before, &before_len)) = self.ranges.range(..start).next_back() {
            assert!(
                before + before_len <= start,
                "bytes {start}..{end} came back while free"
            );
            if before + before_len == start {
                start = before;
            }
        }
        if let Some(next_len) = self.ranges.remove(&end) {
            end += next_len;
        }
        self.ranges.insert(start, end - start);
        self.free_bytes += u64::from(len);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const REGION: u32 = 1 << 16;

    #[derive(Clone, Debug)]
    enum Step {
        Take { len: u32, align_log2: u32 },
        GiveBack(prop::sample::Index),
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            (1..REGION / 4, 0..12_u32).prop_map(|(len, align_log2)| Step::Take { len, align_log2 }),
            any::<prop::sample::Index>().prop_map(Step::GiveBack),
        ]
    }

    fn assert_consistent(list: &FreeList, taken: &[(u32, u32)]) {
        // Taken and free ranges together cover the region once: sorted, each begins where
        // the one before ends.
        let free = list.ranges.iter().map(|(&start, &len)| (start, len));
        let mut all: Vec<_> = taken.iter().copied().chain(free).collect();
        all.sort_unstable();
        let mut at = 0;
        for (start, len) in all {
            assert_eq!(start, at);
            at += len;
        }
        assert_eq!(at, REGION);
        let taken_bytes: u64 = taken.iter().map(|&(_, len)| u64::from(len)).sum();
        assert_eq!(list.free_bytes() + taken_bytes, u64::from(REGION));
        let starts: Vec<_> = list.ranges.iter().collect();
        for pair in starts.windows(2) {
            assert!(
                pair[0].0 + pair[0].1 < *pair[1].0,
                "free neighbours are merged"
            );
        }
    }

    proptest! {
        /// Whatever is taken and given back in whatever order: ranges never overlap, lie
        /// where they were asked to, no byte is lost, and at the end all of it is one range.
        /// (A failing case is printed with the seed that replays it.)
        #[test]
        fn ranges_never_overlap_and_none_is_lost(steps in prop::collection::vec(step(), 1..120)) {
            let mut list = FreeList::new(REGION);
            let mut taken = Vec::new();
            for step in steps {
                match step {
                    Step::Take { len, align_log2 } => {
                        if let Some(start) = list.take(len, 1 << align_log2) {
                            prop_assert_eq!(start % (1 << align_log2), 0);
                            taken.push((start, len));
                        }
                    }
                    Step::GiveBack(which) => {
                        if !taken.is_empty() {
                            let (start, len) = taken.swap_remove(which.index(taken.len()));
                            list.give_back(start, len);
                        }
                    }
                }
                assert_consistent(&list, &taken);
            }
            for (start, len) in taken {
                list.give_back(start, len);
            }
            prop_assert_eq!(list.take(REGION, REGION), Some(0));
        }
    }

    /// The smallest range that fits is used, so that the large one stays whole.
    #[test]
    fn the_smallest_fit_is_used() {
        let mut list = FreeList::new(1000);
        let hole = list.take(100, 1).unwrap();
        let _wall = list.take(10, 1).unwrap();
        list.give_back(hole, 100);
        assert_eq!(list.take(90, 1), Some(hole));
        assert_eq!(list.take(891, 1), None);
        assert_eq!(list.take(890, 1), Some(110));
    }

    /// Bytes that are free already cannot come back: that would be two owners.
    #[test]
    #[should_panic(expected = "came back while free")]
    fn a_double_return_is_a_broken_invariant() {
        let mut list = FreeList::new(1000);
        let start = list.take(100, 1).unwrap();
        list.give_back(start, 100);
        list.give_back(start, 100);
    }
}
