//! Names of bytes: plain data that crosses threads, queues and processes.
//!
//! A [`Span`] is where bytes are, not a right to read them. The ring hands out a
//! span under a lease, and the driver that sends it keeps the lease until the
//! kernel is done; the span itself says nothing about either.

use std::fmt;

/// The number of a region in the process's table.
///
/// Arena regions count from 0, in the order in which they are registered as fixed
/// buffers. Control memory has numbers of its own, from [`RegionId::CONTROL_FIRST`],
/// which are in no table that can be sent from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RegionId(pub u16);

impl RegionId {
    /// The first number of a control region.
    pub const CONTROL_FIRST: RegionId = RegionId(0x8000);

    /// Whether the region holds control words rather than a zone's data.
    #[must_use]
    pub fn is_control(self) -> bool {
        self >= Self::CONTROL_FIRST
    }

    /// The id as an index into the list of its kind (arena regions or control regions).
    #[must_use]
    pub fn index(self) -> usize {
        usize::from(self.0 % Self::CONTROL_FIRST.0)
    }
}

impl fmt::Display for RegionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Bytes in a region of the process's table: plain data, which says nothing about
/// who may read them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Span {
    /// The region that the bytes are in.
    pub region: RegionId,
    /// Where they begin, in bytes from the region's start.
    pub offset: u32,
    /// How many they are.
    pub len: u32,
}

impl Span {
    /// The part of this span that begins `from` bytes in and is `len` bytes long;
    /// `None` when it does not lie inside.
    #[must_use]
    pub fn slice(self, from: u32, len: u32) -> Option<Span> {
        let end = from.checked_add(len)?;
        if end > self.len {
            return None;
        }
        Some(Span {
            region: self.region,
            offset: self.offset.checked_add(from)?,
            len,
        })
    }

    /// The first `len` bytes, and the rest; `None` when the span is shorter.
    #[must_use]
    pub fn split_at(self, len: u32) -> Option<(Span, Span)> {
        let head = self.slice(0, len)?;
        let tail = self.slice(len, self.len - len)?;
        Some((head, tail))
    }

    /// Whether there are no bytes in it.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.len == 0
    }

    /// One past the last byte, in bytes from the region's start.
    #[must_use]
    pub fn end(self) -> u64 {
        u64::from(self.offset) + u64::from(self.len)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(offset: u32, len: u32) -> Span {
        Span {
            region: RegionId(3),
            offset,
            len,
        }
    }

    /// A slice lies inside its span, up to the last byte, and never beyond it.
    #[test]
    fn slices_stay_inside() {
        let whole = span(100, 10);
        assert_eq!(whole.slice(0, 10), Some(whole));
        assert_eq!(whole.slice(4, 6), Some(span(104, 6)));
        assert_eq!(whole.slice(10, 0), Some(span(110, 0)));
        assert_eq!(whole.slice(4, 7), None);
        assert_eq!(whole.slice(11, 0), None);
        assert_eq!(whole.slice(u32::MAX, 2), None, "the sum does not wrap");
    }

    /// An absurd span (an offset at the end of u32) gives no slice beyond u32.
    #[test]
    fn offsets_do_not_wrap() {
        assert_eq!(span(u32::MAX, 10).slice(1, 1), None);
        assert_eq!(span(u32::MAX, 10).end(), u64::from(u32::MAX) + 10);
    }

    /// Splitting gives two neighbours that make up the whole.
    #[test]
    fn a_split_makes_neighbours() {
        assert_eq!(span(8, 5).split_at(2), Some((span(8, 2), span(10, 3))));
        assert_eq!(span(8, 5).split_at(6), None);
    }

    /// Control regions have numbers and indices of their own.
    #[test]
    fn control_regions_are_told_apart() {
        assert!(!RegionId(0x7fff).is_control());
        assert!(RegionId(0x8002).is_control());
        assert_eq!(RegionId(0x8002).index(), 2);
        assert_eq!(RegionId(5).index(), 5);
    }
}
