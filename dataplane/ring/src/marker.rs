//! The markers around a payload: what tells a whole chunk from a torn one without the
//! control words.
//!
//! Both name the chunk (sequence) and the life of the ring (generation, which no two rings
//! share), so that neither an older chunk's remains nor another ring's pass for a chunk. All
//! numbers are little-endian. In this process nobody needs them to read; they are for
//! [`crate::Ring::verify`] and for whoever finds the memory after us.

use crate::layout::{CHUNK_HEADER_BYTES, CHUNK_TRAILER_BYTES};

const HEADER_MAGIC: u32 = u32::from_le_bytes(*b"ZCCH");
const TRAILER_MAGIC: u32 = u32::from_le_bytes(*b"ZCCT");
const VERSION: u32 = 1;
/// The length in the header of a chunk that is not complete.
const LENGTH_OPEN: u32 = u32::MAX;

/// Which chunk of which ring the markers are around.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Identity {
    pub(crate) sequence: u64,
    pub(crate) generation: u64,
}

/// What lies before a payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) identity: Identity,
    pub(crate) slot: u32,
    pub(crate) capacity: u32,
    /// `None` until the chunk is complete.
    pub(crate) length: Option<u32>,
}

impl Header {
    pub(crate) fn encode(&self) -> [u8; CHUNK_HEADER_BYTES as usize] {
        let mut bytes = [0; CHUNK_HEADER_BYTES as usize];
        put(&mut bytes, 0, &HEADER_MAGIC.to_le_bytes());
        put(&mut bytes, 4, &VERSION.to_le_bytes());
        put(&mut bytes, 8, &self.identity.sequence.to_le_bytes());
        put(&mut bytes, 16, &self.identity.generation.to_le_bytes());
        put(&mut bytes, 24, &self.slot.to_le_bytes());
        put(&mut bytes, 28, &self.capacity.to_le_bytes());
        let length = self.length.unwrap_or(LENGTH_OPEN);
        put(&mut bytes, 32, &length.to_le_bytes());
        bytes
    }

    pub(crate) fn decode(bytes: &[u8]) -> Option<Header> {
        if u32_at(bytes, 0)? != HEADER_MAGIC || u32_at(bytes, 4)? != VERSION {
            return None;
        }
        let length = u32_at(bytes, 32)?;
        Some(Header {
            identity: Identity {
                sequence: u64_at(bytes, 8)?,
                generation: u64_at(bytes, 16)?,
            },
            slot: u32_at(bytes, 24)?,
            capacity: u32_at(bytes, 28)?,
            length: (length != LENGTH_OPEN).then_some(length),
        })
    }
}

/// What lies behind a payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Trailer {
    pub(crate) identity: Identity,
    pub(crate) length: u32,
    /// CRC-32C of the payload.
    pub(crate) checksum: u32,
}

impl Trailer {
    pub(crate) fn encode(&self) -> [u8; CHUNK_TRAILER_BYTES as usize] {
        let mut bytes = [0; CHUNK_TRAILER_BYTES as usize];
        put(&mut bytes, 0, &self.identity.sequence.to_le_bytes());
        put(&mut bytes, 8, &self.identity.generation.to_le_bytes());
        put(&mut bytes, 16, &self.length.to_le_bytes());
        put(&mut bytes, 20, &self.checksum.to_le_bytes());
        put(&mut bytes, 24, &TRAILER_MAGIC.to_le_bytes());
        bytes
    }

    pub(crate) fn decode(bytes: &[u8]) -> Option<Trailer> {
        if u32_at(bytes, 24)? != TRAILER_MAGIC {
            return None;
        }
        Some(Trailer {
            identity: Identity {
                sequence: u64_at(bytes, 0)?,
                generation: u64_at(bytes, 8)?,
            },
            length: u32_at(bytes, 16)?,
            checksum: u32_at(bytes, 20)?,
        })
    }
}

fn put(bytes: &mut [u8], at: usize, field: &[u8]) {
    bytes[at..at + field.len()].copy_from_slice(field);
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    let field = bytes.get(at..)?.first_chunk()?;
    Some(u32::from_le_bytes(*field))
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    let field = bytes.get(at..)?.first_chunk()?;
    Some(u64::from_le_bytes(*field))
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    const IDENTITY: Identity = Identity {
        sequence: 0x0102_0304_0506_0708,
        generation: 0x1112_1314_1516_1718,
    };

    /// Markers come back as they were written; what is not a marker is none.
    #[test]
    fn markers_round_trip() {
        for length in [None, Some(0), Some(77)] {
            let header = Header {
                identity: IDENTITY,
                slot: 5,
                capacity: 1000,
                length,
            };
            let bytes = header.encode();
            assert_eq!(Header::decode(&bytes), Some(header));
            assert_eq!(Header::decode(&bytes[..20]), None);
            assert_eq!(Trailer::decode(&bytes), None);
        }
        let trailer = Trailer {
            identity: IDENTITY,
            length: 77,
            checksum: 0xdead_beef,
        };
        assert_eq!(Trailer::decode(&trailer.encode()), Some(trailer));
        assert_eq!(Header::decode(&[0; 64]), None);
        assert_eq!(Trailer::decode(&[0; 32]), None);
    }

    /// The bytes themselves are fixed: another build of the daemon must find the same.
    #[test]
    fn the_format_is_stable() {
        let header = Header {
            identity: IDENTITY,
            slot: 0x2122_2324,
            capacity: 0x3132_3334,
            length: Some(0x4142_4344),
        };
        let mut expected = b"ZCCH\x01\0\0\0".to_vec();
        expected.extend([8, 7, 6, 5, 4, 3, 2, 1]);
        expected.extend([0x18, 0x17, 0x16, 0x15, 0x14, 0x13, 0x12, 0x11]);
        expected.extend([0x24, 0x23, 0x22, 0x21, 0x34, 0x33, 0x32, 0x31]);
        expected.extend([0x44, 0x43, 0x42, 0x41]);
        expected.resize(64, 0);
        assert_eq!(header.encode().as_slice(), expected);
    }
}
