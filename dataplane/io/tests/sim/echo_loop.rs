//! A loop that sends back what it receives, over any driver, with the one mistake that a test wants.

use std::collections::BTreeMap;
use std::time::Duration;

use zonecast_io::{Conn, Driver, Event, ListenerId, OpId, Outgoing, Time, Token};

use crate::harness::{Turns, filled};

const BACK_OFF: Duration = Duration::from_millis(5);
/// Bytes that an echo keeps for a peer that does not read.
const KEPT_MAX: usize = 64 << 10;

#[derive(Default)]
struct Echo {
    receive: Option<OpId>,
    send: Option<OpId>,
    kept: Vec<u8>,
    finished: bool,
    shutting: bool,
    shut: bool,
    failed: bool,
    closing: bool,
}

/// A loop that sends back what it receives, over any driver.
pub(crate) struct EchoLoop<D: Driver<Hold = ()>> {
    driver: D,
    listener: ListenerId,
    accept_at: Option<Time>,
    conns: BTreeMap<Conn, Echo>,
    /// Every other receive goes into a buffer of the pool's.
    into: bool,
    mistake: Mistake,
}

/// What a loop does wrong, to show that the test would see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mistake {
    None,
    /// A connection that failed is closed as if it were complete.
    CloseForAbort,
    /// A short send is taken for a whole one.
    ForgetRest,
}

const ACCEPT: Token = Token(u64::MAX);

fn token(conn: Conn) -> Token {
    Token(u64::from(conn.0))
}

impl<D: Driver<Hold = ()>> EchoLoop<D> {
    pub(crate) fn new(driver: D, listener: ListenerId, mistake: Mistake) -> Self {
        EchoLoop {
            driver,
            listener,
            accept_at: Some(Time(0)),
            conns: BTreeMap::new(),
            into: false,
            mistake,
        }
    }

    fn completed(&mut self, token: Token, event: Event<()>) {
        let conn = Conn(token.0 as u32);
        match event {
            Event::Accepted(conn) => {
                let none = self.conns.insert(conn, Echo::default());
                assert!(none.is_none(), "a number is free before it is given again");
                return;
            }
            Event::AcceptEnded(_) => {
                self.accept_at = Some(self.driver.now() + BACK_OFF);
                return;
            }
            Event::Closed => {
                assert!(self.conns.remove(&conn).unwrap().closing);
                return;
            }
            _ => {}
        }
        let echo = self.conns.get_mut(&conn).expect("an open connection");
        match event {
            Event::Received(result) => {
                echo.received(result.as_deref().map_err(|error| error.kind()));
            }
            Event::ReceivedInto { result, buffer } => {
                echo.received(
                    result
                        .map(|count| &buffer[7..7 + count])
                        .map_err(|e| e.kind()),
                );
            }
            Event::Sent { result, outgoing } => {
                echo.send = None;
                match result {
                    Ok(mut count) => {
                        assert!(count <= outgoing.len());
                        if self.mistake == Mistake::ForgetRest {
                            count = outgoing.len();
                        }
                        echo.kept.drain(..count);
                    }
                    Err(_) => echo.failed = true,
                }
            }
            Event::Shutdown(result) => {
                echo.shutting = false;
                echo.shut = result.is_ok();
                echo.failed |= result.is_err();
            }
            _ => unreachable!("handled above"),
        }
    }

    fn go_on(&mut self, conn: Conn) {
        let driver = &mut self.driver;
        let echo = self.conns.get_mut(&conn).unwrap();
        if echo.closing {
            return;
        }
        if echo.failed {
            return echo.tear_down(driver, conn, self.mistake);
        }
        if echo.receive.is_none() && !echo.finished && echo.kept.len() < KEPT_MAX {
            self.into = !self.into;
            let buffer = if self.into { driver.buffer() } else { None };
            echo.receive = Some(match buffer {
                Some(buffer) => driver.receive_into(conn, buffer, 7, token(conn)),
                None => driver.receive(conn, token(conn)),
            });
        }
        if echo.send.is_none()
            && !echo.kept.is_empty()
            && let Some(buffer) = filled(driver, &echo.kept)
        {
            let outgoing = Outgoing::Buffer(buffer);
            echo.send = Some(driver.send(conn, outgoing, false, token(conn)));
        }
        if echo.finished && echo.kept.is_empty() && !echo.shutting {
            if echo.shut {
                echo.closing = true;
                driver.close(conn, token(conn));
            } else {
                echo.shutting = true;
                driver.shutdown(conn, token(conn));
            }
        }
    }
}

impl Echo {
    fn received(&mut self, result: Result<&[u8], std::io::ErrorKind>) {
        self.receive = None;
        match result {
            Ok([]) => self.finished = true,
            Ok(bytes) => self.kept.extend(bytes),
            Err(_) => self.failed = true,
        }
    }

    fn tear_down<D: Driver>(&mut self, driver: &mut D, conn: Conn, mistake: Mistake) {
        for op in [self.receive, self.send].into_iter().flatten() {
            driver.cancel(op);
        }
        if self.receive.is_none() && self.send.is_none() && !self.shutting {
            self.closing = true;
            if mistake == Mistake::CloseForAbort {
                driver.close(conn, token(conn));
            } else {
                driver.abort(conn, token(conn));
            }
        }
    }
}

impl<D: Driver<Hold = ()>> Turns for EchoLoop<D> {
    fn turn(&mut self) {
        if self.accept_at.is_some_and(|at| at <= self.driver.now()) {
            self.accept_at = None;
            self.driver.accept(self.listener, ACCEPT);
        }
        let mut out = Vec::new();
        self.driver.turn(self.accept_at, &mut out).unwrap();
        for completion in out {
            self.completed(completion.token, completion.event);
        }
        let conns: Vec<Conn> = self.conns.keys().copied().collect();
        conns.into_iter().for_each(|conn| self.go_on(conn));
    }
}
