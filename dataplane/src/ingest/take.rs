//! What an upload does with the bytes of its body: it decides by the first ones what it is,
//! and puts them where they belong.

use zonecast_proto::kind::sniff_ftyp;
use zonecast_ring::ChunkWriter;

use super::target::{Target, Upload};
use crate::config::Limits;

/// A refused upload is cut off when it goes on for longer than this.
const DISCARD_BYTES_MAX: u64 = 64 << 20;

/// What became of a run of body bytes.
pub(super) enum Taken {
    /// There were none.
    Nothing,
    Bytes(usize),
    /// More than an object may have.
    TooLarge,
    /// A refused upload that does not end.
    TooPatient,
}

impl Upload {
    /// Takes body bytes, at most [`Upload::room`].
    pub(super) fn take(
        &mut self,
        bytes: &[u8],
        limits: &Limits,
        filled: &mut Vec<ChunkWriter>,
    ) -> Taken {
        if bytes.is_empty() {
            return Taken::Nothing;
        }
        self.taken += bytes.len() as u64;
        match &mut self.target {
            Target::Discard(_) | Target::Delete(_) if self.taken > DISCARD_BYTES_MAX => {
                return Taken::TooPatient;
            }
            Target::Discard(_) | Target::Delete(_) => {}
            Target::Pinned(_) if self.taken > u64::from(limits.pinned_bytes_max) => {
                return Taken::TooLarge;
            }
            _ if self.taken > u64::from(limits.object_bytes_max) => return Taken::TooLarge,
            Target::Pinned(body) => body.extend_from_slice(bytes),
            Target::Undecided { first, len } => {
                first[*len..*len + bytes.len()].copy_from_slice(bytes);
                *len += bytes.len();
                self.decide();
            }
            Target::Ring { .. } => self.write(bytes, |writer| filled.push(writer)),
        }
        Taken::Bytes(bytes.len())
    }

    /// Decides by the first bytes, once they say enough.
    fn decide(&mut self) {
        let Target::Undecided { first, len } = &self.target else {
            return;
        };
        let first = &first[..*len];
        let is_init = if self.kind.needs_init() {
            sniff_ftyp(first)
        } else {
            Some(false)
        };
        match is_init {
            None => {}
            Some(true) => self.target = Target::Pinned(first.to_vec()),
            Some(false) => self.is_segment(),
        }
    }

    /// The body has ended: whatever its few bytes are, they are no init segment.
    pub(super) fn decide_short(&mut self) {
        if matches!(&self.target, Target::Undecided { len: 1.., .. }) {
            self.is_segment();
        }
    }

    /// It goes into the ring; what decided that waits for its first chunk.
    fn is_segment(&mut self) {
        if let Target::Undecided { first, len } = &self.target {
            self.first = first[..*len].to_vec();
        }
        self.target = Target::Ring {
            writer: None,
            next: None,
            parts: 0,
        };
    }

    /// Bytes that decided it wait for their chunk.
    pub(super) fn has_first_bytes(&self) -> bool {
        !self.first.is_empty()
    }

    /// A chunk is granted; if what was waiting for it fills it, it is given to `full`.
    pub(super) fn grant(&mut self, chunk: ChunkWriter, full: impl FnMut(ChunkWriter)) {
        self.wants = false;
        let Target::Ring {
            writer,
            next,
            parts,
        } = &mut self.target
        else {
            return;
        };
        *parts += 1;
        match writer {
            None => *writer = Some(chunk),
            Some(_) => *next = Some(chunk),
        }
        let first = std::mem::take(&mut self.first);
        self.write(&first, full);
    }
}
