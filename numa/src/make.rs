//! Making the regions of an arena or of control memory: how many, how large, where.

use std::sync::Arc;

use crate::error::NumaError;
use crate::heap::Heap;
use crate::ladder::{self, StepDown, Wanted};
use crate::page::{HUGE_1G_BYTES, HUGE_2M_BYTES, PAGE_BYTES, PageKind};
use crate::region::{Backing, Region};
use crate::regions::{REGIONS_MAX, RegionsBuilder};
use crate::span::RegionId;
use crate::sysfs::Sysfs;

/// The largest region: io_uring registers no larger buffer.
pub(crate) const REGION_BYTES_MAX: u32 = HUGE_1G_BYTES as u32;

/// Memory to be made in as many regions as it takes.
pub(crate) struct Plan<'a> {
    /// What the memfds are called in /proc.
    pub(crate) name: &'a str,
    /// The node that the memory should lie on.
    pub(crate) node: Option<u32>,
    /// Bytes in all.
    pub(crate) bytes: u64,
    /// The best pages to try.
    pub(crate) best: PageKind,
    /// Number the regions as control memory.
    pub(crate) control: bool,
    /// A multiple of 2 MiB, at most [`REGION_BYTES_MAX`].
    pub(crate) region_bytes_max: u32,
}

impl Plan<'_> {
    /// Makes the regions and adds them to the table, or neither.
    pub(crate) fn make(
        &self,
        sysfs: &Sysfs,
        table: &mut RegionsBuilder,
        steps: &mut Vec<StepDown>,
    ) -> Result<Vec<Arc<Region>>, NumaError> {
        let sizes = region_sizes(self.bytes, self.region_bytes_max)?;
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

/// Regions of the largest size and the rest.
fn region_sizes(bytes: u64, max: u32) -> Result<Vec<u32>, NumaError> {
    if bytes == 0 {
        return Err(NumaError::NoBytes);
    }
    let granule = if bytes < HUGE_2M_BYTES {
        PAGE_BYTES
    } else {
        HUGE_2M_BYTES
    };
    let whole = bytes.div_ceil(granule).saturating_mul(granule) / u64::from(max);
    if whole >= REGIONS_MAX as u64 {
        return Err(NumaError::TooManyRegions { max: REGIONS_MAX });
    }
    // Less than `max`, now that the whole regions are known to be few.
    let rest = (bytes.next_multiple_of(granule) % u64::from(max)) as u32;
    let mut sizes = vec![max; whole as usize];
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

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u32 = 1 << 20;

    /// Memory comes in regions of 1 GiB and a rest, rounded to 2 MiB (tiny ones to 4 KiB).
    #[test]
    fn sizes_are_regions_of_a_gib_and_a_rest() {
        let sizes = |bytes| region_sizes(bytes, REGION_BYTES_MAX).unwrap();
        assert_eq!(sizes(1), [4096]);
        assert_eq!(sizes((2 << 20) + 1), [4 * MIB]);
        assert_eq!(sizes(1 << 30), [1024 * MIB]);
        assert_eq!(sizes((5 << 29) - 1), [1024 * MIB, 1024 * MIB, 512 * MIB]);
        let absurd = |bytes| region_sizes(bytes, REGION_BYTES_MAX).unwrap_err();
        assert!(matches!(absurd(0), NumaError::NoBytes));
        assert!(matches!(absurd(u64::MAX), NumaError::TooManyRegions { .. }));
    }

    fn plan(best: PageKind, node: Option<u32>) -> Plan<'static> {
        Plan {
            name: "zonecast-test",
            node,
            bytes: u64::from(8 * MIB),
            best,
            control: false,
            region_bytes_max: 4 * MIB,
        }
    }

    /// What one region did not get, the regions after it do not try again: each rung is
    /// stepped down from at most once, and no region is better than the one before.
    #[test]
    fn a_step_down_holds_for_the_regions_after_it() {
        let mut table = RegionsBuilder::new();
        let mut steps = Vec::new();
        let plan = plan(PageKind::Huge2M, None);
        let made = plan.make(&Sysfs::host(), &mut table, &mut steps).unwrap();
        let ids: Vec<_> = made.iter().map(|region| region.id()).collect();
        assert_eq!(ids, [RegionId(0), RegionId(1)]);
        assert!(made[1].page() <= made[0].page());
        let mut from: Vec<_> = steps.iter().map(|step| step.from).collect();
        from.dedup();
        assert_eq!(from.len(), steps.len(), "{steps:?}");
        assert_eq!(table.build().len(), 2);
    }

    /// On a machine with one node there is nothing to bind to; of several, the wanted one
    /// is taken; one that is not there, or not allowed, is an error that adds nothing.
    #[test]
    fn a_node_is_bound_where_there_is_a_choice() {
        let folder = tempfile::tempdir().unwrap();
        let sysfs = Sysfs::below(folder.path());
        assert_eq!(node_to_bind(&sysfs, Some(3)).unwrap(), None, "no NUMA");
        let nodes = folder.path().join("sys/devices/system/node");
        std::fs::create_dir_all(&nodes).unwrap();
        std::fs::write(nodes.join("has_memory"), "0\n").unwrap();
        assert_eq!(node_to_bind(&sysfs, Some(0)).unwrap(), None);
        std::fs::write(nodes.join("has_memory"), "0-1\n").unwrap();
        assert_eq!(node_to_bind(&sysfs, Some(1)).unwrap(), Some(1));
        assert_eq!(node_to_bind(&sysfs, None).unwrap(), None);

        let mut table = RegionsBuilder::new();
        let plan = plan(PageKind::Plain, Some(2));
        let error = plan.make(&sysfs, &mut table, &mut Vec::new()).unwrap_err();
        assert!(matches!(error, NumaError::NoSuchNode { node: 2 }));
        assert!(table.build().is_empty());
    }
}
