//! Closes that wait for acknowledgements.
//!
//! They are looked at by turns, a few at a time. One that sees progress goes on waiting, up to a limit;
//! one that sees none, or whose account does not add up, becomes an abort.

use std::time::Duration;

use crate::driver::{Conn, Owed, Time, Token};

use super::UringDriver;

/// A close waits this long for the next acknowledgement, and in all.
const SILENCE_MAX: Duration = Duration::from_secs(5);
const WAIT_MAX: Duration = Duration::from_secs(60);
/// How far apart looks are, and how many closes are looked at then.
const LOOKS_APART: Duration = Duration::from_millis(20);
const LOOKS_MAX: usize = 256;

/// A close that waits.
pub(super) struct Closing {
    conn: Conn,
    token: Token,
    /// Wire bytes that were acknowledged, and until when that may be so.
    acknowledged: u64,
    until: Time,
    last: Time,
}

impl<H> UringDriver<H> {
    pub(in super::super) fn close_when_acknowledged(&mut self, conn: Conn, token: Token) {
        let now = self.clock.now();
        match self.still_owed(conn, |_| false) {
            Ok(Owed::Nothing) => self.close_submitted(conn, token),
            Ok(_) => {
                self.connections.assert_idle(conn);
                let lender = self.lender.as_mut().expect("it has lent");
                lender.closing.push_back(Closing {
                    conn,
                    token,
                    acknowledged: 0,
                    until: now + SILENCE_MAX,
                    last: now + WAIT_MAX,
                });
            }
            Err(_) => self.abort_submitted(conn, token),
        }
    }

    /// A close that waits does so no longer.
    pub(in super::super) fn stop_waiting_to_close(&mut self, conn: Conn) {
        if let Some(lender) = self.lender.as_mut() {
            lender.closing.retain(|closing| closing.conn != conn);
        }
    }

    /// Looks at closes that wait; when to look again.
    pub(super) fn tend_closing(&mut self, now: Time) -> Time {
        let Some(lender) = self.lender.as_mut() else {
            return now;
        };
        if now < lender.next_look {
            return lender.next_look;
        }
        lender.next_look = now + LOOKS_APART;
        for _ in 0..lender.closing.len().min(LOOKS_MAX) {
            let lender = self.lender.as_mut();
            if let Some(closing) = lender.and_then(|lender| lender.closing.pop_front()) {
                self.go_on_closing(closing, now);
            }
        }
        now + LOOKS_APART
    }

    fn go_on_closing(&mut self, mut closing: Closing, now: Time) {
        let (conn, token) = (closing.conn, closing.token);
        let owed = self.still_owed(conn, |_| false);
        let lender = self.lender.as_mut().expect("it has lent");
        if let Some(lending) = lender.lending.get(&conn)
            && lending.acknowledged() != closing.acknowledged
        {
            closing.acknowledged = lending.acknowledged();
            closing.until = closing.last.min(now + SILENCE_MAX);
        }
        match owed {
            Ok(Owed::Nothing) => self.close_submitted(conn, token),
            Ok(_) if now < closing.until => lender.closing.push_back(closing),
            Ok(_) | Err(_) => self.abort_submitted(conn, token),
        }
    }
}
