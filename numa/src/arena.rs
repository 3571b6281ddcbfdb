//! One zone's memory for rings.
//!
//! All of it is made at start, by the page ladder, in regions of 1 GiB and a smaller
//! last one. A ring's data is one [`Block`] of it.

use std::sync::Arc;

use crate::block::Block;
use crate::error::NumaError;
use crate::ids::ZoneId;
use crate::ladder::StepDown;
use crate::make::{Plan, REGION_BYTES_MAX, heap_region};
use crate::page::PageKind;
use crate::pool::Pool;
use crate::region::Region;
use crate::regions::RegionsBuilder;
use crate::sysfs::Sysfs;

/// One zone's memory: regions that are made up front, and what is free in them.
///
/// A handle: clones share the memory, from any thread. Allocation takes a lock and
/// belongs to the control path.
#[derive(Clone, Debug)]
pub struct Arena {
    zone: ZoneId,
    page: PageKind,
    step_downs: Arc<[StepDown]>,
    pool: Arc<Pool>,
}

impl Arena {
    /// Makes a zone's memory and adds its regions to the table.
    ///
    /// `bytes` are rounded up to 2 MiB (below 2 MiB: to 4 KiB). `ladder` is the best kind
    /// of page to try; a region too small for such a page begins with the kind that fits,
    /// which is no step down. On a machine with one node `node` is only noted.
    ///
    /// # Errors
    /// [`NumaError::MemoryShort`] when not even plain pages are there,
    /// [`NumaError::NoSuchNode`], [`NumaError::TooManyRegions`], [`NumaError::NoBytes`],
    /// and what the kernel says. The table is unchanged then.
    pub fn create(
        zone: ZoneId,
        node: Option<u32>,
        bytes: u64,
        ladder: PageKind,
        regions: &mut RegionsBuilder,
    ) -> Result<Arena, NumaError> {
        let mut step_downs = Vec::new();
        let name = format!("zonecast-arena-{zone}");
        let plan = Plan {
            name: &name,
            node,
            bytes,
            best: ladder,
            control: false,
            region_bytes_max: REGION_BYTES_MAX,
        };
        let made = plan.make(&Sysfs::host(), regions, &mut step_downs)?;
        Ok(Arena::of(zone, made, step_downs))
    }

    /// Memory of this process alone, in one region on the heap: for Miri and for
    /// simulations. At most 1 GiB.
    ///
    /// # Errors
    /// [`NumaError::NoBytes`], [`NumaError::TooManyRegions`], [`NumaError::MemoryShort`].
    pub fn heap(
        zone: ZoneId,
        bytes: u32,
        regions: &mut RegionsBuilder,
    ) -> Result<Arena, NumaError> {
        let made = heap_region(bytes, false, regions)?;
        Ok(Arena::of(zone, vec![made], Vec::new()))
    }

    fn of(zone: ZoneId, regions: Vec<Arc<Region>>, step_downs: Vec<StepDown>) -> Arena {
        let page = regions.iter().map(|region| region.page()).min();
        Arena {
            zone,
            page: page.unwrap_or(PageKind::Plain),
            step_downs: step_downs.into(),
            pool: Pool::new(regions),
        }
    }

    /// Takes `bytes`, rounded up to 4 KiB, out of one region; `None` when no region has
    /// that much in one piece. Aligned to 4 KiB; from 2 MiB on, to 2 MiB. The contents are
    /// whatever the block's last holder left.
    #[must_use]
    pub fn allocate(&self, bytes: u32) -> Option<Block> {
        self.pool.allocate(bytes)
    }

    /// The zone whose memory it is.
    #[must_use]
    pub fn zone(&self) -> ZoneId {
        self.zone
    }

    /// All of its bytes.
    #[must_use]
    pub fn bytes_total(&self) -> u64 {
        self.pool.total_bytes()
    }

    /// Bytes that no block holds; perhaps in several pieces.
    #[must_use]
    pub fn bytes_free(&self) -> u64 {
        self.pool.free_bytes()
    }

    /// Every step down the page ladder, in order, for a warning each.
    #[must_use]
    pub fn step_downs(&self) -> &[StepDown] {
        &self.step_downs
    }

    /// The least kind of page among its regions.
    #[must_use]
    pub fn page(&self) -> PageKind {
        self.page
    }

    /// Its regions, in id order.
    #[must_use]
    pub fn regions(&self) -> &[Arc<Region>] {
        self.pool.regions()
    }
}

#[cfg(test)]
mod tests;
