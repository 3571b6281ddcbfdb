//! The bytes of a response's body: where the next ones are, and whether they still are.

use std::ops::Deref;
use std::sync::Arc;

use zonecast_io::Driver;
use zonecast_proto::Status;
use zonecast_ring::{ChunkRef, Lease};

use super::response::{Body, Position, Response};
use crate::loops::Loop;
use crate::stream::{Object, ObjectState, PARTS_MAX, Pinned};

/// The next bytes of a body.
pub(crate) enum Next {
    /// Some, at least one.
    Bytes(Piece),
    /// None yet: the object is still being filled.
    NotYet,
    /// None any more: the body is complete.
    End,
    /// The ring has passed them.
    Lapped,
    /// The upload was cut.
    Aborted,
}

/// A run of body bytes that nobody changes while it is held.
pub(crate) enum Piece {
    /// In a ring, under a lease.
    Ring {
        lease: Lease,
        from: u32,
        len: u32,
        ring: u64,
        chunk: ChunkRef,
    },
    /// In a pinned object.
    Pinned {
        pinned: Arc<Pinned>,
        from: usize,
        len: usize,
    },
}

impl Deref for Piece {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Ring {
                lease, from, len, ..
            } => &lease.bytes()[*from as usize..(*from + *len) as usize],
            Self::Pinned { pinned, from, len } => &pinned.body[*from..*from + *len],
        }
    }
}

impl<D: Driver<Hold = Lease>> Loop<D> {
    /// The next bytes of a body, at most `most` of them; [`Position::take`] moves on.
    pub(crate) fn next_piece(&mut self, body: &Body, at: &mut Position, most: usize) -> Next {
        if at.left == Some(0) {
            return Next::End;
        }
        let most = at.left.map_or(most as u64, |left| left.min(most as u64));
        match body {
            Body::Nothing => Next::End,
            Body::Pinned(pinned) => {
                let (from, len) = (at.offset as usize, most as usize);
                Next::Bytes(Piece::Pinned {
                    pinned: pinned.clone(),
                    from,
                    len,
                })
            }
            Body::Object(object) => self.next_of_object(object, at, most as u32),
        }
    }

    fn next_of_object(&mut self, object: &Arc<Object>, at: &mut Position, most: u32) -> Next {
        let reader = self.reader(&object.track);
        loop {
            // The state is read before the chunk: what a chunk has when the object is
            // complete is all that it will ever have.
            let state = object.state();
            if state == ObjectState::Complete && at.absolute >= object.length() {
                return Next::End;
            }
            let Some(chunk) = object.part(at.part) else {
                return end_or_wait(object, state, at);
            };
            if state == ObjectState::Aborted {
                return Next::Aborted;
            }
            let Ok(lease) = reader.lease(chunk) else {
                return if object.state() == ObjectState::Aborted {
                    Next::Aborted
                } else {
                    Next::Lapped
                };
            };
            let progress = lease.progress();
            let there = progress.committed.saturating_sub(at.offset as u32);
            if there > 0 {
                let (from, len) = (at.offset as u32, there.min(most));
                let ring = object.track.ring_number;
                return Next::Bytes(Piece::Ring {
                    lease,
                    from,
                    len,
                    ring,
                    chunk,
                });
            }
            if !progress.complete {
                return if state == ObjectState::Complete {
                    Next::End
                } else {
                    Next::NotYet
                };
            }
            // A response may have been moved to behind this chunk, before its end was told.
            at.part += 1;
            at.offset -= u64::from(progress.committed);
        }
    }

    /// How many bytes of an open object are there.
    pub(crate) fn bytes_there(&mut self, object: &Arc<Object>) -> u64 {
        let reader = self.reader(&object.track);
        let parts = (0..PARTS_MAX).map_while(|part| object.part(part));
        parts
            .map_while(|c| reader.progress(c).ok())
            .map(|p| u64::from(p.committed))
            .sum()
    }

    /// Moves a new response to its first byte, over the chunks before it.
    pub(crate) fn seek(&mut self, response: &mut Response) -> Result<(), Status> {
        let Body::Object(object) = &response.body else {
            return Ok(());
        };
        response.at.absolute = response.from;
        let reader = self.reader(&object.track);
        let mut offset = response.from;
        let mut part = 0;
        while let Some(chunk) = object.part(part) {
            let progress = reader.progress(chunk).map_err(|_| Status::Gone)?;
            let committed = u64::from(progress.committed);
            if !progress.complete || offset < committed {
                break;
            }
            offset -= committed;
            part += 1;
        }
        (response.at.part, response.at.offset) = (part, offset);
        Ok(())
    }
}

/// The object has no such chunk (yet).
fn end_or_wait(object: &Object, state: ObjectState, at: &Position) -> Next {
    match state {
        // A chunk may have been granted between the two looks.
        ObjectState::Complete if object.part(at.part).is_none() => Next::End,
        ObjectState::Complete | ObjectState::Open => Next::NotYet,
        ObjectState::Aborted => Next::Aborted,
        ObjectState::Gone => Next::Lapped,
    }
}

impl Position {
    /// So many of the bytes that were just taken are not.
    pub(crate) fn give_back(&mut self, n: usize) {
        self.offset -= n as u64;
        self.absolute -= n as u64;
        if let Some(left) = &mut self.left {
            *left += n as u64;
        }
    }

    /// So many bytes are taken.
    pub(crate) fn take(&mut self, n: usize) {
        self.offset += n as u64;
        self.absolute += n as u64;
        if let Some(left) = &mut self.left {
            *left -= n as u64;
        }
    }
}
