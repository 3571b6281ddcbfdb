//! A driver that can be made to break the pipeline, so that a checker can show that it looks.

use std::collections::HashMap;
use std::net::SocketAddr;

use zonecast_io::egress::Offload;
use zonecast_io::sim::SimDriver;
use zonecast_io::{
    Buffer, Completion, Conn, Driver, Event, KernelKey, Leaving, ListenerId, OpId, Outgoing, Time,
    Token, Waker,
};
use zonecast_ring::Lease;

/// What is broken on purpose.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Flaw {
    /// Nothing.
    #[default]
    None,
    /// One bit of a large piece of an upload is another by the time it is in the ring.
    WrongBit,
    /// The end of one send is never told, so its viewer is never answered.
    LostSend,
    /// A send of many bytes is said to be complete without its last one having been sent.
    ShortSend,
    /// One buffer never comes back.
    KeptBuffer,
    /// A connection that is cut off ends as if all had been sent.
    PoliteCut,
    /// Where an upload breaks off, its final chunk is made up.
    EndedUpload,
    /// A lease on a ring's bytes outlives its send.
    KeptLease,
    /// A buffer that an encoder's bytes came in is never given back.
    KeptEncoderBuffer,
    /// The end of one connection is never told, so its slot stays taken.
    KeptSlot,
    /// A complete object is lost from its stream's index.
    Forgotten,
    /// A replaced object comes back.
    Outdated,
    /// One byte more is counted than was sent.
    CountedTwice,
    /// One message about an upload's end is lost between two loops.
    LostMessage,
    /// Timers are set and never taken out.
    KeptTimers,
    /// Messages pile up before a mailbox.
    KeptMessages,
    /// A stream keeps more pinned objects than it may.
    KeptObjects,
    /// What is to outlive a kill is not written, as if it were.
    LostSave,
}

/// Bytes from which a piece is large.
const LARGE: usize = 1000;

/// The simulated driver of a loop, with a flaw that shows once.
pub(super) struct Flawed {
    flaw: Flaw,
    /// Where receives in flight put their bytes.
    places: HashMap<Token, usize>,
    kept: Vec<Completion<Lease>>,
    buffer: Option<Buffer>,
    inner: SimDriver<Lease>,
}

impl Flawed {
    pub(super) fn new(inner: SimDriver<Lease>, flaw: Flaw) -> Self {
        Self {
            flaw,
            places: HashMap::new(),
            kept: Vec::new(),
            buffer: None,
            inner,
        }
    }

    /// Breaks what has completed, once.
    fn spoil(&mut self, out: &mut Vec<Completion<Lease>>) {
        match self.flaw {
            Flaw::WrongBit => {
                let places = &self.places;
                if !out.iter_mut().any(|done| flip_a_bit(places, done)) {
                    return;
                }
            }
            Flaw::LostSend => {
                let sent = out.iter().position(|done| is_large(&done.event));
                let Some(sent) = sent else { return };
                self.kept.push(out.remove(sent));
            }
            Flaw::KeptBuffer => {
                self.buffer = self.inner.buffer();
                if self.buffer.is_none() {
                    return;
                }
            }
            Flaw::KeptLease | Flaw::KeptEncoderBuffer => {
                let kept = out.iter_mut().find_map(|done| self.keep(done));
                let Some(kept) = kept else { return };
                self.kept.push(kept);
            }
            Flaw::KeptSlot => {
                let closed = |done: &Completion<Lease>| matches!(done.event, Event::Closed);
                let Some(closed) = out.iter().position(closed) else {
                    return;
                };
                self.kept.push(out.remove(closed));
            }
            Flaw::EndedUpload => {
                out.iter_mut()
                    .for_each(|done| end_an_upload(&self.places, done));
                return;
            }
            _ => return,
        }
        self.flaw = Flaw::None;
    }

    /// Keeps what a completion gives back, and gives something else back in its place.
    fn keep(&mut self, done: &mut Completion<Lease>) -> Option<Completion<Lease>> {
        let token = done.token;
        let event = match (&mut done.event, self.flaw) {
            (Event::Sent { result, outgoing }, Flaw::KeptLease) => {
                let whole = matches!(result, Ok(sent) if *sent == outgoing.len());
                if !whole || !matches!(outgoing, Outgoing::Span { .. }) {
                    return None;
                }
                let other = Outgoing::Buffer(self.inner.buffer()?);
                let (result, outgoing) = (Ok(0), std::mem::replace(outgoing, other));
                Event::Sent { result, outgoing }
            }
            (Event::ReceivedInto { buffer, .. }, Flaw::KeptEncoderBuffer) => {
                let mut other = self.inner.buffer()?;
                other.copy_from_slice(buffer);
                let (result, buffer) = (Ok(0), std::mem::replace(buffer, other));
                Event::ReceivedInto { result, buffer }
            }
            _ => return None,
        };
        Some(Completion { token, event })
    }

