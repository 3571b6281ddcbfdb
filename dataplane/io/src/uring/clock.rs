//! The driver's time and its pseudo-random numbers.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::time::Instant;

use crate::driver::Time;

/// A monotonic clock whose reading is kept until the next one.
pub(super) struct Clock {
    epoch: Instant,
    now: Time,
}

impl Clock {
    pub(super) fn new(epoch: Instant) -> Clock {
        let mut clock = Clock {
            epoch,
            now: Time(0),
        };
        clock.read();
        clock
    }

    /// The last reading.
    pub(super) fn now(&self) -> Time {
        self.now
    }

    /// This very moment, which no turn knows.
    pub(super) fn moment(&self) -> Time {
        let since = self.epoch.elapsed().as_nanos();
        Time(u64::try_from(since).unwrap_or(u64::MAX))
    }

    pub(super) fn read(&mut self) -> Time {
        self.now = self.moment();
        self.now
    }
}

/// SplitMix64 (Steele, Lea and Flood, 2014): fast, and good enough for jitter; not for secrets.
pub(super) struct SplitMix {
    state: u64,
}

impl SplitMix {
    /// Seeded by the random keys that the standard library draws for its hash tables.
    pub(super) fn seeded() -> SplitMix {
        let state = RandomState::new().build_hasher().finish();
        SplitMix { state }
    }

    pub(super) fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Shows that the generator is SplitMix64: the first values from seed 1234567, which the
    /// reference implementation (Vigna, splitmix64.c) prints.
    #[test]
    fn the_generator_is_split_mix() {
        let mut random = SplitMix { state: 1_234_567 };
        assert_eq!(random.next(), 6_457_827_717_110_365_317);
        assert_eq!(random.next(), 3_203_168_211_198_807_973);
    }
}
