//! One zone's memory for rings.
//!
//! All of it is made at start, by the page ladder, in regions of 1 GiB and a smaller
//! last one. A ring's data is one [`Block`] of it.

use std::sync::Arc;

use crate::block::Block;
use crate::error::NumaError;
use crate::heap::Heap;
use crate::ids::ZoneId;
use crate::ladder::{self, StepDown, Wanted};
use crate::page::{HUGE_1G_BYTES, HUGE_2M_BYTES, PAGE_BYTES, PageKind};
use crate::pool::Pool;
use crate::region::{Backing, Region};
use crate::regions::RegionsBuilder;
use crate::span::RegionId;
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

/// Memory to be made in as many regions as it takes.
pub(crate) struct Plan<'a> {
    pub(crate) name: &'a str,
    pub(crate) node: Option<u32>,
    pub(crate) bytes: u64,
    pub(crate) best: PageKind,
    pub(crate) control: bool,
}

impl Plan<'_> {
    /// Makes the regions and adds them to the table, or neither.
    pub(crate) fn make(
        &self,
        sysfs: &Sysfs,
        table: &mut RegionsBuilder,
        steps: &mut Vec<StepDown>,
    ) -> Result<Vec<Arc<Region>>, NumaError> {
        let sizes = region_sizes(self.bytes)?;
        let first = table.next_id(self.control, sizes.len())?;
        let node = node_to_bind(sysfs, self.node)?;
        let mut best = self.best;
        let mut made = Vec::with_capacity(sizes.len());
        for (id, len) in (first.0..).zip(sizes) {
            let wanted = Wanted {
                name: self.name,
                bytes: u64::from(len),
                node,
                best,
            };
            let steps_before = steps.len();
            let (mapping, page) = ladder::make(sysfs, &wanted, steps)?;
            if steps.len() > steps_before {
                // What this region did not get, the next one will not get either.
                best = page;
            }
            let backing = Backing::Memfd(mapping);
            made.push(Arc::new(Region::new(
                RegionId(id),
                len,
                page,
                node,
                backing,
            )));
        }
        table.add(&made);
        Ok(made)
    }
}

/// One region on the heap, added to the table.
pub(crate) fn heap_region(
    bytes: u32,
    control: bool,
    table: &mut RegionsBuilder,
) -> Result<Arc<Region>, NumaError> {
    let len = u64::from(bytes)
        .next_multiple_of(PAGE_BYTES)
        .min(HUGE_1G_BYTES) as u32;
    if len == 0 {
        return Err(NumaError::NoBytes);
    }
    let id = table.next_id(control, 1)?;
    let heap = Heap::new(len as usize).ok_or_else(|| NumaError::MemoryShort {
        wanted_bytes: u64::from(len),
        available_bytes: 0,
        place: "the heap".to_owned(),
    })?;
    let region = Region::new(id, len, PageKind::Plain, None, Backing::Heap(heap));
    let region = Arc::new(region);
    table.add(std::slice::from_ref(&region));
    Ok(region)
}

/// Regions of 1 GiB and the rest.
fn region_sizes(bytes: u64) -> Result<Vec<u32>, NumaError> {
    if bytes == 0 {
        return Err(NumaError::NoBytes);
    }
    let granule = if bytes < HUGE_2M_BYTES {
        PAGE_BYTES
    } else {
        HUGE_2M_BYTES
    };
    let too_many = NumaError::TooManyRegions {
        max: usize::from(u16::MAX),
    };
    let bytes = bytes.checked_next_multiple_of(granule).ok_or(too_many)?;
    let whole = (bytes / HUGE_1G_BYTES) as usize;
    let rest = (bytes % HUGE_1G_BYTES) as u32;
    let mut sizes = vec![HUGE_1G_BYTES as u32; whole];
    sizes.extend((rest > 0).then_some(rest));
    Ok(sizes)
}

/// The node to bind to: the wanted one, where there are several to choose from.
fn node_to_bind(sysfs: &Sysfs, node: Option<u32>) -> Result<Option<u32>, NumaError> {
    let Some(node) = node else { return Ok(None) };
    let Some(nodes) = sysfs.memory_nodes() else {
        return Ok(None);
    };
    if !nodes.contains(&node) {
        return Err(NumaError::NoSuchNode { node });
    }
    Ok((nodes.len() > 1).then_some(node))
}
