//! The cost of the steady state: system calls and allocations of a loop that serves.

#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::io::{Read, Write};

use common::{Bench, config};
use zonecast_io::{Completion, Descriptors, Driver, Event, Outgoing, Token};

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

/// Counts the allocations of each thread.
struct Counting;

// SAFETY: everything is passed on to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // A thread that is ending has no counter any more, and nobody reads it.
        let _ = ALLOCATIONS.try_with(|count| count.set(count.get() + 1));
        // SAFETY: the caller's contract is the system allocator's.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: as for `alloc`.
        unsafe { System.dealloc(pointer, layout) };
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Messages that each client sends, after the first few.
const ROUNDS: u64 = 500;

/// Answers every message of every connection until `answers` were sent, of which `sent` were before.
/// Returns how many were; one turn may bring more than were asked for.
fn serve(bench: &mut Bench, mut sent: u64, answers: u64) -> u64 {
    let mut taken: Vec<Completion<()>> = Vec::with_capacity(256);
    while sent < answers {
        std::mem::swap(&mut taken, &mut bench.out);
        for completion in taken.drain(..) {
            let conn = zonecast_io::Conn(completion.token.0 as u32);
            match completion.event {
                Event::Received(Ok(received)) => {
                    let mut buffer = bench.driver.buffer().unwrap();
                    buffer[..received.len()].copy_from_slice(&received);
                    buffer.set(0, received.len());
                    bench
                        .driver
                        .send(conn, Outgoing::Buffer(buffer), false, completion.token);
                    bench.driver.receive(conn, completion.token);
                }
                Event::Sent { result, .. } => {
                    assert_eq!(result.unwrap(), 100);
                    sent += 1;
                }
                other => panic!("unexpected {}", common::name(&other)),
            }
        }
        if sent < answers {
            bench.driver.turn(None, &mut bench.out).unwrap();
        }
    }
    sent
}

/// Shows that a loop that serves 8 connections makes at most one system call a turn, and allocates
/// nothing.
#[test]
fn one_system_call_a_turn_and_no_allocation() {
    let mut bench: Bench = Bench::new(config());
    bench.out.reserve(256);
    let (_, address) = bench.listen("127.0.0.1", Descriptors::Direct);
    let clients: Vec<_> = (0..8).map(|_| bench.connect(address)).collect();
    for (_, conn) in &clients {
        bench
            .driver
            .receive(*conn, Token(u64::from(conn.0) | 1 << 32));
    }
    let threads: Vec<_> = clients
        .into_iter()
        .map(|(mut client, _)| {
            std::thread::spawn(move || {
                let mut answer = [0; 100];
                for round in 0..ROUNDS + 10 {
                    client.write_all(&[round as u8; 100]).unwrap();
                    client.read_exact(&mut answer).unwrap();
                    assert_eq!(answer, [round as u8; 100]);
                }
                client
            })
        })
        .collect();
    let warm = serve(&mut bench, 0, 80);
    let (before, allocations) = (bench.driver.stats(), ALLOCATIONS.get());
    let answers = serve(&mut bench, warm, 8 * (ROUNDS + 10)) - warm;
    let (after, allocations) = (bench.driver.stats(), ALLOCATIONS.get() - allocations);
    let (turns, enters) = (after.turns - before.turns, after.enters - before.enters);
    println!("{answers} answers: {turns} turns, {enters} system calls, {allocations} allocations");
    assert!(enters <= turns, "{enters} system calls in {turns} turns");
    assert_eq!(allocations, 1, "only the list of `serve` itself");
    threads
        .into_iter()
        .for_each(|thread| drop(thread.join().unwrap()));
}
