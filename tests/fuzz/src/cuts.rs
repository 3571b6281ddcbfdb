//! Where an input is cut up: at places that the input itself draws.

/// A small generator (xorshift64*), seeded by the input, so that an input is a whole test.
pub(crate) struct Cuts(u64);

impl Cuts {
    /// Seeded with all of `data`.
    pub(crate) fn of(data: &[u8]) -> Self {
        let mix = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        Self(data.iter().fold(0xcbf2_9ce4_8422_2325, mix) | 1)
    }

    /// A number below `end`, which is not 0.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % end
    }

    /// The ends of the pieces that `len` bytes are cut into: rising, the last is `len`.
    pub(crate) fn ends(&mut self, len: usize, cuts: usize) -> Vec<usize> {
        let mut ends: Vec<usize> = (0..cuts).map(|_| self.below(len + 1)).collect();
        ends.push(len);
        ends.sort_unstable();
        ends
    }
}
