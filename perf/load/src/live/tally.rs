//! What came of live viewers in some span of time.

use std::time::Duration;

use hdrhistogram::Histogram;
use serde::Serialize;

use crate::Counts;

/// Descriptions of faults that are kept, for each kind.
const EXAMPLES_MAX: usize = 3;

/// What can go wrong for a viewer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// A segment was not there when it should have played; for each segment's duration of the
    /// wait once.
    Late,
    /// A segment was listed, or due, and is gone: 404, 410, or the playlist has moved past it.
    Expired,
    /// Other bytes, another length, another order, another status, a playlist that is none or
    /// older than the one before.
    Wrong,
    /// A connection that could not be made or ended in mid-response.
    Broken,
}

impl Fault {
    /// All of them, in the order of [`Tally::faults`].
    pub const ALL: [Fault; 4] = [Fault::Late, Fault::Expired, Fault::Wrong, Fault::Broken];

    /// Its name in reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Fault::Late => "late",
            Fault::Expired => "expired",
            Fault::Wrong => "wrong",
            Fault::Broken => "broken",
        }
    }
}

/// Who a viewer is, for the count of faults.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Group {
    /// Stays.
    Watcher,
    /// Leaves after some segments.
    Crowd,
    /// Reads slower than it plays, so faults are due.
    Slow,
}

/// What came, in numbers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Amounts {
    /// Viewers that came.
    pub came: u64,
    /// Viewers that left as they were to.
    pub left: u64,
    /// Handshakes.
    pub handshakes: u64,
    /// Of these, resumed.
    pub resumed: u64,
    /// Segments that came whole.
    pub segments: u64,
    /// Of these, opened as a whole and compared or hashed.
    pub verified: u64,
    /// Playlists.
    pub playlists: u64,
    /// Bytes of segments.
    pub body_bytes: u64,
    /// Bytes that sockets gave out.
    pub wire_bytes: u64,
}

/// Sums since the last time that they were taken.
#[derive(Debug, Clone)]
pub struct Tally {
    /// Faults of viewers that stay, by kind.
    pub faults: [u64; 4],
    /// Of viewers that leave after some segments.
    pub crowd_faults: [u64; 4],
    /// Of slow readers.
    pub slow_faults: [u64; 4],
    /// A few of them, in words.
    pub examples: Vec<(Fault, String)>,
    /// What came, in numbers.
    pub amounts: Amounts,
    /// From connect to the end of the handshake, in microseconds as all of these.
    pub handshake: Histogram<u64>,
    /// From when a viewer was to come to its first segment's last byte.
    pub join: Histogram<u64>,
    /// From a request for a segment to the first byte of the response.
    pub first_byte: Histogram<u64>,
    /// To its last byte.
    pub last_byte: Histogram<u64>,
    /// From a request for a playlist to its last byte.
    pub playlist: Histogram<u64>,
    /// How long viewers had to wait for segments that were late and came.
    pub stall: Histogram<u64>,
    /// From the producer's first byte of a segment to a viewer's first, where the viewer had it
    /// before the producer's last.
    pub live_first: Histogram<u64>,
    /// From the producer's last byte of a segment to a viewer's last.
    pub live_last: Histogram<u64>,
}

impl Default for Tally {
    fn default() -> Tally {
        let histogram = || Counts::default().first_byte;
        Tally {
            faults: [0; 4],
            crowd_faults: [0; 4],
            slow_faults: [0; 4],
            examples: Vec::new(),
            amounts: Amounts::default(),
            handshake: histogram(),
            join: histogram(),
            first_byte: histogram(),
            last_byte: histogram(),
            playlist: histogram(),
            stall: histogram(),
            live_first: histogram(),
            live_last: histogram(),
        }
    }
}

impl Tally {
    /// Faults of viewers that should have none.
    #[must_use]
    pub fn errors(&self) -> u64 {
        self.faults.iter().chain(&self.crowd_faults).sum()
    }

    /// Adds what came elsewhere, or later.
    pub fn add(&mut self, other: &Tally) {
        for (own, other) in [
            (&mut self.faults, &other.faults),
            (&mut self.crowd_faults, &other.crowd_faults),
            (&mut self.slow_faults, &other.slow_faults),
        ] {
            own.iter_mut().zip(other).for_each(|(own, n)| *own += n);
        }
        let (own, more) = (&mut self.amounts, &other.amounts);
        for (own, other) in [
            (&mut own.came, more.came),
            (&mut own.left, more.left),
            (&mut own.handshakes, more.handshakes),
            (&mut own.resumed, more.resumed),
            (&mut own.segments, more.segments),
            (&mut own.verified, more.verified),
            (&mut own.playlists, more.playlists),
            (&mut own.wire_bytes, more.wire_bytes),
            (&mut own.body_bytes, more.body_bytes),
        ] {
            *own += other;
        }
        for (own, other) in [
            (&mut self.handshake, &other.handshake),
            (&mut self.join, &other.join),
            (&mut self.first_byte, &other.first_byte),
            (&mut self.last_byte, &other.last_byte),
            (&mut self.playlist, &other.playlist),
            (&mut self.stall, &other.stall),
            (&mut self.live_first, &other.live_first),
            (&mut self.live_last, &other.live_last),
        ] {
            own.add(other)
                .expect("all histograms are made alike, in Counts");
        }
        for (fault, what) in &other.examples {
            self.keep(*fault, || what.clone());
        }
    }

    pub(crate) fn fault(&mut self, group: Group, fault: Fault, what: impl FnOnce() -> String) {
        let faults = match group {
            Group::Watcher => &mut self.faults,
            Group::Crowd => &mut self.crowd_faults,
            Group::Slow => &mut self.slow_faults,
        };
        faults[fault as usize] += 1;
        if group != Group::Slow {
            self.keep(fault, what);
        }
    }

    fn keep(&mut self, fault: Fault, what: impl FnOnce() -> String) {
        let kept = self.examples.iter().filter(|(kind, _)| *kind == fault);
        if kept.count() < EXAMPLES_MAX {
            self.examples.push((fault, what()));
        }
    }

    pub(crate) fn note(histogram: &mut Histogram<u64>, took: Duration) {
        Counts::note(histogram, took);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sums add up, and slow readers' faults are no errors.
    #[test]
    fn sums_add_up() {
        let (mut one, mut other) = (Tally::default(), Tally::default());
        one.fault(Group::Watcher, Fault::Late, || "a".to_owned());
        one.fault(Group::Slow, Fault::Late, || "b".to_owned());
        other.fault(Group::Crowd, Fault::Wrong, || "c".to_owned());
        other.amounts.segments = 3;
        Tally::note(&mut other.join, Duration::from_millis(5));
        one.add(&other);
        assert_eq!(
            (one.errors(), one.amounts.segments, one.join.len()),
            (2, 3, 1)
        );
        assert_eq!(one.slow_faults, [1, 0, 0, 0]);
        let words: Vec<_> = one.examples.iter().map(|(_, text)| text.as_str()).collect();
        assert_eq!(words, ["a", "c"]);
    }
}