    /// Leaves out the last byte of a send, once.
    fn cut(&mut self, outgoing: Outgoing<Lease>) -> Outgoing<Lease> {
        if self.flaw != Flaw::ShortSend || outgoing.len() < LARGE {
            return outgoing;
        }
        match outgoing {
            Outgoing::Buffer(mut buffer) => {
                self.flaw = Flaw::None;
                let filled = buffer.filled_range();
                buffer.set(filled.start, filled.end - 1);
                Outgoing::Buffer(buffer)
            }
            span @ Outgoing::Span { .. } => span,
        }
    }
}

/// Flips one in the middle of what was received, if that is a large piece.
fn flip_a_bit(places: &HashMap<Token, usize>, done: &mut Completion<Lease>) -> bool {
    let Event::ReceivedInto { result, buffer } = &mut done.event else {
        return false;
    };
    match (result, places.get(&done.token)) {
        (Ok(received), Some(at)) if *received >= LARGE => {
            buffer[at + *received / 2] ^= 1;
            true
        }
        _ => false,
    }
}

/// What has come to its end brings a last chunk instead.
fn end_an_upload(places: &HashMap<Token, usize>, done: &mut Completion<Lease>) {
    const LAST: &[u8] = b"0\r\n\r\n";
    let Event::ReceivedInto { result, buffer } = &mut done.event else {
        return;
    };
    if let (Ok(0) | Err(_), Some(at)) = (&*result, places.get(&done.token))
        && *at + LAST.len() <= buffer.len()
    {
        buffer[*at..*at + LAST.len()].copy_from_slice(LAST);
        *result = Ok(LAST.len());
    }
}

fn is_large(event: &Event<Lease>) -> bool {
    matches!(event, Event::Sent { outgoing, .. } if outgoing.len() >= LARGE)
}

impl Driver for Flawed {
    type Hold = Lease;

    fn now(&self) -> Time {
        self.inner.now()
    }

    fn random(&mut self) -> u64 {
        self.inner.random()
    }

    fn accept(&mut self, listener: ListenerId, token: Token) -> OpId {
        self.inner.accept(listener, token)
    }

    fn receive(&mut self, conn: Conn, token: Token) -> OpId {
        self.inner.receive(conn, token)
    }

    fn receive_into(&mut self, conn: Conn, buffer: Buffer, at: usize, token: Token) -> OpId {
        if matches!(self.flaw, Flaw::WrongBit | Flaw::EndedUpload) {
            self.places.insert(token, at);
        }
        self.inner.receive_into(conn, buffer, at, token)
    }

    fn send(&mut self, conn: Conn, outgoing: Outgoing<Lease>, more: bool, token: Token) -> OpId {
        let outgoing = self.cut(outgoing);
        self.inner.send(conn, outgoing, more, token)
    }

    fn send_now(&mut self, conn: Conn, buffer: Buffer, more: bool, token: Token) -> OpId {
        let Outgoing::Buffer(buffer) = self.cut(Outgoing::Buffer(buffer)) else {
            unreachable!("a buffer stays one")
        };
        self.inner.send_now(conn, buffer, more, token)
    }

    fn writable(&mut self, conn: Conn, token: Token) -> OpId {
        self.inner.writable(conn, token)
    }

    fn seal_in_kernel(&mut self, conn: Conn, key: Box<KernelKey>, token: Token) -> OpId {
        self.inner.seal_in_kernel(conn, key, token)
    }

    fn send_record(&mut self, conn: Conn, record_type: u8, message: &[u8], token: Token) -> OpId {
        self.inner.send_record(conn, record_type, message, token)
    }

    fn leaving(&mut self, conn: Conn) -> std::io::Result<Leaving> {
        self.inner.leaving(conn)
    }

    fn offload(&mut self, conn: Conn) -> std::io::Result<Offload> {
        self.inner.offload(conn)
    }

    fn leaving_changed(&mut self) -> bool {
        self.inner.leaving_changed()
    }

    fn was_down(&self, leaving: Leaving) -> bool {
        self.inner.was_down(leaving)
    }

    fn shutdown(&mut self, conn: Conn, token: Token) -> OpId {
        self.inner.shutdown(conn, token)
    }

    fn close(&mut self, conn: Conn, token: Token) {
        self.inner.close(conn, token);
    }

    fn abort(&mut self, conn: Conn, token: Token) {
        if self.flaw == Flaw::PoliteCut {
            return self.inner.close(conn, token);
        }
        self.inner.abort(conn, token);
    }

    fn cancel(&mut self, op: OpId) {
        self.inner.cancel(op);
    }

    fn buffer(&mut self) -> Option<Buffer> {
        self.inner.buffer()
    }

    fn buffers_free(&self) -> usize {
        self.inner.buffers_free()
    }

    fn burst(&mut self) -> Option<Buffer> {
        self.inner.burst()
    }

    fn peer(&self, conn: Conn) -> Option<SocketAddr> {
        self.inner.peer(conn)
    }

    fn local(&self, conn: Conn) -> Option<SocketAddr> {
        self.inner.local(conn)
    }

    fn turn(
        &mut self,
        until: Option<Time>,
        out: &mut Vec<Completion<Lease>>,
    ) -> std::io::Result<()> {
        self.inner.turn(until, out)?;
        self.spoil(out);
        Ok(())
    }

    fn waker(&self) -> Waker {
        self.inner.waker()
    }
}
