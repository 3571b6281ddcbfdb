//! A whole live load: producers on a thread of their own, viewers on a thread for each CPU, a
//! warm-up, what is measured, and whether that counts.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use super::audience::Audience;
use super::encoders::{Encoders, Uploaded};
use super::report::LiveReport;
use super::spec::{LiveSpec, ProduceSpec};
use super::tally::Tally;
use crate::LoadError;
use crate::usage::{self, CpuTime};

const SECOND: Duration = Duration::from_secs(1);
/// Producers have this long before viewers come: what is preloaded should be there.
const HEAD_START: Duration = Duration::from_millis(500);

/// How long, and where.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Before anything counts; whole seconds.
    pub warm_up: Duration,
    /// What counts; whole seconds.
    pub measured: Duration,
    /// A thread of viewers for each of these CPUs, which it keeps to; none: one thread anywhere.
    /// Producers share the last one.
    pub cpus: Vec<usize>,
}

/// What a second came to, over all threads.
#[derive(Debug)]
pub struct Second {
    /// Which one, from 1.
    pub number: u64,
    /// It is measured.
    pub counts: bool,
    /// What came in it.
    pub tally: Tally,
    /// Viewers that are there.
    pub viewers: usize,
    /// The busiest viewers' thread, as a share of the second.
    pub own_share: f64,
}

/// What a thread sends after each second.
struct Said {
    number: u64,
    tally: Tally,
    viewers: usize,
    /// CPU time of the thread in the second.
    own: Duration,
}

/// What is measured beside the viewers: looked at when the warm-up is over.
struct Marks {
    at: Instant,
    cpus: Vec<CpuTime>,
}

/// Runs it all; `each` is called after every second and says whether to go on.
///
/// # Errors
/// A thread cannot do its work: a CPU that does not exist, files that cannot be written.
pub fn run(
    spec: LiveSpec,
    produce: Option<ProduceSpec>,
    plan: &Plan,
    mut each: impl FnMut(&Second) -> bool,
) -> Result<LiveReport, LoadError> {
    let spec = Arc::new(spec);
    let (stop, warmed) = (AtomicBool::new(false), AtomicBool::new(false));
    let (stop, warmed) = (&stop, &warmed);
    let threads = plan.cpus.len().max(1);
    let seconds = (plan.warm_up + plan.measured).as_secs();
    thread::scope(|scope| {
        let _stops = Stops(stop);
        let producer_cpu = plan.cpus.last().copied();
        let producers = produce.map(|produce| {
            scope.spawn(move || {
                let _stops = Stops(stop);
                produce_until(produce, producer_cpu, stop, warmed)
            })
        });
        if producers.is_some() {
            thread::sleep(HEAD_START);
        }
        let began = Instant::now();
        let (say, hear) = channel();
        let mut audiences = Vec::new();
        for index in 0..threads {
            let (spec, say) = (Arc::clone(&spec), say.clone());
            let cpu = plan.cpus.get(index).copied();
            let share = (index as u32, threads as u32);
            audiences.push(scope.spawn(move || {
                let _stops = Stops(stop);
                watch(spec, began, share, cpu, stop, &say)
            }));
        }
        drop(say);
        let mut sums = Sums::new(plan, threads);
        let mut marks = match plan.warm_up.as_secs() {
            0 => Some(Marks::now(plan)?),
            _ => None,
        };
        for number in 1..=seconds {
            let Some(second) = sums.hear(&hear, number) else {
                break;
            };
            if second.counts {
                sums.measured.add(&second.tally);
            }
            if !each(&second) {
                break;
            }
            if number == plan.warm_up.as_secs() {
                marks = Some(Marks::now(plan)?);
                warmed.store(true, Ordering::Relaxed);
            }
        }
        let ended = Marks::now(plan);
        stop.store(true, Ordering::Relaxed);
        for audience in audiences {
            joined(audience.join())?;
        }
        let uploaded = producers.map(|thread| joined(thread.join())).transpose()?;
        let busy = busy(marks.as_ref(), &ended?);
        Ok(LiveReport::new(
            &sums.measured,
            uploaded.as_ref(),
            &sums.own(busy),
        ))
    })
}

/// However a thread ends, the others end, too.
struct Stops<'a>(&'a AtomicBool);

