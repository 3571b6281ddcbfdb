//! Opening: so many viewers at a time, each up to the end of its first response.

use std::collections::BinaryHeap;
use std::io;
use std::time::Instant;

use super::Load;
use crate::channel::{Came, Room};
use crate::poll::{Poll, Ready, Wait};
use crate::sizes::Sizes;
use crate::socket;
use crate::viewer::{Phase, Viewer};
use crate::{Counts, LoadError, Pace, Spec};

impl Load {
    /// Connects all viewers. When it returns, each has had one response and waits for nothing;
    /// stalled ones have asked for one.
    ///
    /// # Errors
    /// See [`LoadError`]; a connection that breaks here always ends the load.
    pub fn open(spec: Spec) -> Result<Load, LoadError> {
        let (may_break, limit) = (spec.may_break, spec.open_within);
        let deadline = Instant::now() + limit;
        let mut load = Load {
            viewers: Vec::with_capacity(spec.connections),
            poll: Poll::new()?,
            room: Room::new(),
            counts: Counts::default(),
            sizes: Sizes::of_load(&spec),
            due: BinaryHeap::new(),
            ready: Vec::new(),
            running: false,
            spec: Spec {
                may_break: false,
                ..spec
            },
        };
        let mut open = 0;
        while open < load.spec.connections {
            while load.viewers.len() < load.spec.connections
                && load.viewers.len() - open < load.spec.open_at_once.max(1)
            {
                load.start_one()?;
            }
            if Instant::now() >= deadline {
                return Err(load.too_slow("opening", limit));
            }
            load.turn(deadline)?;
            open = load.viewers.iter().filter(|v| is_open(v)).count();
        }
        load.spec.may_break = may_break;
        load.counts = Counts::default();
        Ok(load)
    }

    fn start_one(&mut self) -> Result<(), LoadError> {
        let connection = self.viewers.len();
        let started = Viewer::start(&self.spec, connection);
        let viewer = started.map_err(|error| LoadError::Broke { connection, error })?;
        let socket = viewer.channel.socket();
        self.poll.add(socket, connection, Wait::Writable)?;
        self.viewers.push(viewer);
        Ok(())
    }

    /// Goes on with a viewer that connects or shakes hands.
    pub(super) fn open_further(&mut self, event: Ready) -> io::Result<()> {
        let viewer = &mut self.viewers[event.token];
        if viewer.phase == Phase::Connecting {
            if !event.writable {
                return Ok(());
            }
            socket::connected(viewer.channel.socket())?;
            viewer.phase = Phase::Shaking;
            viewer.channel.flush()?;
        } else if event.readable {
            let none = |_: &[u8]| Err("data before a request".to_owned());
            match viewer.channel.receive(&mut self.room, none)? {
                Came::End => return Err(io::ErrorKind::UnexpectedEof.into()),
                Came::Nothing | Came::Bytes(_) => {}
            }
        }
        if event.writable && viewer.channel.wants_write() {
            viewer.channel.flush()?;
        }
        if !viewer.channel.is_shaking() {
            self.ask(event.token, Instant::now())?;
            if self.spec.pace == Pace::Stalled {
                return self.stall(event.token);
            }
        }
        self.watch(event.token)
    }

    /// The viewer has asked, and will not look at its socket again.
    fn stall(&mut self, token: usize) -> io::Result<()> {
        let viewer = &mut self.viewers[token];
        if viewer.channel.wants_write() {
            return Err(io::Error::other("the request did not fit in the socket"));
        }
        viewer.phase = Phase::Stalled;
        let removed = self.poll.remove(viewer.channel.socket());
        removed.map_err(io::Error::other)
    }
}

fn is_open(viewer: &Viewer) -> bool {
    viewer.phase == Phase::Stalled || (viewer.phase == Phase::Idle && viewer.has_had_one())
}
