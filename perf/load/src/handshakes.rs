//! Handshakes alone: connect, shake hands, take a session ticket, close; and again.
//!
//! A handshake counts when the first ticket has come: the server sends it after it has checked
//! the client's Finished, so by then its work is done, and with a ticket the next handshake can
//! resume. The client closes first, with close_notify.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use rustls::ClientConfig;

use crate::channel::{Came, Channel, Room};
use crate::poll::{Poll, Ready, Wait};
use crate::{Counts, LoadError, socket};

const TURN_MAX: Duration = Duration::from_millis(100);
/// No handshake at all within this time ends the load.
const PATIENCE: Duration = Duration::from_secs(10);

/// What came of handshakes in some span of time.
#[derive(Debug, Clone)]
pub struct Shaken {
    /// Handshakes that came to their end.
    pub done: u64,
    /// Of these, resumed from a ticket.
    pub resumed: u64,
    /// How long each took, from connect to ticket, in microseconds.
    pub took: Histogram<u64>,
}

impl Default for Shaken {
    fn default() -> Shaken {
        Shaken {
            done: 0,
            resumed: 0,
            took: Counts::default().first_byte,
        }
    }
}

struct Slot {
    channel: Channel,
    config: Arc<ClientConfig>,
    began: Instant,
    connected: bool,
}

/// A closed loop of handshakes.
pub struct Handshakes {
    target: SocketAddr,
    poll: Poll,
    slots: Vec<Slot>,
    room: Room,
    shaken: Shaken,
}

impl Handshakes {
    /// One slot for each configuration; slots that share one share its tickets.
    ///
    /// # Errors
    /// A connection cannot be begun.
    pub fn start(
        target: SocketAddr,
        configs: impl IntoIterator<Item = Arc<ClientConfig>>,
    ) -> Result<Handshakes, LoadError> {
        let mut handshakes = Handshakes {
            target,
            poll: Poll::new()?,
            slots: Vec::new(),
            room: Room::new(),
            shaken: Shaken::default(),
        };
        for (token, config) in configs.into_iter().enumerate() {
            let slot = handshakes.connect(token, config)?;
            handshakes.slots.push(slot);
        }
        Ok(handshakes)
    }

    /// Shakes hands for a time.
    ///
    /// # Errors
    /// A handshake failed, or there was none for long.
    pub fn run(&mut self, lasting: Duration) -> Result<(), LoadError> {
        let end = Instant::now() + lasting;
        let mut ready = Vec::new();
        let (mut last, mut done) = (Instant::now(), self.shaken.done);
        loop {
            let now = Instant::now();
            if now >= end {
                return Ok(());
            }
            if self.shaken.done != done {
                (last, done) = (now, self.shaken.done);
            } else if now - last > PATIENCE {
                let what = "a handshake".to_owned();
                let limit = PATIENCE;
                return Err(LoadError::TooSlow { what, limit });
            }
            ready.clear();
            self.poll.wait((end - now).min(TURN_MAX), &mut ready)?;
            for &event in &ready {
                self.go_on(event)?;
            }
        }
    }

    /// What came since this was last called.
    pub fn take(&mut self) -> Shaken {
        std::mem::take(&mut self.shaken)
    }

    fn connect(&self, token: usize, config: Arc<ClientConfig>) -> Result<Slot, LoadError> {
        let broke = |error| LoadError::Broke {
            connection: token,
            error,
        };
        let channel = Channel::start(self.target, Some(&config), None).map_err(broke)?;
        self.poll.add(channel.socket(), token, Wait::Writable)?;
        Ok(Slot {
            channel,
            config,
            began: Instant::now(),
            connected: false,
        })
    }

    fn go_on(&mut self, event: Ready) -> Result<(), LoadError> {
        let token = event.token;
        let broke = |error| LoadError::Broke {
            connection: token,
            error,
        };
        let slot = &mut self.slots[token];
        if !slot.further(event, &mut self.room).map_err(broke)? {
            let wait = match slot.channel.wants_write() {
                true => Wait::Writable,
                false => Wait::Readable,
            };
            return self.poll.modify(slot.channel.socket(), token, wait);
        }
        self.shaken.done += 1;
        self.shaken.resumed += u64::from(slot.channel.resumed());
        Counts::note(&mut self.shaken.took, slot.began.elapsed());
        slot.channel.send_close().map_err(broke)?;
        let config = Arc::clone(&slot.config);
        // The socket is closed with its slot, and leaves the epoll by that.
        self.slots[token] = self.connect(token, config)?;
        Ok(())
    }
}

impl Slot {
    /// Goes on; whether the handshake is done and its ticket here.
    fn further(&mut self, event: Ready, room: &mut Room) -> io::Result<bool> {
        if !self.connected {
            if !event.writable {
                return Ok(false);
            }
            socket::connected(self.channel.socket())?;
            self.connected = true;
            self.channel.flush()?;
            return Ok(false);
        }
        if event.writable && self.channel.wants_write() {
            self.channel.flush()?;
        }
        if event.readable {
            let none = |_: &[u8]| Err("data without a request".to_owned());
            if self.channel.receive(room, none)? == Came::End {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        Ok(self.channel.tickets() > 0)
    }
}
