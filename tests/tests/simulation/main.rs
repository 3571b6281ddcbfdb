//! The whole pipeline under the simulated driver: what viewers get is right or visibly cut,
//! everybody is answered, and everything is given back.
//!
//! One seed is one run. `ZONECAST_SIM_SEEDS=N` takes the first N seeds, `ZONECAST_SIM_SEED=S`
//! that one alone.

mod actor;
mod audit;
mod book;
mod coverage;
mod director;
mod egress;
mod encoder;
mod identity;
mod ledger;
mod manner;
mod missing;
mod objects;
mod random;
mod request;
mod response;
mod run;
mod scenario;
mod seeds;
mod upload;
mod vandal;
mod viewer;
mod weather;
mod wire;

mod book_tests;
mod canaries;

use std::time::Duration;

use run::{run, run_traced};
use scenario::Scenario;
use seeds::{each_seed, trace};

/// Seeds of the hostile runs, unless the environment says otherwise.
const SEEDS: u64 = 3000;

/// So many seeds show everything there is to see.
const SEEDS_THAT_SHOW_ALL: u64 = 1000;

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
        let all_there = outcome.cuts == 0 && outcome.lost == 0;
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

/// Many encoders and viewers, plain and TLS, in all weathers, with kills, drains and reloads.
#[test]
fn any_weather() {
    let sums = each_seed("any_weather", SEEDS, |seed| {
        let trace = trace("any_weather", seed);
        run_traced(&Scenario::from_seed(seed), trace.as_deref())
    });
    sums.print_tally();
    if sums.seeds >= SEEDS_THAT_SHOW_ALL {
        let missing = coverage::missing(&sums.tally, sums.seeds);
        assert!(
            missing.is_empty(),
            "seen too seldom:\n{}",
            missing.join("\n")
        );
    }
}

/// A seed is a run: twice the same, event by event.
#[test]
fn a_seed_repeats() {
    each_seed("a_seed_repeats", 30, |seed| {
        let first = run(&Scenario::from_seed(seed))?;
        let again = run(&Scenario::from_seed(seed))?;
        if first.log_hash != again.log_hash {
            return Err(format!("{first:?} and {again:?}"));
        }
        Ok(again)
    });
}
