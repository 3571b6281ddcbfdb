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

mod closing;
mod lending;
mod pipe;
mod wire;

use std::collections::{HashMap, VecDeque};
use std::io;
use std::os::fd::AsFd;
use std::time::Duration;

use zonecast_numa::Span;

use crate::driver::{Conn, Owed, Time};
use crate::kernel_tls::{SOL_TLS, TLS_TX_ZEROCOPY_RO};
use crate::socket_option::set_option;

use super::UringDriver;
use closing::Closing;
use lending::Lending;
use pipe::Pipe;

/// What a driver has lent.
pub(super) struct Lender<H> {
    pipe: Pipe,
    drain: Duration,
    lending: HashMap<Conn, Lending<H>>,
    /// Acknowledged, or dropped by an abort; with the moment to give it back.
    resting: VecDeque<(Time, H)>,
    /// Closes that wait, by turns.
    closing: VecDeque<Closing>,
    /// When they are looked at next.
    next_look: Time,
}

impl<H> Lender<H> {
    pub(super) fn open(drain: Duration) -> io::Result<Lender<H>> {
        Ok(Lender {
            pipe: Pipe::open()?,
            drain,
            lending: HashMap::new(),
            resting: VecDeque::new(),
            closing: VecDeque::new(),
            next_look: Time::default(),
        })
    }

    /// Keeps for ever what a card may still read.
    pub(super) fn leak(self) {
        for lending in self.lending.into_values() {
            lending.leak();
        }
        self.resting.into_iter().for_each(std::mem::forget);
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
        let lending = Lending::open(socket.as_fd())?;
        set_option(socket, SOL_TLS, TLS_TX_ZEROCOPY_RO, &1_u32.to_ne_bytes())?;
        // Without it a splice waits for room.
        rustix::io::ioctl_fionbio(socket, true)?;
        lender.lending.insert(conn, lending);
        Ok(())
    }

    pub(super) fn lent_now(
        &mut self,
        conn: Conn,
        span: Span,
        hold: H,
        more: bool,
    ) -> io::Result<usize> {
        let unable = || io::Error::from(io::ErrorKind::InvalidInput);
        let start = self.span_address(span).ok_or_else(unable)?;
        let lender = self.lender.as_mut().ok_or_else(unable)?;
        let socket = self.connections.descriptor(conn).ok_or_else(unable)?;
        let lending = lender.lending.get_mut(&conn).ok_or_else(unable)?;
        let length = span.len as usize;
        // SAFETY: the span lies in a region of ours, which is mapped as long as the driver lives; and
        // `hold` keeps its bytes as they are until the card cannot read them again.
        let taken = unsafe { lender.pipe.move_into(socket.as_fd(), start, length, more)? };
        if taken > 0 {
            lending.lend(taken, hold);
        }
        Ok(taken)
    }

    pub(super) fn still_owed(
        &mut self,
        conn: Conn,
        is_wanted: impl FnMut(&H) -> bool,
    ) -> io::Result<Owed> {
        self.settle(conn)?;
        let lender = self.lender.as_ref();
        let lending = lender.and_then(|lender| lender.lending.get(&conn));
        Ok(lending.map_or(Owed::Nothing, |lending| lending.owed(is_wanted)))
    }

    /// Takes what is acknowledged of a connection's to its rest.
    fn settle(&mut self, conn: Conn) -> io::Result<()> {
        let lender = self.lender.as_mut();
        if let Some(lender) = lender
            && let Some(lending) = lender.lending.get_mut(&conn)
            && lending.owes()
            && let Some(socket) = self.connections.descriptor(conn)
        {
            let acknowledged = lending.settle(socket.as_fd())?;
            // After the acknowledgements were read, however long ago the turn began.
            let until = self.clock.moment() + lender.drain;
            lender
                .resting
                .extend(acknowledged.map(|hold| (until, hold)));
        }
        Ok(())
    }

    /// A connection that pages are lent to begins to send bytes in another way, too.
    pub(super) fn copying_begins(&mut self, conn: Conn) {
        if let Some(lender) = self.lender.as_mut()
            && let Some(lending) = lender.lending.get_mut(&conn)
        {
            lending.copying_begins();
        }
    }

    /// That is over.
    pub(super) fn copying_ended(&mut self, conn: Conn, result: &io::Result<usize>) {
        if let Some(lender) = self.lender.as_mut()
            && let Some(lending) = lender.lending.get_mut(&conn)
        {
            lending.copying_ended(result.as_ref().map_or(0, |bytes| *bytes));
        }
    }

    /// A control record is a connection's last: nothing is lent to it any more, and a worker is to wait
    /// for room for it.
    pub(super) fn lending_is_over(&mut self, conn: Conn) {
        let lender = self.lender.as_ref();
        if lender.is_some_and(|lender| lender.lending.contains_key(&conn))
            && let Some(socket) = self.connections.descriptor(conn)
        {
            // Where it fails the record's own result tells.
            let _ = rustix::io::ioctl_fionbio(socket, false);
        }
    }

    /// A connection is gone: nothing of it is sent from here on.
    pub(super) fn lending_ended(&mut self, conn: Conn) {
        let until = self.clock.moment();
        if let Some(lender) = self.lender.as_mut()
            && let Some(lending) = lender.lending.remove(&conn)
        {
            let until = until + lender.drain;
            lender
                .resting
                .extend(lending.into_holds().map(|hold| (until, hold)));
        }
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
        let next = self.tend_closing(now);
        Some(until.map_or(next, |until| until.min(next)))
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
