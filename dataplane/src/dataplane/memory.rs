//! The zones' memory, and one line each on what it is made of.

use zonecast_numa::zones::Zone;
use zonecast_numa::{Arena, ControlMemory, NumaError, Regions, RegionsBuilder};

use crate::config::MemoryConfig;

/// Memory for rings' control words, as a part of the arena's.
const CONTROL_SHARE: u64 = 64;
/// And this much at least.
const CONTROL_BYTES_MIN: u64 = 8 << 20;

/// All memory of a data plane.
pub(super) struct Memory {
    pub(super) arenas: Vec<Arena>,
    pub(super) control: Vec<ControlMemory>,
    pub(super) regions: Regions,
    pub(super) notes: Vec<String>,
}

/// Sets the memory of every zone aside.
pub(super) fn set_aside(zones: &[Zone], config: MemoryConfig) -> Result<Memory, NumaError> {
    let mut regions = RegionsBuilder::new();
    let (mut arenas, mut control, mut notes) = (Vec::new(), Vec::new(), Vec::new());
    for zone in zones {
        let bytes = config.arena_bytes;
        let arena = Arena::create(zone.id, zone.node, bytes, config.pages, &mut regions)?;
        let words = (bytes / CONTROL_SHARE).max(CONTROL_BYTES_MIN);
        control.push(ControlMemory::create(
            zone.id,
            zone.node,
            words,
            &mut regions,
        )?);
        let mut note = format!(
            "zone {}: {} MiB of ring memory in {} pages",
            zone.id,
            arena.bytes_total() >> 20,
            arena.page().label(),
        );
        for step in arena.step_downs() {
            note.push_str(&format!("; {step}"));
        }
        notes.push(note);
        arenas.push(arena);
    }
    Ok(Memory {
        arenas,
        control,
        regions: regions.build(),
        notes,
    })
}
