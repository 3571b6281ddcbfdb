//! From the world's outcome to the loop's completion, with what the operation owned.

use std::io;

use crate::driver::{Completion, Event, OpId, Outgoing};

use super::driver::SimDriver;
use super::side::Outcome;
use super::slab::{Operation, Payload, Target};
use super::span;
use super::table::Kind;
use super::world::World;

impl<H> SimDriver<H> {
    /// Makes the loop's completion of an outcome, with what the operation owned.
    pub(super) fn hand_out(
        &mut self,
        world: &mut World,
        op: OpId,
        outcome: Outcome,
    ) -> Completion<H> {
        let (what, value) = outcome.described();
        let subject = u64::from(op.generation) << 32 | u64::from(op.slot);
        world
            .log
            .record(world.now, what, self.index, subject, value);
        if let Outcome::Accepted(conn) = outcome {
            let accept = self.slab.get(op).expect("an accept in flight");
            let (token, event) = (accept.token, Event::Accepted(conn));
            return Completion { token, event };
        }
        let operation = self.slab.remove(op).expect("an operation ends once");
        check(world, &operation);
        let table = &mut world.sides[self.index].table;
        let mut end = |kind| {
            if let Target::Conn(conn) = operation.target {
                table.end(conn, kind);
            }
        };
        let event = match (outcome, operation.payload) {
            (Outcome::AcceptEnded(errno), _) => Event::AcceptEnded(error(errno)),
            (Outcome::Received(result), _) => {
                end(Kind::Receive);
                Event::Received(result.map_err(error))
            }
            (Outcome::ReceivedInto(result), Payload::Into(mut buffer, at)) => {
                end(Kind::Receive);
                let filled = result.map(|bytes| {
                    buffer[at..at + bytes.len()].copy_from_slice(&bytes);
                    bytes.len()
                });
                let result = filled.map_err(error);
                Event::ReceivedInto { result, buffer }
            }
            (Outcome::Sent(result), Payload::Outgoing(outgoing, _)) => {
                end(Kind::Send);
                let result = result.map_err(error);
                Event::Sent { result, outgoing }
            }
            (Outcome::Writable(result), _) => {
                end(Kind::Writable);
                Event::Writable(result.map_err(error))
            }
            (Outcome::SealedByKernel(result), _) => {
                end(Kind::Send);
                Event::SealedByKernel(result.map_err(error))
            }
            (Outcome::Shutdown(result), _) => {
                end(Kind::Shutdown);
                Event::Shutdown(result.map_err(error))
            }
            (Outcome::Closed(conn), _) => {
                table.end_close(conn);
                Event::Closed
            }
            _ => unreachable!("an operation ends as what it began as"),
        };
        let token = operation.token;
        Completion { token, event }
    }
}

/// The bytes of a span in flight must be what they were.
pub(super) fn check<H>(world: &World, operation: &Operation<H>) {
    let Payload::Outgoing(Outgoing::Span { span, .. }, then) = &operation.payload else {
        return;
    };
    let Some(now) = span::copy(world.regions.as_ref(), *span) else {
        return;
    };
    if let Some(offset) = span::difference(then, &now) {
        let (token, len) = (operation.token, then.len());
        world.violated(&format!(
            "byte {offset} of {len} of {span:?} changed while it was being sent ({token:?}): \
             what held it was let go too early"
        ));
    }
}

fn error(errno: i32) -> io::Error {
    io::Error::from_raw_os_error(errno)
}
