//! A driver with real sockets for tests: how it is made, and how a test waits for what it expects.

#![allow(dead_code, reason = "each test binary uses a part of this")]
#![allow(clippy::unwrap_used, reason = "tests")]

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use zonecast_io::{
    Buffer, Completion, Conn, Descriptors, Driver, Event, ListenerId, Received, Time, Token,
    UringConfig, UringDriver,
};

/// Far beyond what anything here takes; a test that waits this long has failed.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// A small driver's configuration.
pub(crate) fn config() -> UringConfig {
    UringConfig {
        connections_max: 64,
        send_buffers: 16,
        receive_buffers: 16,
        receive_buffer_bytes: 4096,
        sq_entries: 64,
        regions: None,
        epoch: Instant::now(),
    }
}

/// A driver and what it has completed and nobody has asked for yet.
pub(crate) struct Bench<H = ()> {
    pub(crate) driver: UringDriver<H>,
    pub(crate) out: Vec<Completion<H>>,
}

impl<H> Bench<H> {
    pub(crate) fn new(config: UringConfig) -> Bench<H> {
        let driver = UringDriver::new(config).expect("io_uring works on a build machine");
        Bench {
            driver,
            out: Vec::new(),
        }
    }

    /// A listener on a free port of `ip`, its address, and an accept on it.
    pub(crate) fn listen(
        &mut self,
        ip: &str,
        descriptors: Descriptors,
    ) -> (ListenerId, SocketAddr) {
        let socket = TcpListener::bind((ip, 0)).expect("loopback has a free port");
        let address = socket.local_addr().unwrap();
        (self.listen_on(socket.into(), descriptors), address)
    }

    pub(crate) fn listen_on(&mut self, socket: OwnedFd, descriptors: Descriptors) -> ListenerId {
        let listener = self.driver.add_listener(socket, descriptors).unwrap();
        self.driver.accept(listener, ACCEPT);
        listener
    }

    /// A client's socket, and the driver's connection that it led to.
    pub(crate) fn connect(&mut self, address: SocketAddr) -> (TcpStream, Conn) {
        let client = TcpStream::connect(address).unwrap();
        client.set_read_timeout(Some(PATIENCE)).unwrap();
        let conn = self.accepted();
        (client, conn)
    }

    pub(crate) fn accepted(&mut self) -> Conn {
        match self.wait(ACCEPT) {
            Event::Accepted(conn) => conn,
            other => panic!("expected a connection, not {}", name(&other)),
        }
    }

    /// Turns until something with this token has completed, and takes it out.
    pub(crate) fn wait(&mut self, token: Token) -> Event<H> {
        let deadline = self.deadline();
        loop {
            let found = self
                .out
                .iter()
                .position(|completion| completion.token == token);
            if let Some(at) = found {
                return self.out.remove(at).event;
            }
            self.driver.turn(Some(deadline), &mut self.out).unwrap();
            assert!(
                self.driver.now() < deadline,
                "{token:?} has not completed in time"
            );
        }
    }

    /// Turns for so long, whatever completes.
    pub(crate) fn turn_for(&mut self, duration: Duration) {
        self.driver.turn(Some(Time(0)), &mut self.out).unwrap();
        let until = self.driver.now() + duration;
        while self.driver.now() < until {
            self.driver.turn(Some(until), &mut self.out).unwrap();
        }
    }

    fn deadline(&self) -> Time {
        self.driver.now() + PATIENCE
    }

    /// Everything that `conn` brings up to the end of the stream.
    pub(crate) fn receive(&mut self, conn: Conn) -> Received {
        self.driver.receive(conn, RECEIVE);
        match self.wait(RECEIVE) {
            Event::Received(result) => result.expect("the receive succeeds"),
            other => panic!("expected bytes, not {}", name(&other)),
        }
    }

    /// A pool buffer that is to send `bytes`.
    pub(crate) fn filled(&mut self, bytes: &[u8]) -> Buffer {
        let mut buffer = self.driver.buffer().expect("a free buffer");
        buffer[..bytes.len()].copy_from_slice(bytes);
        buffer.set(0, bytes.len());
        buffer
    }

    pub(crate) fn close(&mut self, conn: Conn) {
        self.driver.close(conn, CLOSE);
        assert!(matches!(self.wait(CLOSE), Event::Closed));
    }
}

pub(crate) const ACCEPT: Token = Token(1);
pub(crate) const RECEIVE: Token = Token(2);
pub(crate) const SEND: Token = Token(3);
pub(crate) const SHUTDOWN: Token = Token(4);
pub(crate) const CLOSE: Token = Token(5);

/// An event's kind, for messages.
pub(crate) fn name<H>(event: &Event<H>) -> &'static str {
    match event {
        Event::Accepted(_) => "Accepted",
        Event::AcceptEnded(_) => "AcceptEnded",
        Event::Writable(_) => "Writable",
        Event::Received(_) => "Received",
        Event::ReceivedInto { .. } => "ReceivedInto",
        Event::Sent { .. } => "Sent",
        Event::SealedByKernel(_) => "SealedByKernel",
        Event::RecordSent(_) => "RecordSent",
        Event::Shutdown(_) => "Shutdown",
        Event::Closed => "Closed",
    }
}
