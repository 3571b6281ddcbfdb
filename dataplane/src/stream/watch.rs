//! How a loop learns that a stream it waits for has changed.
//!
//! One cell a loop. The reader raises WATCHING and *then* looks at what it waits for; the
//! writer changes that and *then* looks at the cells (both with a SeqCst fence between),
//! so one of the two always sees the other. A notice is a hint that coalesces: NOTICED
//! stays up until the loop has taken it, so a loop's notice queue holds a stream at most
//! once, and losing none of them needs no more room than there are streams.

use std::sync::atomic::{AtomicU8, Ordering, fence};

use zonecast_numa::LoopId;

const WATCHING: u8 = 1;
const NOTICED: u8 = 2;

#[derive(Debug)]
#[repr(align(64))]
struct Cell(AtomicU8);

/// The watch cells of one stream.
#[derive(Debug)]
pub(crate) struct Watch(Box<[Cell]>);

impl Watch {
    pub(crate) fn new(loops: usize) -> Self {
        Self((0..loops).map(|_| Cell(AtomicU8::new(0))).collect())
    }

    /// From now on this loop is noticed; look at the condition after this call.
    pub(crate) fn start(&self, reader: LoopId) {
        self.cell(reader).fetch_or(WATCHING, Ordering::SeqCst);
        fence(Ordering::SeqCst);
    }

    /// This loop waits for nothing of the stream any more.
    pub(crate) fn stop(&self, reader: LoopId) {
        self.cell(reader).fetch_and(!WATCHING, Ordering::SeqCst);
    }

    /// Takes a notice; look at the condition after this call.
    pub(crate) fn take(&self, reader: LoopId) {
        self.cell(reader).fetch_and(!NOTICED, Ordering::SeqCst);
        fence(Ordering::SeqCst);
    }

    /// The loops to notice of a change that was made before this call.
    pub(crate) fn to_notice(&self) -> impl Iterator<Item = LoopId> + '_ {
        fence(Ordering::SeqCst);
        let wants = |cell: &AtomicU8| {
            cell.load(Ordering::SeqCst) & WATCHING != 0
                && cell.fetch_or(NOTICED, Ordering::SeqCst) & NOTICED == 0
        };
        self.0
            .iter()
            .enumerate()
            .filter(move |(_, c)| wants(&c.0))
            .map(|(n, _)| LoopId(n as u16))
    }

    fn cell(&self, reader: LoopId) -> &AtomicU8 {
        &self.0[usize::from(reader.0)].0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Only watching loops are noticed, and each once until it has taken the notice.
    #[test]
    fn notices_coalesce() {
        let watch = Watch::new(3);
        watch.start(LoopId(1));
        assert_eq!(watch.to_notice().collect::<Vec<_>>(), [LoopId(1)]);
        assert_eq!(watch.to_notice().count(), 0);
        watch.take(LoopId(1));
        assert_eq!(watch.to_notice().collect::<Vec<_>>(), [LoopId(1)]);
        watch.take(LoopId(1));
        watch.stop(LoopId(1));
        assert_eq!(watch.to_notice().count(), 0);
    }
}