impl Drop for Stops<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn joined<T>(joined: thread::Result<Result<T, LoadError>>) -> Result<T, LoadError> {
    joined.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

impl Marks {
    fn now(plan: &Plan) -> Result<Marks, LoadError> {
        let read = |cpu: &usize| CpuTime::of_cpu(*cpu);
        let cpus: Result<Vec<_>, _> = plan.cpus.iter().map(read).collect();
        let what = "a CPU's time";
        Ok(Marks {
            at: Instant::now(),
            cpus: cpus.map_err(|error| LoadError::System { what, error })?,
        })
    }
}

/// The share of time in which the busiest CPU was busy, and how long that was.
fn busy(before: Option<&Marks>, after: &Marks) -> (f64, f64) {
    let Some(before) = before else {
        return (0.0, 0.0);
    };
    let cpus = before.cpus.iter().zip(&after.cpus);
    let shares = cpus.map(|(before, after)| (*after - *before).busy_share());
    let seconds = (after.at - before.at).as_secs_f64();
    (shares.fold(0.0, f64::max), seconds)
}

/// What the threads have said.
struct Sums {
    warm_up: u64,
    threads: usize,
    measured: Tally,
    viewers: usize,
    /// Of the measured seconds, the busiest thread's shares.
    shares: Vec<f64>,
}

/// What the generator itself came to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Own {
    pub(crate) seconds: f64,
    pub(crate) viewers: usize,
    /// The busiest of the CPUs that it was told to use.
    pub(crate) cpu_busy: f64,
    /// The busiest of its threads.
    pub(crate) thread_busy: f64,
}

impl Sums {
    fn new(plan: &Plan, threads: usize) -> Sums {
        Sums {
            warm_up: plan.warm_up.as_secs(),
            threads,
            measured: Tally::default(),
            viewers: 0,
            shares: Vec::new(),
        }
    }

    /// Waits for what all threads say about a second; `None` once one has ended.
    fn hear(&mut self, hear: &std::sync::mpsc::Receiver<Said>, number: u64) -> Option<Second> {
        let mut second = Second {
            number,
            counts: number > self.warm_up,
            tally: Tally::default(),
            viewers: 0,
            own_share: 0.0,
        };
        // Threads are in step to a second; one that is behind is waited for.
        let mut heard = 0;
        while heard < self.threads {
            let said = hear.recv().ok()?;
            if said.number >= number {
                heard += 1;
            }
            second.tally.add(&said.tally);
            second.viewers += said.viewers;
            second.own_share = second.own_share.max(said.own.as_secs_f64());
        }
        self.viewers = second.viewers;
        if second.counts {
            self.shares.push(second.own_share);
        }
        Some(second)
    }

    fn own(&self, (cpu_busy, seconds): (f64, f64)) -> Own {
        let sum: f64 = self.shares.iter().sum();
        Own {
            seconds,
            viewers: self.viewers,
            cpu_busy,
            thread_busy: sum / self.shares.len().max(1) as f64,
        }
    }
}

fn stay_on(cpu: Option<usize>) -> Result<(), LoadError> {
    let what = "staying on a CPU";
    cpu.map_or(Ok(()), usage::pin)
        .map_err(|error| LoadError::System { what, error })
}

/// The thread of some viewers.
fn watch(
    spec: Arc<LiveSpec>,
    began: Instant,
    share: (u32, u32),
    cpu: Option<usize>,
    stop: &AtomicBool,
    say: &Sender<Said>,
) -> Result<(), LoadError> {
    stay_on(cpu)?;
    let mut audience = Audience::new(spec, began, share)?;
    for number in 1.. {
        let before = usage::thread_time();
        audience.run(began + SECOND * number)?;
        let said = Said {
            number: number.into(),
            tally: audience.take(),
            viewers: audience.count(),
            own: usage::thread_time() - before,
        };
        if stop.load(Ordering::Relaxed) || say.send(said).is_err() {
            break;
        }
    }
    Ok(())
}

/// The thread of the producers: what they did once the warm-up was over.
fn produce_until(
    spec: ProduceSpec,
    cpu: Option<usize>,
    stop: &AtomicBool,
    warmed: &AtomicBool,
) -> Result<Uploaded, LoadError> {
    stay_on(cpu)?;
    let mut encoders = Encoders::new(spec)?;
    let mut dropped = false;
    while !stop.load(Ordering::Relaxed) {
        encoders.run(Instant::now() + Duration::from_millis(100))?;
        if warmed.load(Ordering::Relaxed) && !dropped {
            dropped = true;
            let _ = encoders.take();
        }
    }
    Ok(encoders.take())
}
