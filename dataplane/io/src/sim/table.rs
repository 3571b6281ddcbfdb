//! The table of a loop's connections: which are open, and what is in flight on each.
//!
//! It is where misuse is found. A number holds a generation, so that one kept beyond its `Closed`
//! is told apart from the next connection in the same place.

use crate::driver::Conn;

use super::socket::SocketId;

/// What can be in flight on a connection, once each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Receive,
    Send,
    Writable,
    Shutdown,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Free,
    Open(SocketId),
    Closing,
}

#[derive(Debug, Clone, Copy)]
struct Place {
    generation: u16,
    state: State,
    in_flight: [bool; 4],
}

/// All connections of one loop.
pub(super) struct Table {
    places: Vec<Place>,
    free: Vec<u16>,
}

impl Table {
    pub(super) fn new(connections_max: u16) -> Table {
        let empty = Place {
            generation: 0,
            state: State::Free,
            in_flight: [false; 4],
        };
        Table {
            places: vec![empty; usize::from(connections_max)],
            free: (0..connections_max).rev().collect(),
        }
    }

    /// Books a new connection; `None` when the table is full.
    pub(super) fn open(&mut self, socket: SocketId) -> Option<Conn> {
        let index = self.free.pop()?;
        let place = &mut self.places[usize::from(index)];
        place.state = State::Open(socket);
        Some(Conn(u32::from(place.generation) << 16 | u32::from(index)))
    }

    /// Books an operation.
    ///
    /// # Errors
    /// What is wrong with it, for a panic.
    pub(super) fn begin(&mut self, conn: Conn, kind: Kind) -> Result<SocketId, String> {
        let (place, socket) = self.open_place(conn, &format!("{kind:?}"))?;
        let busy = &mut place.in_flight[kind as usize];
        if std::mem::replace(busy, true) {
            return Err(format!("a second {kind:?} is in flight on {conn:?}"));
        }
        Ok(socket)
    }

    /// Books the end of an operation, as the pipeline hears of it.
    pub(super) fn end(&mut self, conn: Conn, kind: Kind) {
        self.places[index(conn)].in_flight[kind as usize] = false;
    }

    /// Marks a connection as closing: nothing may be in flight on it, and nothing begins any more.
    ///
    /// # Errors
    /// What is wrong, for a panic.
    pub(super) fn begin_close(&mut self, conn: Conn) -> Result<SocketId, String> {
        let (place, socket) = self.open_place(conn, "Close")?;
        for kind in [Kind::Receive, Kind::Send, Kind::Writable, Kind::Shutdown] {
            if place.in_flight[kind as usize] {
                return Err(format!(
                    "{conn:?} is closed while a {kind:?} is in flight on it"
                ));
            }
        }
        place.state = State::Closing;
        Ok(socket)
    }

    /// The number of a closed connection is free.
    pub(super) fn end_close(&mut self, conn: Conn) {
        let place = &mut self.places[index(conn)];
        assert_eq!(place.state, State::Closing, "{conn:?} was closing");
        place.state = State::Free;
        place.generation = place.generation.wrapping_add(1);
        self.free.push(index(conn) as u16);
    }

    /// The socket of an open connection.
    pub(super) fn socket(&self, conn: Conn) -> Option<SocketId> {
        let place = self.places.get(index(conn))?;
        match place.state {
            State::Open(socket) if place.generation == generation(conn) => Some(socket),
            _ => None,
        }
    }

    fn open_place(&mut self, conn: Conn, what: &str) -> Result<(&mut Place, SocketId), String> {
        let Some(socket) = self.socket(conn) else {
            return Err(format!("{what} on {conn:?}, which is not open"));
        };
        Ok((&mut self.places[index(conn)], socket))
    }
}

fn index(conn: Conn) -> usize {
    (conn.0 & 0xFFFF) as usize
}

fn generation(conn: Conn) -> u16 {
    (conn.0 >> 16) as u16
}
