//! Wake-ups from other threads.

#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use common::{Bench, config};
use zonecast_io::Driver;

const WAKES: u64 = 10_000;

/// Shows that none of 10,000 wake-ups is lost: before each, a counter is raised, and the loop, which
/// waits without a limit, must see each value before the next is written. (A lost one would hang
/// here; the watching thread then fails the test.)
#[test]
fn no_wake_up_is_lost() {
    let mut bench: Bench = Bench::new(config());
    let waker = bench.driver.waker();
    let counter = Arc::new(AtomicU64::new(0));
    let (seen, acknowledged) = mpsc::channel();
    let written = Arc::clone(&counter);
    let other = std::thread::spawn(move || {
        for value in 1..=WAKES {
            written.store(value, Ordering::Relaxed);
            waker.wake();
            // Now and then the loop gets the time to fall asleep, mostly it does not.
            if acknowledged.recv_timeout(common::PATIENCE) != Ok(value) {
                eprintln!("wake-up {value} was lost");
                std::process::abort();
            }
            if value % 7 == 0 {
                std::thread::yield_now();
            }
        }
    });
    let mut last = 0;
    while last < WAKES {
        bench.driver.turn(None, &mut bench.out).unwrap();
        let value = counter.load(Ordering::Relaxed);
        if value > last {
            assert_eq!(value, last + 1);
            last = value;
            seen.send(value).unwrap();
        }
    }
    other.join().unwrap();
}

/// Shows that wake-ups from several threads at once, not waiting for the loop, leave it awake
/// after the last of them.
#[test]
fn wake_ups_from_several_threads() {
    let mut bench: Bench = Bench::new(config());
    let total = Arc::new(AtomicU64::new(0));
    let others: Vec<_> = (0..4)
        .map(|_| {
            let (waker, total) = (bench.driver.waker(), Arc::clone(&total));
            std::thread::spawn(move || {
                for _ in 0..WAKES / 4 {
                    total.fetch_add(1, Ordering::Relaxed);
                    waker.wake();
                }
            })
        })
        .collect();
    let give_up = Instant::now() + common::PATIENCE;
    while total.load(Ordering::Relaxed) < WAKES {
        let until = bench.driver.now() + common::PATIENCE;
        bench.driver.turn(Some(until), &mut bench.out).unwrap();
        assert!(Instant::now() < give_up, "a wake-up was lost");
    }
    others.into_iter().for_each(|other| other.join().unwrap());
}

/// Shows that a wake-up counts once: the turn after it waits again.
#[test]
fn a_wake_up_counts_once() {
    let mut bench: Bench = Bench::new(config());
    bench.driver.waker().wake();
    bench.driver.waker().wake();
    let far = bench.driver.now() + common::PATIENCE;
    bench.driver.turn(Some(far), &mut bench.out).unwrap();
    assert!(bench.driver.now() < far, "the wake-up ended the wait");
    let near = bench.driver.now() + Duration::from_millis(20);
    bench.driver.turn(Some(near), &mut bench.out).unwrap();
    assert!(bench.driver.now() >= near, "nothing ended this one");
}

/// Shows that signals neither end a turn's wait nor are an error.
#[test]
fn signals_do_not_end_the_wait() {
    extern "C" fn nothing(_: libc::c_int) {}
    // SAFETY: the handler does nothing, which is safe in a signal.
    unsafe { libc::signal(libc::SIGUSR1, nothing as *const () as libc::sighandler_t) };
    let mut bench: Bench = Bench::new(config());
    // SAFETY: no precondition.
    let this = unsafe { libc::pthread_self() };
    let stop = Arc::new(AtomicU64::new(0));
    let stopped = Arc::clone(&stop);
    let other = std::thread::spawn(move || {
        let mut sent = 0u32;
        while stopped.load(Ordering::Relaxed) == 0 {
            // SAFETY: the thread that it names joins this one before it ends.
            unsafe { libc::pthread_kill(this, libc::SIGUSR1) };
            sent += 1;
            std::thread::yield_now();
        }
        sent
    });
    let until = bench.driver.now() + Duration::from_millis(100);
    let turned = bench.driver.turn(Some(until), &mut bench.out);
    stop.store(1, Ordering::Relaxed);
    assert!(other.join().unwrap() > 10, "there were signals");
    turned.unwrap();
    assert!(bench.driver.now() >= until);
}
