//! The clock, wake-ups, and who is turned when.

use std::time::Duration;

use zonecast_io::sim::{Faults, SimConfig, SimWorld};
use zonecast_io::{Driver, Time};

const MS: Duration = Duration::from_millis(1);

/// Shows that the clock moves to the earliest time that a loop waits for, and that only that loop is
/// turned then; a loop sees the new time with its turn.
#[test]
fn the_clock_moves_to_the_next_wait() {
    let world = SimWorld::new(1, Faults::none(), None);
    let mut loops = [0, 1].map(|_| world.driver::<()>(&SimConfig::default()));
    let mut out = Vec::new();
    let mut first = world.step().unwrap();
    first.sort_unstable();
    assert_eq!(first, [0, 1], "both have yet to say what they wait for");
    let start = world.now();
    loops[0].turn(Some(start + MS * 5), &mut out).unwrap();
    loops[1].turn(Some(start + MS * 3), &mut out).unwrap();
    assert_eq!(world.step(), Some(vec![1]));
    assert_eq!(world.now(), start + MS * 3);
    assert_eq!(loops[1].now(), start);
    loops[1].turn(None, &mut out).unwrap();
    assert_eq!(loops[1].now(), start + MS * 3);
    assert_eq!(world.step_until(start + MS * 4), None);
    assert_eq!(world.now(), start + MS * 4);
    assert_eq!(world.step(), Some(vec![0]));
    loops[0].turn(None, &mut out).unwrap();
    assert_eq!(world.step(), None, "nothing can happen any more");
}

/// Shows that a wake-up from one loop makes another run at once, once for any number of them, and
/// that one which comes while nobody turns the loop is not lost.
#[test]
fn a_wake_up_makes_a_loop_run() {
    let world = SimWorld::new(1, Faults::none(), None);
    let mut loops = [0, 1].map(|_| world.driver::<()>(&SimConfig::default()));
    let wakers = [loops[0].waker(), loops[1].waker()];
    let mut out = Vec::new();
    for each in &mut loops {
        each.turn(None, &mut out).unwrap();
    }
    assert_eq!(world.step(), None);
    wakers[1].wake();
    std::thread::spawn({
        let waker = wakers[1].clone();
        move || waker.wake()
    })
    .join()
    .unwrap();
    let before = world.now();
    assert_eq!(world.step(), Some(vec![1]));
    assert!(world.now() - before < MS);
    assert_eq!(world.step(), Some(vec![1]), "it has not been turned yet");
    loops[1].turn(None, &mut out).unwrap();
    assert_eq!(world.step(), Some(vec![1]), "to say what it waits for now");
    loops[1].turn(None, &mut out).unwrap();
    assert_eq!(world.step(), None);

    wakers[0].wake();
    world.stall(0, MS * 10);
    assert_eq!(world.step(), Some(vec![0]));
    assert!(world.now() >= before + MS * 10, "not before the stall ends");
}

/// Shows that time passes for a loop that is never idle, and leaps where the faults say so.
#[test]
fn time_passes_for_a_busy_loop() {
    let mut faults = Faults::none();
    let world = SimWorld::new(1, faults.clone(), None);
    let mut driver = world.driver::<()>(&SimConfig::default());
    for _ in 0..100 {
        assert_eq!(world.step(), Some(vec![0]));
        driver.turn(Some(driver.now()), &mut Vec::new()).unwrap();
    }
    assert_eq!(driver.now(), Time(1_000_000));
    faults.time_jumps = 1000;
    world.set_faults(faults);
    for _ in 0..10 {
        world.step();
    }
    assert!(world.now() > Time(0) + Duration::from_secs(1));
    driver.turn(None, &mut Vec::new()).unwrap();
    assert_eq!(driver.now(), world.now());
    world.advance(MS);
    assert_eq!(world.now(), driver.now() + MS);
}

/// Shows that every loop is turned in every order, sooner or later.
#[test]
fn the_order_of_loops_changes() {
    let world = SimWorld::new(1, Faults::none(), None);
    let drivers: Vec<_> = (0..3)
        .map(|_| world.driver::<()>(&SimConfig::default()))
        .collect();
    let mut orders: Vec<Vec<usize>> = (0..100).filter_map(|_| world.step()).collect();
    orders.sort();
    orders.dedup();
    assert_eq!(orders.len(), 6);
    drop(drivers);
    assert_ne!(world.random(), world.random());
}
