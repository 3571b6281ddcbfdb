//! Regions and what is free in them: the common half of arenas and control memory.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::block::Block;
use crate::free_list::FreeList;
use crate::page::{HUGE_2M_BYTES, PAGE_BYTES};
use crate::region::Region;

/// Regions with their free lists, shared by the handles and by every block.
#[derive(Debug)]
pub(crate) struct Pool {
    regions: Vec<Arc<Region>>,
    /// One for each region. Taken on the control path only: a ring's making and its end.
    free: Mutex<Vec<FreeList>>,
}

impl Pool {
    pub(crate) fn new(regions: Vec<Arc<Region>>) -> Arc<Pool> {
        let free = regions.iter().map(|region| FreeList::new(region.len()));
        let free = Mutex::new(free.collect());
        Arc::new(Pool { regions, free })
    }

    /// Bytes rounded up to plain pages, from the first region that has room.
    pub(crate) fn allocate(self: &Arc<Self>, bytes: u32) -> Option<Block> {
        let len = bytes.checked_next_multiple_of(PAGE_BYTES as u32)?;
        let align = if u64::from(len) >= HUGE_2M_BYTES {
            HUGE_2M_BYTES
        } else {
            PAGE_BYTES
        };
        let mut free = self.free();
        let (index, offset) = free
            .iter_mut()
            .enumerate()
            .find_map(|(index, list)| Some((index, list.take(len, align as u32)?)))?;
        Some(Block::new(Arc::clone(self), index, offset, len))
    }

    pub(crate) fn give_back(&self, index: usize, offset: u32, len: u32) {
        self.free()[index].give_back(offset, len);
    }

    pub(crate) fn regions(&self) -> &[Arc<Region>] {
        &self.regions
    }

    pub(crate) fn total_bytes(&self) -> u64 {
        self.regions
            .iter()
            .map(|region| u64::from(region.len()))
            .sum()
    }

    pub(crate) fn free_bytes(&self) -> u64 {
        self.free().iter().map(FreeList::free_bytes).sum()
    }

    fn free(&self) -> MutexGuard<'_, Vec<FreeList>> {
        // A free list panics before it changes anything, so that it is whole even then.
        self.free.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
