//! The loop: one epoll, edge-triggered, so that no connection is ever registered twice.

use std::net::SocketAddr;
use std::os::fd::{AsFd, OwnedFd};

use anyhow::{Context, Result};
use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, SocketFlags, SocketType, accept_with, bind, ipproto, listen, socket_with,
    sockopt,
};
use zonecast_dataplane::tls::Acceptor;

use super::answer::Answers;
use super::connection::{Buffers, Connection};

const BACKLOG: i32 = 4096;
const EVENTS_MAX: usize = 256;
const LISTENER: u64 = u64::MAX;

/// The program's one listener and its connections.
pub(super) struct Server {
    epoll: OwnedFd,
    listener: OwnedFd,
    acceptor: Option<Acceptor>,
    answers: Answers,
    buffers: Buffers,
    connections: Vec<Option<Connection>>,
    free: Vec<usize>,
    accepted: usize,
}

impl Server {
    /// Listens.
    ///
    /// # Errors
    /// The system refuses.
    pub(super) fn listen(
        address: SocketAddr,
        acceptor: Option<Acceptor>,
        answers: Answers,
    ) -> Result<Server> {
        let family = match address {
            SocketAddr::V4(_) => AddressFamily::INET,
            SocketAddr::V6(_) => AddressFamily::INET6,
        };
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        let listener = socket_with(family, SocketType::STREAM, flags, Some(ipproto::TCP))?;
        sockopt::set_socket_reuseaddr(&listener, true)?;
        bind(&listener, &address).with_context(|| format!("cannot listen on {address}"))?;
        listen(&listener, BACKLOG)?;
        let server = Server {
            epoll: epoll::create(CreateFlags::CLOEXEC)?,
            listener,
            acceptor,
            buffers: Buffers::new(answers.buffer_bytes()),
            answers,
            connections: Vec::new(),
            free: Vec::new(),
            accepted: 0,
        };
        server.watch(server.listener.as_fd(), LISTENER, EventFlags::IN)?;
        Ok(server)
    }

    /// Serves until it is killed.
    ///
    /// # Errors
    /// The system refuses something that is not one connection's.
    pub(super) fn run(mut self) -> Result<()> {
        let mut events: Vec<Event> = Vec::with_capacity(EVENTS_MAX);
        loop {
            events.clear();
            let room = rustix::buffer::spare_capacity(&mut events);
            match epoll::wait(&self.epoll, room, None) {
                Ok(_) | Err(Errno::INTR) => {}
                Err(error) => return Err(error).context("epoll"),
            }
            for event in &events {
                match event.data.u64() {
                    LISTENER => self.accept()?,
                    token => self.go_on(token as usize),
                }
            }
        }
    }

    fn accept(&mut self) -> Result<()> {
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        loop {
            let socket = match accept_with(&self.listener, flags) {
                Ok(socket) => socket,
                Err(Errno::AGAIN) => return Ok(()),
                Err(Errno::CONNABORTED | Errno::INTR) => continue,
                Err(error) => return Err(error).context("accept"),
            };
            sockopt::set_tcp_nodelay(&socket, true)?;
            let connection = Connection::new(socket, self.acceptor.as_ref(), self.accepted)?;
            self.accepted += 1;
            let token = self.free.pop().unwrap_or_else(|| {
                self.connections.push(None);
                self.connections.len() - 1
            });
            let flags = EventFlags::IN | EventFlags::OUT | EventFlags::ET;
            self.watch(connection.socket(), token as u64, flags)?;
            self.connections[token] = Some(connection);
        }
    }

    /// Goes on with a connection; one that fails is closed, which its client sees.
    fn go_on(&mut self, token: usize) {
        let Some(Some(connection)) = self.connections.get_mut(token) else {
            return;
        };
        match connection.go_on(&self.answers, &mut self.buffers) {
            Ok(true) => return,
            Ok(false) => {}
            Err(error) => eprintln!("floor: a connection failed: {error:#}"),
        }
        self.connections[token] = None;
        self.free.push(token);
    }

    fn watch(&self, socket: impl AsFd, token: u64, flags: EventFlags) -> Result<()> {
        epoll::add(&self.epoll, socket, EventData::new_u64(token), flags)?;
        Ok(())
    }
}
