//! Connections that come and go, faster than the table has room for them.

#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::collections::HashSet;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use common::{ACCEPT, config, name};
use zonecast_io::{
    Completion, Conn, Descriptors, Driver, Event, ListenerId, Outgoing, RingKind, Time, Token,
    UringDriver,
};

const THREADS: usize = 4;
const ANSWERS_EACH: usize = 200;

/// Asks for one answer a connection, until it has `ANSWERS_EACH`; a refused connection is tried again.
fn client(address: SocketAddr) {
    let mut answers = 0;
    while answers < ANSWERS_EACH {
        let Ok(mut socket) = TcpStream::connect(address) else {
            continue;
        };
        socket.set_read_timeout(Some(common::PATIENCE)).unwrap();
        let mut answer = Vec::new();
        let asked = socket
            .write_all(b"question")
            .and_then(|()| socket.read_to_end(&mut answer));
        match asked {
            Ok(_) if answer == b"question" => answers += 1,
            Ok(_) => assert!(answer.is_empty(), "half an answer"),
            Err(error) => {
                assert_ne!(
                    error.kind(),
                    std::io::ErrorKind::WouldBlock,
                    "the loop forgot us"
                );
            }
        }
    }
}

/// A loop that answers each connection once and closes it; by an abort when the table is full.
struct Answering {
    driver: UringDriver<()>,
    listener: ListenerId,
    accepting: bool,
    open: HashSet<Conn>,
    aborted: usize,
}

impl Answering {
    fn handle(&mut self, completion: Completion<()>) {
        let token = completion.token;
        let conn = Conn(token.0 as u32);
        match completion.event {
            Event::Accepted(conn) => {
                assert!(self.open.insert(conn), "{conn:?} was given away twice");
                self.driver
                    .receive(conn, Token(u64::from(conn.0) | 1 << 32));
            }
            Event::AcceptEnded(error) => {
                assert_eq!(error.raw_os_error(), Some(libc::ENFILE));
                self.accepting = false;
            }
            Event::Received(Ok(received)) if !received.is_empty() => {
                let mut buffer = self.driver.buffer().unwrap();
                buffer[..received.len()].copy_from_slice(&received);
                buffer.set(0, received.len());
                self.driver
                    .send(conn, Outgoing::Buffer(buffer), false, token);
            }
            Event::Sent { .. } if self.open.len() == 4 => {
                self.aborted += 1;
                self.driver.abort(conn, token);
            }
            Event::Received(_) | Event::Sent { .. } => self.driver.close(conn, token),
            Event::Closed => {
                assert!(self.open.remove(&conn), "{conn:?} was closed twice");
                self.rearm();
            }
            other => panic!("unexpected {}", name(&other)),
        }
    }

    fn rearm(&mut self) {
        if !self.accepting {
            self.accepting = true;
            self.driver.accept(self.listener, ACCEPT);
        }
    }
}

fn churn(kind: RingKind, descriptors: Descriptors) {
    let mut config = config();
    config.connections_max = 4;
    config.sq_entries = 8;
    let mut driver = UringDriver::with_ring(config, kind).unwrap();
    let socket = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    let listener = driver.add_listener(socket.into(), descriptors).unwrap();
    let mut answering = Answering {
        driver,
        listener,
        accepting: false,
        open: HashSet::new(),
        aborted: 0,
    };
    answering.rearm();
    let (waker, done) = (answering.driver.waker(), Arc::new(AtomicBool::new(false)));
    let finished = Arc::clone(&done);
    let clients = std::thread::spawn(move || {
        let threads: Vec<_> = (0..THREADS)
            .map(|_| std::thread::spawn(move || client(address)))
            .collect();
        let ended: Vec<_> = threads
            .into_iter()
            .map(std::thread::JoinHandle::join)
            .collect();
        finished.store(true, Ordering::Release);
        waker.wake();
        ended.into_iter().for_each(|thread| thread.unwrap());
    });
    let mut out = Vec::new();
    while !done.load(Ordering::Acquire) || !answering.open.is_empty() {
        let until = answering.driver.now() + common::PATIENCE;
        answering.driver.turn(Some(until), &mut out).unwrap();
        assert!(answering.driver.now() < until, "nothing happens any more");
        out.drain(..)
            .for_each(|completion| answering.handle(completion));
    }
    clients.join().unwrap();
    println!(
        "{kind:?} {descriptors:?}: {} aborted, {:?}",
        answering.aborted,
        answering.driver.stats()
    );
    assert_eq!(answering.driver.buffers_free(), 16);
    assert_ne!(answering.driver.now(), Time(0));
}

/// Shows that 800 conversations by 4 clients over a table of 4, closed in order and by abort, leave
/// no connection behind, give no number away twice, and forget nobody; on each kind of ring and of
/// descriptor.
#[test]
fn connections_come_and_go() {
    for kind in [
        RingKind::DeferTaskrun,
        RingKind::CoopTaskrun,
        RingKind::Plain,
    ] {
        for descriptors in [Descriptors::Direct, Descriptors::Plain] {
            churn(kind, descriptors);
        }
    }
}
