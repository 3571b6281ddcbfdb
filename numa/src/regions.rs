//! The process's table of regions.
//!
//! Built once at start, zone by zone, and frozen: what a [`Span`] means never
//! changes. Control memory is kept beside the table, not in it, so that no span of it
//! can be found, registered or sent.

use std::ptr::NonNull;
use std::sync::Arc;

use crate::error::NumaError;
use crate::region::Region;
use crate::span::{RegionId, Span};

/// Most regions of either kind: as many buffers as io_uring registers.
pub(crate) const REGIONS_MAX: usize = 1 << 14;

/// The table while arenas and control memory are being made.
#[derive(Debug, Default)]
pub struct RegionsBuilder {
    data: Vec<Arc<Region>>,
    control: Vec<Arc<Region>>,
}

impl RegionsBuilder {
    /// An empty table.
    #[must_use]
    pub fn new() -> RegionsBuilder {
        RegionsBuilder::default()
    }

    /// Freezes the table.
    #[must_use]
    pub fn build(self) -> Regions {
        Regions {
            tables: Arc::new(self),
        }
    }

    /// The id of the first of `count` regions that are about to be added.
    pub(crate) fn next_id(&self, control: bool, count: usize) -> Result<RegionId, NumaError> {
        let (list, first) = if control {
            (&self.control, RegionId::CONTROL_FIRST)
        } else {
            (&self.data, RegionId(0))
        };
        if count > REGIONS_MAX - list.len() {
            return Err(NumaError::TooManyRegions { max: REGIONS_MAX });
        }
        // At most REGIONS_MAX, which fits.
        Ok(RegionId(first.0 + list.len() as u16))
    }

    pub(crate) fn add(&mut self, regions: &[Arc<Region>]) {
        for region in regions {
            let list = if region.id().is_control() {
                &mut self.control
            } else {
                &mut self.data
            };
            assert_eq!(
                region.id().index(),
                list.len(),
                "ids are dense and in order"
            );
            list.push(Arc::clone(region));
        }
    }
}

/// Where a [`Span`]'s bytes are. Cheap to clone; the regions live as long as a clone.
#[derive(Clone, Debug)]
pub struct Regions {
    tables: Arc<RegionsBuilder>,
}

impl Regions {
    /// The arena regions in id order, as they are to be registered as fixed buffers:
    /// the index in this list is the region's id.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Arc<Region>> {
        self.tables.data.iter()
    }

    /// How many arena regions there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.tables.data.len()
    }

    /// Whether there is no arena region.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.tables.data.is_empty()
    }

    /// The arena region with this id.
    #[must_use]
    pub fn get(&self, id: RegionId) -> Option<&Arc<Region>> {
        self.tables.data.get(usize::from(id.0))
    }

    /// The address of a span's first byte; `None` when the span does not lie in a region
    /// of the table (control memory never does).
    ///
    /// The address is valid for `span.len` bytes as long as this table, or the region, is
    /// held. Whether the bytes may be read is for the holder of the lease to say.
    #[must_use]
    pub fn pointer(&self, span: Span) -> Option<NonNull<u8>> {
        self.get(span.region)?.pointer(span)
    }

    /// The control regions in id order, for handing to other processes.
    pub fn control(&self) -> impl ExactSizeIterator<Item = &Arc<Region>> {
        self.tables.control.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Arena, ControlMemory, ZoneId};

    /// The table finds a span's bytes, and nothing outside a region, in no region, or in
    /// control memory.
    #[test]
    fn only_spans_inside_are_found() {
        let mut builder = RegionsBuilder::new();
        let arena = Arena::heap(ZoneId(0), 8192, &mut builder).unwrap();
        let control = ControlMemory::heap(ZoneId(0), 4096, &mut builder).unwrap();
        let regions = builder.build();
        let block = arena.allocate(4096).unwrap();
        let span = block.span();
        assert_eq!(regions.pointer(span).unwrap().as_ptr(), block.as_ptr());
        let last = span.slice(4095, 1).unwrap();
        let last = regions.pointer(last).unwrap().as_ptr();
        assert_eq!(last.addr(), block.as_ptr().addr() + 4095);

        let beyond = Span {
            offset: 4097,
            len: 4096,
            ..span
        };
        assert!(regions.pointer(beyond).is_none());
        let wrapping = Span {
            offset: u32::MAX,
            len: u32::MAX,
            ..span
        };
        assert!(regions.pointer(wrapping).is_none());
        let elsewhere = Span {
            region: RegionId(1),
            ..span
        };
        assert!(regions.pointer(elsewhere).is_none());

        let words = control.allocate(10).unwrap();
        assert!(words.span().region.is_control());
        assert!(regions.pointer(words.span()).is_none());
        assert_eq!(regions.control().len(), 1);
    }

    /// Ids are the indices of the list in which regions are registered, over several
    /// arenas; a region lives as long as the table does.
    #[test]
    fn ids_are_indices_and_regions_live_with_the_table() {
        let mut builder = RegionsBuilder::new();
        for zone in 0..3 {
            let arena = Arena::heap(ZoneId(zone), 4096, &mut builder).unwrap();
            assert_eq!(arena.regions()[0].id(), RegionId(zone));
        }
        let regions = builder.build();
        assert_eq!(regions.len(), 3);
        for (index, region) in regions.iter().enumerate() {
            assert_eq!(region.id().index(), index);
            assert!(regions.pointer(region.whole()).is_some());
        }
    }
}
