//! The simulation's random numbers: all of them come from the seed.

use std::time::Duration;

/// SplitMix64 (Steele, Lea and Flood, 2014), with the draws that a simulation needs.
pub(super) struct Random {
    state: u64,
}

impl Random {
    pub(super) fn new(seed: u64) -> Random {
        Random { state: seed }
    }

    pub(super) fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound`, which is not 0. The bias of the remainder does not matter here.
    pub(super) fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    /// A number from 1 to `max`; 1 where `max` is 0.
    pub(super) fn up_to(&mut self, max: usize) -> usize {
        1 + self.below(max.max(1) as u64) as usize
    }

    /// True so many times in a thousand.
    pub(super) fn chance(&mut self, permille: u32) -> bool {
        permille > 0 && self.below(1000) < u64::from(permille)
    }

    /// A length of time from `min` to `max`.
    pub(super) fn duration(&mut self, min: Duration, max: Duration) -> Duration {
        let spread = max.saturating_sub(min).as_nanos() as u64;
        min + Duration::from_nanos(self.below(spread.saturating_add(1).max(1)))
    }

    /// One of `choices`, which is not empty.
    pub(super) fn pick<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len() as u64) as usize]
    }

    /// Puts `items` into an order of the seed's.
    pub(super) fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last as u64 + 1) as usize);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Shows that draws stay in their bounds, and that a seed repeats.
    #[test]
    fn draws_stay_in_bounds_and_repeat() {
        let draw = |seed| {
            let mut random = Random::new(seed);
            let mut order = [0, 1, 2, 3, 4, 5, 6, 7];
            random.shuffle(&mut order);
            let second = Duration::from_secs(1);
            for max in [0, 1, 2, 100] {
                assert!((1..=max.max(1)).contains(&random.up_to(max)));
                assert!((second..=second * 2).contains(&random.duration(second, second * 2)));
            }
            assert!(!random.chance(0) && random.chance(1000));
            assert_eq!(random.duration(second, Duration::ZERO), second);
            (order, random.next())
        };
        assert_eq!(draw(7), draw(7));
        assert_ne!(draw(7), draw(8));
    }
}
