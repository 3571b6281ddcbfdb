//! One viewer: connects, shakes hands, asks, and either compares what comes or counts it.
//!
//! Its first response is always compared: whatever the server says after the handshake
//! (session tickets) comes before it. From the second on a response takes as many bytes on the
//! wire as any other with its object, which the compared ones say and the counted ones rely on.

use std::io;
use std::time::Instant;

use crate::channel::{Came, Channel, Room};
use crate::response::Response;
use crate::sizes::Sizes;
use crate::spec::Spec;

/// Where a viewer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    Connecting,
    Shaking,
    /// Has asked for nothing that has not come.
    Idle,
    /// Waits for a response, or is in the middle of one.
    Waiting,
    /// Will never read again.
    Stalled,
    Broken,
}

/// A response that has come to its end.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ended {
    /// When it was due to be asked.
    pub(crate) due: Instant,
    pub(crate) compared: bool,
}

/// What came of looking at a viewer's socket.
#[derive(Debug, Default)]
pub(crate) struct Step {
    pub(crate) wire_bytes: u64,
    /// When the response that has just begun to come was due to be asked.
    pub(crate) began: Option<Instant>,
    pub(crate) ended: Option<Ended>,
}

/// One viewer.
pub(crate) struct Viewer {
    pub(crate) channel: Channel,
    pub(crate) phase: Phase,
    /// A request that should have been sent already, and when.
    pub(crate) owed: Option<Instant>,
    /// Compares all that it gets.
    verifies: bool,
    /// The number of the next object.
    next: usize,
    responses: u64,
    due: Instant,
    /// Bytes on the wire of the response that is coming.
    received: u64,
    /// `None`: it is only counted.
    response: Option<Response>,
}

impl Viewer {
    pub(crate) fn start(spec: &Spec, number: usize) -> io::Result<Viewer> {
        Ok(Viewer {
            channel: Channel::start(spec.target, spec.tls.as_ref(), spec.receive_buffer)?,
            phase: Phase::Connecting,
            owed: None,
            verifies: number.is_multiple_of(spec.verify_every.max(1)),
            // Over all objects, so that all their sizes are known soon.
            next: number * spec.objects.count() / spec.connections.max(1),
            responses: 0,
            due: Instant::now(),
            received: 0,
            response: None,
        })
    }

    pub(crate) fn has_had_one(&self) -> bool {
        self.responses > 0
    }

    /// Asks for the next object.
    pub(crate) fn ask(&mut self, spec: &Spec, due: Instant, sizes: &Sizes) -> io::Result<()> {
        let counts = !self.verifies && self.has_had_one() && sizes.are_complete();
        self.response = (!counts).then(Response::new);
        self.received = 0;
        self.due = due;
        self.phase = Phase::Waiting;
        let request = format!(
            "GET {}{} HTTP/1.1\r\nHost: localhost\r\n\r\n",
            spec.folder,
            spec.objects.name(self.next)
        );
        self.channel.send(request.as_bytes())
    }

    /// Looks at the socket while a response is due. One that was compared, after the first of
    /// its connection, says what all others with its object are held to.
    pub(crate) fn receive(
        &mut self,
        spec: &Spec,
        room: &mut Room,
        sizes: &mut Sizes,
    ) -> io::Result<Step> {
        let asked = (!spec.any_object).then_some(self.next);
        let came = match &mut self.response {
            Some(response) => {
                let take = |came: &[u8]| response.take(came, &spec.objects, asked);
                self.channel.receive(room, take)?
            }
            None => self.channel.discard(room)?,
        };
        let bytes = match came {
            Came::Nothing => return Ok(Step::default()),
            Came::End => return Err(io::ErrorKind::UnexpectedEof.into()),
            Came::Bytes(bytes) => bytes as u64,
        };
        let began = (self.received == 0).then_some(self.due);
        self.received += bytes;
        let step = Step {
            wire_bytes: bytes,
            began,
            ended: None,
        };
        let compared = self.response.is_some();
        let done = match &self.response {
            Some(response) => response.done(&spec.objects),
            None => self.counted(sizes.of(self.next))?,
        };
        if !done {
            return Ok(step);
        }
        if compared && self.has_had_one() {
            sizes.measured(self.next, self.received).map_err(wrong)?;
        }
        self.responses += 1;
        self.next += 1;
        self.phase = Phase::Idle;
        Ok(Step {
            ended: Some(Ended {
                due: self.due,
                compared,
            }),
            ..step
        })
    }

    /// Whether a counted response is all there.
    fn counted(&self, wire_bytes: Option<u64>) -> io::Result<bool> {
        match wire_bytes {
            Some(due) if self.received > due => Err(wrong(format!(
                "{} bytes came, and {due} were due",
                self.received
            ))),
            due => Ok(due == Some(self.received)),
        }
    }

    /// Looks at the socket while nothing is due: any byte is one too many.
    pub(crate) fn receive_nothing(&mut self, room: &mut Room) -> io::Result<()> {
        match self.channel.discard(room)? {
            Came::Nothing => Ok(()),
            Came::Bytes(bytes) => Err(wrong(format!("{bytes} bytes came that nobody asked for"))),
            Came::End => Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }
}

fn wrong(what: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}
