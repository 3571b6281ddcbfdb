//! One zone's memory for control words.
//!
//! Ring headers, slots and lease rows live apart from the data: readers in other
//! processes map them with other rights, and no span of them is ever sent.

use std::sync::Arc;

use crate::block::Block;
use crate::error::NumaError;
use crate::ids::ZoneId;
use crate::make::{Plan, REGION_BYTES_MAX, heap_region};
use crate::page::PageKind;
use crate::pool::Pool;
use crate::region::Region;
use crate::regions::RegionsBuilder;
use crate::sysfs::Sysfs;

/// A zone's control memory: small, in plain pages on the zone's node, 4 KiB granular.
///
/// A handle: clones share the memory, from any thread.
#[derive(Clone, Debug)]
pub struct ControlMemory {
    zone: ZoneId,
    pool: Arc<Pool>,
}

impl ControlMemory {
    /// Makes control memory of `bytes`, rounded up as [`crate::Arena::create`] does, and
    /// notes its regions beside the table.
    ///
    /// # Errors
    /// As [`crate::Arena::create`].
    pub fn create(
        zone: ZoneId,
        node: Option<u32>,
        bytes: u64,
        regions: &mut RegionsBuilder,
    ) -> Result<ControlMemory, NumaError> {
        let name = format!("zonecast-control-{zone}");
        let plan = Plan {
            name: &name,
            node,
            bytes,
            best: PageKind::Plain,
            control: true,
            region_bytes_max: REGION_BYTES_MAX,
        };
        // Plain pages are the last rung: there is no step to report.
        let made = plan.make(&Sysfs::host(), regions, &mut Vec::new())?;
        let pool = Pool::new(made);
        Ok(ControlMemory { zone, pool })
    }

    /// Memory of this process alone, as [`crate::Arena::heap`].
    ///
    /// # Errors
    /// As [`crate::Arena::heap`].
    pub fn heap(
        zone: ZoneId,
        bytes: u32,
        regions: &mut RegionsBuilder,
    ) -> Result<ControlMemory, NumaError> {
        let pool = Pool::new(vec![heap_region(bytes, true, regions)?]);
        Ok(ControlMemory { zone, pool })
    }

    /// Takes `bytes`, rounded up to 4 KiB and zeroed; `None` when no region has that much
    /// in one piece.
    #[must_use]
    pub fn allocate(&self, bytes: u32) -> Option<Block> {
        let block = self.pool.allocate(bytes)?;
        // SAFETY: the block is new, so that its bytes belong to this call alone (the pool
        // keeps blocks apart, and the last holder vouched that nobody uses them), and it
        // spans `len` mapped, writable bytes.
        unsafe { std::ptr::write_bytes(block.as_ptr(), 0, block.len() as usize) };
        Some(block)
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

    /// Bytes that no block holds.
    #[must_use]
    pub fn bytes_free(&self) -> u64 {
        self.pool.free_bytes()
    }

    /// Its regions, in id order.
    #[must_use]
    pub fn regions(&self) -> &[Arc<Region>] {
        self.pool.regions()
    }
}
