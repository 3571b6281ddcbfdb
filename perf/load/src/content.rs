//! The objects that are served: made from a seed, so that servers and generator agree on them
//! without sending them to each other.
//!
//! An object begins with its number (eight bytes, little-endian); what follows looks random and
//! is different in each, so that bytes of another object, or of the same one elsewhere, are
//! never right.

/// Bytes of the number that an object begins with.
pub const NUMBER_BYTES: usize = 8;

/// A set of objects of one size.
#[derive(Debug, Clone)]
pub struct Objects {
    size: usize,
    bytes: Vec<u8>,
    streams: usize,
}

impl Objects {
    /// `count` objects of `size` bytes each (at least eight).
    #[must_use]
    pub fn make(seed: u64, count: usize, size: usize) -> Objects {
        let size = size.max(NUMBER_BYTES);
        let mut bytes = Vec::with_capacity(count * size);
        for number in 0..count as u64 {
            let end = bytes.len() + size;
            bytes.extend_from_slice(&number.to_le_bytes());
            let mut state = seed ^ (number + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
            while bytes.len() < end {
                let word = next(&mut state).to_le_bytes();
                let room = (end - bytes.len()).min(word.len());
                bytes.extend_from_slice(&word[..room]);
            }
        }
        Objects {
            size,
            bytes,
            streams: 1,
        }
    }

    /// The same objects, by turns in so many streams: their names then begin with a folder each.
    #[must_use]
    pub fn over_streams(mut self, streams: usize) -> Objects {
        self.streams = streams.max(1);
        self
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.bytes.len() / self.size
    }

    /// Bytes of each.
    #[must_use]
    pub fn size(&self) -> usize {
        self.size
    }

    /// One of them; the numbers go round.
    #[must_use]
    pub fn get(&self, number: usize) -> &[u8] {
        let start = number % self.count() * self.size;
        &self.bytes[start..start + self.size]
    }

    /// The file name of one of them: a segment that stands on its own, for whom it may concern.
    #[must_use]
    pub fn name(&self, number: usize) -> String {
        let number = number % self.count();
        match self.streams {
            1 => format!("o{number:04}.ts"),
            streams => format!("{}/o{number:04}.ts", Objects::stream(number % streams)),
        }
    }

    /// The folder of one of several streams.
    #[must_use]
    pub fn stream(number: usize) -> String {
        format!("s{number:05}")
    }

    /// Which object bytes claim to be, by their beginning.
    #[must_use]
    pub fn claimed(&self, beginning: [u8; NUMBER_BYTES]) -> Option<usize> {
        let number = usize::try_from(u64::from_le_bytes(beginning)).ok()?;
        (number < self.count()).then_some(number)
    }
}

/// SplitMix64 (Steele, Lea, Flood 2014).
pub(crate) fn next(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mut word = *state;
    word = (word ^ (word >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    word = (word ^ (word >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    word ^ (word >> 31)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// The same seed gives the same objects, each of its size and with its own bytes and number.
    #[test]
    fn objects_are_made_from_a_seed() {
        let objects = Objects::make(7, 3, 1001);
        assert_eq!((objects.count(), objects.size()), (3, 1001));
        let again = Objects::make(7, 3, 1001);
        for number in 0..3 {
            assert_eq!(objects.get(number), again.get(number));
            let beginning = *objects.get(number).first_chunk().unwrap();
            assert_eq!(objects.claimed(beginning), Some(number));
        }
        assert_ne!(objects.get(0)[8..], objects.get(1)[8..]);
        assert_ne!(objects.get(0), Objects::make(8, 3, 1001).get(0));
        assert_eq!(objects.claimed([3, 0, 0, 0, 0, 0, 0, 0]), None);
    }

    /// Objects of one stream have plain names; those of several go round the streams' folders.
    #[test]
    fn names_say_the_stream() {
        let objects = Objects::make(7, 3, 100);
        assert_eq!(objects.name(4), "o0001.ts");
        let objects = objects.over_streams(2);
        let names: Vec<_> = (0..3).map(|number| objects.name(number)).collect();
        assert_eq!(
            names,
            ["s00000/o0000.ts", "s00001/o0001.ts", "s00000/o0002.ts"]
        );
    }
}
