//! Pages lent to network cards: sent from where they lie, and kept until nobody can read them again.
//!
//! A card reads a page when it sends it, and again when it sends it again. Bytes that changed in between
//! would be sealed under a nonce that was used: a break, not a glitch. So what keeps a piece's bytes
//!
//! 1. is held from the call until the peer has acknowledged the whole record in which the piece ends
//!    ([`wire`]), for a card that repeats a part of a record reads all of it;
//! 2. then rests for a while: a late copy of a packet may still be in a queue;
//! 3. and is given back.
//!
//! A connection with pages that are not acknowledged is never just closed, for the kernel would go on
//! sending them without us: its close waits, and becomes an abort when it waits too long. An abort drops
//! what the socket has, and its pages rest like the others. The rest is a matter of time, not of proof.

mod pipe;
mod wire;

use std::collections::{HashMap, VecDeque};
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use zonecast_numa::Span;

use crate::driver::{Conn, Time, Token};
use crate::kernel_tls::{SOL_TLS, TLS_TX_ZEROCOPY_RO};
use crate::socket_option::set_option;

use super::UringDriver;
use pipe::Pipe;
use wire::Wire;

/// A close waits this long for acknowledgements.
const CLOSE_WAITS_MAX: Duration = Duration::from_secs(5);
/// How far apart looks at waiting closes are.
const LOOKS_APART: Duration = Duration::from_millis(20);

/// What a driver has lent.
pub(super) struct Lender<H> {
    pipe: Pipe,
    drain: Duration,
    lending: HashMap<Conn, Lending<H>>,
    /// Acknowledged, or dropped by an abort; with the moment to give it back.
    resting: VecDeque<(Time, H)>,
    closing: Vec<Closing>,
}

/// One connection's.
struct Lending<H> {
    wire: Wire,
    /// What keeps the pieces that are not acknowledged, oldest first, and where on the wire each ends.
    lent: VecDeque<(u64, H)>,
}

/// A close that waits.
struct Closing {
    conn: Conn,
    token: Token,
    until: Time,
}

impl<H> Lender<H> {
    pub(super) fn open(drain: Duration) -> io::Result<Lender<H>> {
        Ok(Lender {
            pipe: Pipe::open()?,
            drain,
            lending: HashMap::new(),
            resting: VecDeque::new(),
            closing: Vec::new(),
        })
    }

    /// Keeps for ever what a card may still read.
    pub(super) fn leak(self) {
        for lending in self.lending.into_values() {
            lending.lent.into_iter().for_each(std::mem::forget);
        }
        self.resting.into_iter().for_each(std::mem::forget);
    }

    /// Takes what is acknowledged of a connection's to its rest.
    fn settle(&mut self, conn: Conn, socket: BorrowedFd<'_>, now: Time) -> io::Result<()> {
        let Some(lending) = self.lending.get_mut(&conn) else {
            return Ok(());
        };
        if lending.lent.is_empty() {
            return Ok(());
        }
        let until = now + self.drain;
        let acknowledged = lending.wire.acknowledged(socket)?;
        let done = lending.lent.iter();
        let mut done = done.take_while(|(end, _)| *end <= acknowledged).count();
        if lending.wire.is_settled(socket, acknowledged)? {
            done = lending.lent.len();
        }
        let acknowledged = lending.lent.drain(..done);
        self.resting
            .extend(acknowledged.map(|(_, hold)| (until, hold)));
        Ok(())
    }

    /// Whether a connection has pages that are not acknowledged.
    fn owes(&self, conn: Conn) -> bool {
        let lending = self.lending.get(&conn);
        lending.is_some_and(|lending| !lending.lent.is_empty())
    }

    /// Gives back what has rested.
    fn give_back(&mut self, now: Time) {
        while self.resting.front().is_some_and(|(until, _)| *until <= now) {
            self.resting.pop_front();
        }
    }
}

impl<H> UringDriver<H> {
    /// Only a plain descriptor can be spliced to.
    pub(super) fn lending_begins(&mut self, conn: Conn) -> io::Result<()> {
        let unable = || io::Error::from(io::ErrorKind::Unsupported);
        let lender = self.lender.as_mut().ok_or_else(unable)?;
        let socket = self.connections.descriptor(conn).ok_or_else(unable)?;
        // Without it a splice waits for room. The ring's own operations wait as ever.
        rustix::io::ioctl_fionbio(socket, true)?;
        set_option(socket, SOL_TLS, TLS_TX_ZEROCOPY_RO, &1_u32.to_ne_bytes())?;
        let lending = Lending {
            wire: Wire::open(socket.as_fd())?,
            lent: VecDeque::new(),
        };
        lender.lending.insert(conn, lending);
        Ok(())
    }

