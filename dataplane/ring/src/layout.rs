//! Where everything lies: sizes and offsets of the data and of the control words.
//!
//! A chunk in the data block, everything in bytes, `^` on a multiple of 64:
//!
//! ```text
//! ^ header 64 | payload (capacity) … | to 8 | trailer 32 | to 64 ^
//! ```
//!
//! The control block:
//!
//! ```text
//! header 128 | slot 0 (64) | slot 1 | … | to 128 | row of loop 0 | row of loop 1 | …
//! row: claim 64 | count of slot 0 (4) | count of slot 1 | … | to 128
//! ```
//!
//! A lease row is written by one loop alone and shares no cache line (nor the line that
//! the prefetcher takes with it) with another loop's.

use crate::error::RingError;

/// Bytes of the header before a payload.
pub(crate) const CHUNK_HEADER_BYTES: u32 = 64;
/// Bytes of the trailer behind a payload.
pub(crate) const CHUNK_TRAILER_BYTES: u32 = 32;
/// What a chunk, and with it its payload, is aligned to.
pub(crate) const CHUNK_ALIGN: u32 = 64;
/// What a trailer is aligned to.
const TRAILER_ALIGN: u32 = 8;

/// Most bytes of a ring: one region's, which is one fixed buffer's.
pub(crate) const DATA_BYTES_MAX: u32 = 1 << 30;
/// Least bytes of a ring: an empty chunk.
pub(crate) const DATA_BYTES_MIN: u32 = 128;
/// Most slots of a ring.
pub(crate) const SLOTS_MAX: u32 = 1 << 16;
/// Most loops of a ring.
pub(crate) const LOOPS_MAX: u16 = 1 << 10;

const ROW_ALIGN: u32 = 128;
pub(crate) const CONTROL_HEADER_BYTES: u32 = 128;
pub(crate) const SLOT_BYTES: u32 = 64;
pub(crate) const ROW_CLAIM_BYTES: u32 = 64;

/// How large a ring is and how it behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RingConfig {
    /// Most chunks at one time, open and unquiet ones included.
    pub slots: u32,
    /// Loops that may read, over all zones.
    pub loops: u16,
    /// Bytes before the next chunk that are revoked ahead of need, so that they are quiet
    /// by the time the ring wants them; a quarter of the ring at most.
    pub ahead_bytes: u32,
}

/// Bytes of the ring that a chunk with this much payload takes; `None` when no ring is
/// that large.
pub(crate) fn footprint(payload: u32) -> Option<u32> {
    let end = trailer_offset(payload)?.checked_add(CHUNK_TRAILER_BYTES)?;
    let bytes = end.checked_next_multiple_of(CHUNK_ALIGN)?;
    (bytes <= DATA_BYTES_MAX).then_some(bytes)
}

/// The largest payload that fits into this many bytes.
pub(crate) fn payload_max(data_bytes: u32) -> u32 {
    let whole = data_bytes - data_bytes % CHUNK_ALIGN;
    whole.saturating_sub(CHUNK_HEADER_BYTES + CHUNK_TRAILER_BYTES)
}

/// Where the trailer of a payload of this length begins, from the chunk's start.
pub(crate) fn trailer_offset(payload: u32) -> Option<u32> {
    payload
        .checked_next_multiple_of(TRAILER_ALIGN)?
        .checked_add(CHUNK_HEADER_BYTES)
}

/// Offsets in the control block.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ControlLayout {
    pub(crate) slots: u32,
    pub(crate) loops: u16,
    rows: u32,
    row_bytes: u32,
}

impl ControlLayout {
    pub(crate) fn new(config: RingConfig) -> Result<ControlLayout, RingError> {
        let RingConfig { slots, loops, .. } = config;
        if !(1..=SLOTS_MAX).contains(&slots) {
            let max = SLOTS_MAX;
            return Err(RingError::Slots { slots, max });
        }
        if !(1..=LOOPS_MAX).contains(&loops) {
            let max = LOOPS_MAX;
            return Err(RingError::Loops { loops, max });
        }
        // With the limits above nothing comes near the end of u32.
        let rows = (CONTROL_HEADER_BYTES + slots * SLOT_BYTES).next_multiple_of(ROW_ALIGN);
        let row_bytes = (ROW_CLAIM_BYTES + slots * 4).next_multiple_of(ROW_ALIGN);
        Ok(ControlLayout {
            slots,
            loops,
            rows,
            row_bytes,
        })
    }

    /// All of it.
    pub(crate) fn bytes(&self) -> u32 {
        self.rows + u32::from(self.loops) * self.row_bytes
    }

    /// Bytes from one lease row to the next.
    #[cfg_attr(loom, expect(dead_code, reason = "loom's atomics lie in no block"))]
    pub(crate) fn row_bytes(&self) -> u32 {
        self.row_bytes
    }

    /// Where the lease rows begin.
    #[cfg_attr(loom, expect(dead_code, reason = "loom's atomics lie in no block"))]
    pub(crate) fn rows_offset(&self) -> u32 {
        self.rows
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    /// A chunk costs at most 96 bytes of markers, 7 to align the trailer and 63 to align
    /// the next chunk; a 20 KB audio chunk is in no worse a place than a large one.
    #[test]
    fn the_overhead_is_small() {
        for payload in [0, 1, 7, 8, 31, 32, 33, 64, 20_000, 20_480, 1 << 20] {
            let bytes = footprint(payload).expect("small enough");
            let overhead = bytes - payload;
            assert!(
                (96..96 + 7 + 64).contains(&overhead),
                "{payload}: {overhead}"
            );
            assert_eq!(bytes % CHUNK_ALIGN, 0);
            assert!(payload_max(bytes) >= payload);
            assert_eq!(footprint(payload_max(bytes)), Some(bytes));
        }
        assert_eq!(footprint(u32::MAX), None);
        assert_eq!(footprint(DATA_BYTES_MAX), None);
        assert_eq!(payload_max(10), 0);
    }

    /// Rows begin on cache lines of their own, and the largest control block fits into u32.
    #[test]
    fn rows_are_apart() {
        let config = RingConfig {
            slots: 3,
            loops: 2,
            ahead_bytes: 0,
        };
        let layout = ControlLayout::new(config).expect("valid");
        assert_eq!(layout.rows_offset(), 384);
        assert_eq!(layout.row_bytes(), 128);
        assert_eq!(layout.bytes(), 640);
        let slots = SLOTS_MAX;
        let loops = LOOPS_MAX;
        let largest = ControlLayout::new(RingConfig {
            slots,
            loops,
            ..config
        })
        .expect("valid");
        assert_eq!(u64::from(largest.bytes()), {
            let row = (64 + 4 * u64::from(slots)).next_multiple_of(128);
            128 + 64 * u64::from(slots) + u64::from(loops) * row
        });
    }

    /// Numbers out of range are refused.
    #[test]
    fn absurd_sizes_are_refused() {
        let config = |slots, loops| RingConfig {
            slots,
            loops,
            ahead_bytes: 0,
        };
        assert!(ControlLayout::new(config(0, 1)).is_err());
        assert!(ControlLayout::new(config(SLOTS_MAX + 1, 1)).is_err());
        assert!(ControlLayout::new(config(1, 0)).is_err());
        assert!(ControlLayout::new(config(1, LOOPS_MAX + 1)).is_err());
    }
}
