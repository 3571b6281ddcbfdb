//! The whole pipeline under the simulated driver: what viewers get is right or visibly cut,
//! everybody is answered, and everything is given back.
//!
//! One seed is one run. `ZONECAST_SIM_SEEDS=N` takes the first N seeds, `ZONECAST_SIM_SEED=S`
//! that one alone.

mod actor;
mod book;
mod director;
mod encoder;
mod identity;
mod objects;
mod random;
mod request;
mod response;
mod run;
mod scenario;
mod seeds;
mod vandal;
mod viewer;
mod wire;

mod book_tests;
mod canaries;

use std::time::Duration;

use run::run;
use scenario::Scenario;
use seeds::each_seed;

/// Seeds of the hostile runs, unless the environment says otherwise.
const SEEDS: u64 = 200;

/// A body is with its viewer so soon after it was all there, where nothing goes wrong.
const LATE_MAX: Duration = Duration::from_millis(20);

/// One encoder and three viewers, and nothing goes wrong: what is uploaded is got, whole.
#[test]
fn a_calm_run() {
    each_seed("a_calm_run", 20, |seed| {
        let outcome = run(&Scenario::calm(seed))?;
        let usual = |status: &u16| matches!(status, 200 | 206 | 304 | 404 | 416);
        let as_usual = outcome.answers.keys().all(usual);
        let enough = outcome.bodies >= 10 && outcome.uploads >= 10;
        let all_there = outcome.cuts == 0 && outcome.lost == 0 && outcome.lapped == 0;
        if as_usual && enough && all_there && outcome.late < LATE_MAX {
            Ok(outcome)
        } else {
            Err(format!("{outcome:?}"))
        }
    });
}

/// A range of an object that is still being uploaded is that range.
#[test]
fn ranges_of_open_objects() {
    each_seed("ranges_of_open_objects", 150, |seed| {
        let outcome = run(&Scenario::ranges(seed))?;
        if outcome.cuts == 0 {
            Ok(outcome)
        } else {
            Err(format!("{outcome:?}"))
        }
    });
}

/// Many encoders and viewers, plain and TLS, in all weathers.
#[test]
fn any_weather() {
    each_seed("any_weather", SEEDS, |seed| run(&Scenario::from_seed(seed)));
}

/// In the middle of it all nobody is accepted any more: what is in flight ends, and then the
/// loops.
#[test]
fn a_drain_in_the_middle() {
    each_seed("a_drain_in_the_middle", SEEDS / 2, |seed| {
        let mut scenario = Scenario::from_seed(seed);
        scenario.drains = Some(Duration::from_millis(seed * 7919 % 4000));
        run(&scenario)
    });
}

/// A seed is a run: twice the same, event by event.
#[test]
fn a_seed_repeats() {
    each_seed("a_seed_repeats", 10, |seed| {
        let first = run(&Scenario::from_seed(seed))?;
        let again = run(&Scenario::from_seed(seed))?;
        if first.log_hash != again.log_hash {
            return Err(format!("{first:?} and {again:?}"));
        }
        Ok(again)
    });
}