    pub(super) fn lent_now(&mut self, conn: Conn, span: Span, hold: H) -> io::Result<usize> {
        let unable = || io::Error::from(io::ErrorKind::InvalidInput);
        let start = self.span_address(span).ok_or_else(unable)?;
        let lender = self.lender.as_mut().ok_or_else(unable)?;
        let socket = self.connections.descriptor(conn).ok_or_else(unable)?;
        let lending = lender.lending.get_mut(&conn).ok_or_else(unable)?;
        let length = span.len as usize;
        // SAFETY: the span lies in a region of ours, which is mapped as long as the driver lives; and
        // `hold` keeps its bytes as they are until the card cannot read them again.
        let taken = unsafe { lender.pipe.move_into(socket.as_fd(), start, length)? };
        if taken > 0 {
            lending.wire.took(taken);
            if cfg!(not(feature = "flaw-lease")) {
                lending.lent.push_back((lending.wire.end_at_latest(), hold));
            }
        }
        Ok(taken)
    }

    pub(super) fn oldest_unacknowledged(&mut self, conn: Conn) -> io::Result<Option<&H>> {
        let Some(lender) = self.lender.as_mut() else {
            return Ok(None);
        };
        if let Some(socket) = self.connections.descriptor(conn) {
            lender.settle(conn, socket.as_fd(), self.clock.now())?;
        }
        let lending = lender.lending.get(&conn);
        let oldest = lending.and_then(|lending| lending.lent.front());
        Ok(oldest.map(|(_, hold)| hold))
    }

    /// A connection that pages are lent to has sent bytes in another way, too.
    pub(super) fn book_copied(&mut self, conn: Conn, result: &io::Result<usize>) {
        if let (Some(lender), Ok(bytes)) = (self.lender.as_mut(), result)
            && let Some(lending) = lender.lending.get_mut(&conn)
        {
            lending.wire.took(*bytes);
        }
    }

    pub(super) fn close_when_acknowledged(&mut self, conn: Conn, token: Token) {
        let until = self.clock.now() + CLOSE_WAITS_MAX;
        match self.lender.as_mut().filter(|lender| lender.owes(conn)) {
            Some(lender) => {
                self.connections.assert_idle(conn);
                lender.closing.push(Closing { conn, token, until });
            }
            None => self.close_submitted(conn, token),
        }
    }

    /// A connection is gone: nothing of it is sent from here on.
    pub(super) fn lending_ended(&mut self, conn: Conn) {
        let Some(lender) = self.lender.as_mut() else {
            return;
        };
        let Some(lending) = lender.lending.remove(&conn) else {
            return;
        };
        let until = self.clock.now() + lender.drain;
        let held = lending.lent.into_iter();
        lender.resting.extend(held.map(|(_, hold)| (until, hold)));
    }

    /// Gives back what has rested, and goes on with closes that wait; how long a turn may wait.
    pub(super) fn tend_lent(&mut self, until: Option<Time>) -> Option<Time> {
        let now = self.clock.now();
        let Some(lender) = self.lender.as_mut() else {
            return until;
        };
        lender.give_back(now);
        if lender.closing.is_empty() {
            return until;
        }
        for closing in std::mem::take(&mut lender.closing) {
            self.go_on_closing(closing, now);
        }
        let next = now + LOOKS_APART;
        Some(until.map_or(next, |until| until.min(next)))
    }

    fn go_on_closing(&mut self, closing: Closing, now: Time) {
        let Closing { conn, token, until } = closing;
        match self.oldest_unacknowledged(conn).map(|hold| hold.is_some()) {
            Ok(true) if now < until => {
                let lender = self.lender.as_mut();
                lender.expect("it has lent").closing.push(closing);
            }
            Ok(false) => self.close_submitted(conn, token),
            Ok(true) | Err(_) => self.abort_submitted(conn, token),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Shows that what has rested is given back at its time, and not before.
    #[test]
    fn what_rests_is_given_back_in_time() {
        let mut lender = Lender::open(Duration::from_millis(5)).expect("a kernel of today");
        let hold = std::rc::Rc::new(());
        lender.resting.push_back((Time(10), hold.clone()));
        lender.give_back(Time(9));
        assert_eq!(std::rc::Rc::strong_count(&hold), 2);
        lender.give_back(Time(10));
        assert_eq!(std::rc::Rc::strong_count(&hold), 1);
        lender.resting.push_back((Time(20), hold.clone()));
        lender.leak();
        assert_eq!(std::rc::Rc::strong_count(&hold), 2);
    }
}
