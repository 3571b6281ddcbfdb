//! Many seeds over the machine's processors; a failing one is printed with what replays it.

use std::env;
use std::fmt::Write;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use super::run::Outcome;

/// Failures that are told in full.
const TOLD_MAX: usize = 3;

/// Runs `test` on each seed.
///
/// # Panics
/// When one fails.
pub(crate) fn each_seed(
    name: &str,
    seeds: u64,
    test: impl Fn(u64) -> Result<Outcome, String> + Sync,
) {
    let wanted = |name| {
        env::var(name)
            .ok()
            .and_then(|text| text.parse::<u64>().ok())
    };
    let (from, to) = match (wanted("ZONECAST_SIM_SEED"), wanted("ZONECAST_SIM_SEEDS")) {
        (Some(seed), _) => (seed, seed + 1),
        (None, Some(count)) => (0, count),
        (None, None) => (0, seeds),
    };
    let next = AtomicU64::new(from);
    let failures: Mutex<Vec<(u64, String)>> = Mutex::default();
    let sums: Mutex<Sums> = Mutex::default();
    let begun = Instant::now();
    let work = || {
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= to {
                return;
            }
            match test(seed) {
                Ok(outcome) => {
                    if to - from == 1 {
                        println!("{name}: seed {seed}: {outcome:?}");
                    }
                    Sums::add(&sums, &outcome);
                }
                Err(why) => locked(&failures).push((seed, why)),
            }
        }
    };
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(work);
        }
    });
    let (elapsed, sums) = (begun.elapsed(), locked(&sums));
    println!(
        "{name}: seeds {from} to {}: {elapsed:.1?}; {:?}",
        to - 1,
        *sums
    );
    let mut failures = std::mem::take(&mut *locked(&failures));
    failures.sort_unstable();
    assert!(failures.is_empty(), "{}", report(name, &failures));
}

fn report(name: &str, failures: &[(u64, String)]) -> String {
    let seeds: Vec<u64> = failures.iter().map(|(seed, _)| *seed).collect();
    let mut text = format!("{} seeds fail: {seeds:?}\n", seeds.len());
    for (seed, why) in failures.iter().take(TOLD_MAX) {
        let replay = format!(
            "ZONECAST_SIM_SEED={seed} cargo test -p zonecast-tests --test simulation {name}"
        );
        // Writing to a string cannot fail.
        let _ = writeln!(text, "\nseed {seed}: {why}\nreplay: {replay}");
    }
    text
}

/// What all runs did together.
#[derive(Debug, Default)]
struct Sums {
    bodies: u64,
    cuts: u64,
    lapped: u64,
    uploads: usize,
    handshakes: u64,
    virtual_seconds: u64,
    answers: std::collections::BTreeMap<u16, u64>,
}

impl Sums {
    fn add(sums: &Mutex<Self>, outcome: &Outcome) {
        let mut sums = locked(sums);
        sums.bodies += outcome.bodies;
        sums.cuts += outcome.cuts;
        sums.lapped += outcome.lapped;
        sums.uploads += outcome.uploads;
        sums.handshakes += outcome.handshakes;
        sums.virtual_seconds += outcome.lasted.as_secs();
        for (status, count) in &outcome.answers {
            *sums.answers.entry(*status).or_default() += count;
        }
    }
}

fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}
