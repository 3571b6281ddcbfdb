//! The control words of a ring under the model checker.
//!
//! Loom's atomics are larger than the machine's and cannot lie in a block; here they are
//! plain vectors with the same names as in `control.rs`, so that everything above is the
//! very code that runs in production.

use zonecast_numa::Block;

use crate::error::RingError;
use crate::layout::ControlLayout;
use crate::sync::{AtomicU32, AtomicU64};

pub(crate) struct ControlHeader {
    pub(crate) closed: AtomicU32,
}

pub(crate) struct Slot {
    pub(crate) state: AtomicU64,
    pub(crate) progress: AtomicU64,
    pub(crate) extent: AtomicU64,
}

struct Row {
    claim: AtomicU32,
    counts: Vec<AtomicU32>,
}

pub(crate) struct Control {
    header: ControlHeader,
    slots: Vec<Slot>,
    rows: Vec<Row>,
    layout: ControlLayout,
    _block: Block,
}

impl Control {
    pub(crate) fn new(
        block: Block,
        layout: ControlLayout,
        _data_bytes: u32,
        _generation: u64,
    ) -> Result<Control, RingError> {
        let row = || Row {
            claim: AtomicU32::new(0),
            counts: (0..layout.slots).map(|_| AtomicU32::new(0)).collect(),
        };
        let slot = || Slot {
            state: AtomicU64::new(0),
            progress: AtomicU64::new(0),
            extent: AtomicU64::new(0),
        };
        Ok(Control {
            header: ControlHeader {
                closed: AtomicU32::new(0),
            },
            slots: (0..layout.slots).map(|_| slot()).collect(),
            rows: (0..layout.loops).map(|_| row()).collect(),
            layout,
            _block: block,
        })
    }

    pub(crate) fn layout(&self) -> ControlLayout {
        self.layout
    }

    pub(crate) fn header(&self) -> &ControlHeader {
        &self.header
    }

    pub(crate) fn slot(&self, slot: u32) -> &Slot {
        &self.slots[slot as usize]
    }

    pub(crate) fn claim(&self, index: u16) -> &AtomicU32 {
        &self.rows[usize::from(index)].claim
    }

    pub(crate) fn count(&self, index: u16, slot: u32) -> &AtomicU32 {
        &self.rows[usize::from(index)].counts[slot as usize]
    }
}
