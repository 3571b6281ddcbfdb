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

/// One encoder and three viewers, and nothing goes wrong: what is uploaded is got, whole.
#[test]
fn a_calm_run() {
    each_seed("a_calm_run", 20, |seed| {
        let outcome = run(&Scenario::calm(seed))?;
        let other = |(status, _): &&(u16, u64)| !matches!(status, 1 | 200 | 404);
        match outcome.answers.iter().find(other) {
            Some(answer) => Err(format!("{answer:?} in {outcome:?}")),
            None if outcome.bodies < 10 || outcome.uploads < 10 => Err(format!("{outcome:?}")),
            None => Ok(outcome),
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
