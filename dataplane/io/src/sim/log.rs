//! What happened, as a hash of everything and the last few events in words.
//!
//! Two runs of one seed have the same hash. Lengths are in it and contents are not, since what a
//! pipeline seals may differ from run to run while its behaviour does not.

use std::collections::VecDeque;
use std::fmt::Write;

use crate::driver::Time;

/// Events that are kept in words.
const KEPT: usize = 64;

struct Entry {
    time: Time,
    what: &'static str,
    at: usize,
    subject: u64,
    value: i64,
    /// A remark, instead of all that.
    remark: Option<Box<str>>,
}

/// See the module's description.
pub(super) struct Log {
    hash: u64,
    len: u64,
    last: VecDeque<Entry>,
    kept: usize,
}

impl Log {
    pub(super) fn new() -> Log {
        Log {
            hash: 0xCBF2_9CE4_8422_2325,
            len: 0,
            last: VecDeque::with_capacity(KEPT),
            kept: KEPT,
        }
    }

    /// Books an event: in which loop, about which connection or operation, with which number.
    pub(super) fn record(
        &mut self,
        time: Time,
        what: &'static str,
        at: usize,
        subject: u64,
        value: i64,
    ) {
        self.mix(&time.0.to_le_bytes());
        self.mix(what.as_bytes());
        self.mix(&(at as u64).to_le_bytes());
        self.mix(&subject.to_le_bytes());
        self.mix(&value.to_le_bytes());
        self.len += 1;
        self.push(Entry {
            time,
            what,
            at,
            subject,
            value,
            remark: None,
        });
    }

    /// Puts a sentence of the test's own among the events; it is not in the hash.
    pub(super) fn remark(&mut self, time: Time, text: &str) {
        self.push(Entry {
            time,
            what: "",
            at: 0,
            subject: 0,
            value: 0,
            remark: Some(text.into()),
        });
    }

    /// From now on so many events are kept in words.
    pub(super) fn keep(&mut self, kept: usize) {
        self.kept = kept.max(1);
    }

    fn push(&mut self, entry: Entry) {
        while self.last.len() >= self.kept {
            self.last.pop_front();
        }
        self.last.push_back(entry);
    }

    /// FNV-1a, 64 bits.
    fn mix(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.hash = (self.hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01B3);
        }
    }

    pub(super) fn hash(&self) -> u64 {
        self.hash
    }

    pub(super) fn len(&self) -> u64 {
        self.len
    }

    /// The last events, one line each, oldest first.
    pub(super) fn recent(&self) -> String {
        let mut text = String::new();
        for entry in &self.last {
            let microseconds = entry.time.0 / 1000;
            let Entry {
                what,
                at,
                subject,
                value,
                remark,
                ..
            } = entry;
            if let Some(remark) = remark {
                let _ = writeln!(text, "{microseconds:>10} us          {remark}");
                continue;
            }
            // Writing to a string cannot fail.
            let _ = writeln!(
                text,
                "{microseconds:>10} us  loop {at}  {what} #{subject}: {value}"
            );
        }
        text
    }
}
