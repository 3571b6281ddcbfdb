//! Many seeds over the machine's processors; a failing one is printed with what replays it.

use std::collections::BTreeMap;
use std::env;
use std::fmt::Write;
use std::path::{Path, PathBuf};
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
) -> Sums {
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
                        println!("{name}: seed {seed}: {outcome:#?}");
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
    let (elapsed, sums) = (begun.elapsed(), std::mem::take(&mut *locked(&sums)));
    println!(
        "{name}: seeds {from} to {}: {elapsed:.1?}; {}",
        to - 1,
        sums.line()
    );
    let mut failures = std::mem::take(&mut *locked(&failures));
    failures.sort_unstable();
    assert!(failures.is_empty(), "{}", report(name, &failures));
    sums
}

fn report(name: &str, failures: &[(u64, String)]) -> String {
    let seeds: Vec<u64> = failures.iter().map(|(seed, _)| *seed).collect();
    let mut text = format!("{} seeds fail: {seeds:?}\n", seeds.len());
    for (seed, why) in failures.iter().take(TOLD_MAX) {
        let mut replay = format!(
            "ZONECAST_SIM_SEED={seed} cargo test -p zonecast-tests --test simulation {name}"
        );
        if let Some(path) = trace(name, *seed) {
            replay = format!("{replay}\nall events: {}", path.display());
        }
        // Writing to a string cannot fail.
        let _ = writeln!(text, "\nseed {seed}: {why}\nreplay: {replay}");
    }
    text
}

/// What all runs did together.
#[derive(Debug, Default)]
pub(crate) struct Sums {
    pub(crate) seeds: u64,
    bodies: u64,
    cuts: u64,
    uploads: usize,
    virtual_seconds: u64,
    pub(crate) tally: BTreeMap<String, u64>,
}

impl Sums {
    fn add(sums: &Mutex<Self>, outcome: &Outcome) {
        let mut sums = locked(sums);
        sums.seeds += 1;
        sums.bodies += outcome.bodies;
        sums.cuts += outcome.cuts;
        sums.uploads += outcome.uploads;
        sums.virtual_seconds += outcome.lasted.as_secs();
        for (what, count) in &outcome.tally {
            *sums.tally.entry(what.clone()).or_default() += count;
        }
    }

    /// What was seen and how often, one a line.
    pub(crate) fn print_tally(&self) {
        for (what, count) in &self.tally {
            println!("{count:>12}  {what}");
        }
    }

    fn line(&self) -> String {
        let Self {
            bodies,
            cuts,
            uploads,
            virtual_seconds,
            ..
        } = self;
        format!("{bodies} bodies, {cuts} cut, {uploads} uploads, {virtual_seconds} virtual seconds")
    }
}

/// Where the run of a seed is told event by event, if that is wanted.
pub(crate) fn trace(name: &str, seed: u64) -> Option<PathBuf> {
    let wanted = env::var_os("ZONECAST_SIM_SEED").is_some();
    wanted.then(|| Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{seed}.txt")))
}

fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}
