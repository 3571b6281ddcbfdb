//! One epoll, level-triggered: which connections can go on.

use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};
use rustix::io::Errno;
use rustix::time::Timespec;

use crate::LoadError;

/// Events of one turn at most.
const EVENTS_MAX: usize = 256;

/// A set of watched sockets.
pub(crate) struct Poll {
    epoll: OwnedFd,
    events: Vec<Event>,
}

/// What a socket is ready for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ready {
    pub(crate) token: usize,
    pub(crate) writable: bool,
    pub(crate) readable: bool,
}

/// What to wait for on a socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wait {
    Readable,
    Writable,
    /// For the end of the connection alone.
    Nothing,
}

impl Wait {
    fn flags(self) -> EventFlags {
        match self {
            Wait::Readable => EventFlags::IN,
            Wait::Writable => EventFlags::IN | EventFlags::OUT,
            Wait::Nothing => EventFlags::empty(),
        }
    }
}

impl Poll {
    pub(crate) fn new() -> Result<Poll, LoadError> {
        let epoll = epoll::create(CreateFlags::CLOEXEC).map_err(LoadError::system("epoll"))?;
        Ok(Poll {
            epoll,
            events: Vec::with_capacity(EVENTS_MAX),
        })
    }

    pub(crate) fn add(&self, socket: impl AsFd, token: usize, wait: Wait) -> Result<(), LoadError> {
        let data = EventData::new_u64(token as u64);
        epoll::add(&self.epoll, socket, data, wait.flags()).map_err(LoadError::system("epoll add"))
    }

    pub(crate) fn modify(
        &self,
        socket: impl AsFd,
        token: usize,
        wait: Wait,
    ) -> Result<(), LoadError> {
        let data = EventData::new_u64(token as u64);
        epoll::modify(&self.epoll, socket, data, wait.flags())
            .map_err(LoadError::system("epoll modify"))
    }

    pub(crate) fn remove(&self, socket: impl AsFd) -> Result<(), LoadError> {
        epoll::delete(&self.epoll, socket).map_err(LoadError::system("epoll delete"))
    }

    /// Waits for at most `patience` and appends what is ready to `ready`.
    pub(crate) fn wait(
        &mut self,
        patience: Duration,
        ready: &mut Vec<Ready>,
    ) -> Result<(), LoadError> {
        let patience = Timespec {
            tv_sec: patience.as_secs().try_into().unwrap_or(i64::MAX),
            tv_nsec: patience.subsec_nanos().into(),
        };
        self.events.clear();
        let room = rustix::buffer::spare_capacity(&mut self.events);
        match epoll::wait(&self.epoll, room, Some(&patience)) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(LoadError::system("epoll wait")(error)),
        }
        ready.extend(self.events.iter().map(|event| {
            let flags = event.flags;
            let over = flags.intersects(EventFlags::HUP | EventFlags::ERR);
            Ready {
                token: usize::try_from(event.data.u64()).unwrap_or(usize::MAX),
                writable: over || flags.contains(EventFlags::OUT),
                readable: over || flags.contains(EventFlags::IN),
            }
        }));
        Ok(())
    }
}
