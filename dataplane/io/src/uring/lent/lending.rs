//! What is lent to one connection.

use std::collections::VecDeque;
use std::io;
use std::os::fd::BorrowedFd;

use crate::driver::Owed;

use super::wire::Wire;

pub(super) struct Lending<H> {
    wire: Wire,
    /// What keeps the pieces that are not acknowledged, oldest first, and where on the wire each ends.
    lent: VecDeque<(u64, H)>,
    /// Sends of other kinds that are under way: what the socket has taken of them is not booked yet.
    copying: u32,
    /// Wire bytes that were acknowledged when it was last looked at.
    acknowledged: u64,
}

impl<H> Lending<H> {
    pub(super) fn open(socket: BorrowedFd<'_>) -> io::Result<Lending<H>> {
        Ok(Lending {
            wire: Wire::open(socket)?,
            lent: VecDeque::new(),
            copying: 0,
            acknowledged: 0,
        })
    }

    /// The socket has taken so many bytes of a piece.
    pub(super) fn lend(&mut self, taken: usize, hold: H) {
        self.wire.took(taken);
        if cfg!(not(feature = "flaw-lease")) {
            self.lent.push_back((self.wire.end_at_latest(), hold));
        }
    }

    pub(super) fn owes(&self) -> bool {
        !self.lent.is_empty()
    }

    pub(super) fn owed(&self, mut is_wanted: impl FnMut(&H) -> bool) -> Owed {
        match self.lent.iter().any(|(_, hold)| is_wanted(hold)) {
            true => Owed::Wanted,
            false if self.owes() => Owed::Pieces(self.lent.len()),
            false => Owed::Nothing,
        }
    }

    /// Wire bytes that were acknowledged when it was last settled.
    pub(super) fn acknowledged(&self) -> u64 {
        self.acknowledged
    }

    /// Takes out what is acknowledged.
    pub(super) fn settle(
        &mut self,
        socket: BorrowedFd<'_>,
    ) -> io::Result<impl Iterator<Item = H> + use<'_, H>> {
        let acknowledged = self.wire.acknowledged(socket)?;
        self.acknowledged = acknowledged;
        let held = self.lent.iter();
        let mut done = held.take_while(|(end, _)| *end <= acknowledged).count();
        // While bytes are under way that are not booked, more may be acknowledged than is known of.
        if self.copying == 0 && self.wire.is_settled(socket, acknowledged)? {
            done = self.lent.len();
        }
        Ok(self.lent.drain(..done).map(|(_, hold)| hold))
    }

    pub(super) fn copying_begins(&mut self) {
        self.copying += 1;
    }

    pub(super) fn copying_ended(&mut self, bytes: usize) {
        self.copying = self.copying.saturating_sub(1);
        self.wire.took(bytes);
    }

    pub(super) fn into_holds(self) -> impl Iterator<Item = H> {
        self.lent.into_iter().map(|(_, hold)| hold)
    }

    pub(super) fn leak(self) {
        self.lent.into_iter().for_each(std::mem::forget);
    }
}
