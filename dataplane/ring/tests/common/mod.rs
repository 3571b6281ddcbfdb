//! What the tests share: rings on the heap, and payloads that name their chunk.

use zonecast_numa::{Arena, ControlMemory, RegionsBuilder, ZoneId};
use zonecast_ring::{Ring, RingConfig};

/// A ring on the heap of at least this many bytes (rounded up to 4 KiB).
pub fn ring(bytes: u32, config: RingConfig) -> Ring {
    let mut regions = RegionsBuilder::new();
    let zone = ZoneId(0);
    let control_bytes = Ring::control_bytes(config).expect("a valid configuration");
    let data = Arena::heap(zone, bytes, &mut regions).expect("memory");
    let control = ControlMemory::heap(zone, control_bytes, &mut regions).expect("memory");
    let data = data.allocate(bytes).expect("all of it");
    let control = control.allocate(control_bytes).expect("all of it");
    Ring::create(data, control, config).expect("a valid ring")
}

/// Nothing revoked ahead; this many slots, two loops.
pub fn config(slots: u32) -> RingConfig {
    RingConfig {
        slots,
        loops: 2,
        ahead_bytes: 0,
    }
}
