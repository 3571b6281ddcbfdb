//! Spans under faults: a loop sends a block of memory to all who come, from where it lies.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use zonecast_io::sim::{End, Faults, SimConfig, SimDriver, SimWorld};
use zonecast_io::{Completion, Conn, Driver, Event, ListenerId, Outgoing, Time, Token};
use zonecast_numa::Span;

use crate::harness::{Turns, assert_whole_or_reset, memory, run};

const ACCEPT: Token = Token(u64::MAX);

struct Downloads {
    driver: SimDriver<Rc<()>>,
    listener: ListenerId,
    /// What every connection gets, and how much of it each still has to.
    span: Span,
    conns: BTreeMap<Conn, Span>,
    lease: Rc<()>,
}

impl Downloads {
    fn send(&mut self, conn: Conn, rest: Span) {
        let token = Token(u64::from(conn.0));
        if rest.is_empty() {
            self.driver.shutdown(conn, token);
            return;
        }
        self.conns.insert(conn, rest);
        let (part, _) = rest
            .split_at(rest.len.min(100_000))
            .expect("a part of the span");
        let hold = Rc::clone(&self.lease);
        let outgoing = Outgoing::Span { span: part, hold };
        self.driver.send(conn, outgoing, false, token);
    }

    fn completed(&mut self, completion: Completion<Rc<()>>) {
        let token = completion.token;
        let conn = Conn(token.0 as u32);
        match completion.event {
            Event::Accepted(conn) => self.send(conn, self.span),
            Event::AcceptEnded(_) => {
                self.driver.accept(self.listener, ACCEPT);
            }
            Event::Sent { result: Err(_), .. } | Event::Shutdown(Err(_)) => {
                self.driver.abort(conn, token);
            }
            Event::Sent {
                result: Ok(count), ..
            } => {
                let rest = self.conns[&conn];
                let (_, rest) = rest.split_at(count as u32).expect("no more than asked for");
                self.send(conn, rest);
            }
            Event::Shutdown(Ok(())) => self.driver.close(conn, token),
            Event::Closed => {}
            Event::Received(_)
            | Event::ReceivedInto { .. }
            | Event::Writable(_)
            | Event::SealedByKernel(_)
            | Event::RecordSent(_) => {
                unreachable!("nothing of the kind was asked for")
            }
        }
    }
}

impl Turns for Downloads {
    fn turn(&mut self) {
        let mut out = Vec::new();
        self.driver.turn(None, &mut out).unwrap();
        out.into_iter()
            .for_each(|completion| self.completed(completion));
    }
}

/// Shows that over 100 seeds whoever sees the end has all of the block's bytes in order, that a cut
/// is seen as a reset, and that no hold is lost.
#[test]
fn a_block_arrives_whole_or_is_cut() {
    let (regions, block, bytes) = memory(256 << 10);
    let (mut whole, mut reset) = (0, 0);
    for seed in 0..100 {
        let world = SimWorld::new(seed, Faults::from_seed(seed), Some(regions.clone()));
        let mut driver = world.driver(&SimConfig::default());
        let listener = driver.listen();
        driver.accept(listener, ACCEPT);
        let lease = Rc::new(());
        let downloads = Downloads {
            driver,
            listener,
            span: block.span(),
            conns: BTreeMap::new(),
            lease: Rc::clone(&lease),
        };
        let loops: [RefCell<Box<dyn Turns>>; 1] = [RefCell::new(Box::new(downloads))];
        let mut peers: Vec<_> = (0..4).map(|_| world.connect(0, listener)).collect();
        let limit = Time(0) + Duration::from_secs(900);
        run(&world, &loops, limit, || {
            peers.iter().all(|peer| peer.received_end() != End::Open)
        });
        for peer in &mut peers {
            let end = peer.received_end();
            let complete = assert_whole_or_reset(seed, &peer.take_received(), &bytes, end);
            *(if complete { &mut whole } else { &mut reset }) += 1;
        }
        drop(loops);
        assert_eq!(Rc::strong_count(&lease), 1, "seed {seed}: a hold is lost");
    }
    println!("seeds 0..100: {whole} whole, {reset} reset");
    assert!(whole > 200 && reset > 10);
}
