//! One run from its beginning to the last byte given back.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;
use zonecast_dataplane::simulation::Simulation;
use zonecast_io::Time;
use zonecast_io::sim::Faults;

use super::actor::{Actor, Next, Stage};
use super::audit::auditors;
use super::book::Book;
use super::coverage;
use super::director::Director;
use super::encoder::Encoder;
use super::ledger;
use super::random::Random;
use super::scenario::Scenario;
use super::vandal::Vandal;
use super::viewer::Viewer;

/// Everybody is to be done by then, in virtual time.
pub(crate) const RUN_MAX: Duration = Duration::from_secs(1200);
/// How long what a connection held may stay after the last peer has gone: the longest deadline
/// and some more.
const SETTLE: Duration = Duration::from_secs(150);
/// An upload that is left in the middle is over by then: longer than `ingest_idle`.
const LEFT: Duration = Duration::from_secs(6);
/// Actors that wait for something that comes look at least this often.
const LOOK: Duration = Duration::from_secs(1);

/// What came of a run.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// Bodies that viewers got whole.
    pub(crate) bodies: u64,
    /// Bodies that they got a part of.
    pub(crate) cuts: u64,
    /// See [`Book`].
    pub(crate) lost: u64,
    /// See [`Book`].
    pub(crate) late: Duration,
    /// Uploads that were taken.
    pub(crate) uploads: usize,
    /// Answers to viewers by status.
    pub(crate) answers: BTreeMap<u16, u64>,
    /// Faults, outcomes and what else was seen, and how often.
    pub(crate) tally: BTreeMap<String, u64>,
    /// The same for two runs of one seed.
    pub(crate) log_hash: u64,
    /// Virtual time, without leaps.
    pub(crate) lasted: Duration,
}

/// Runs it; what went wrong, or the panic that it ended with, is the error.
pub(crate) fn run(scenario: &Scenario) -> Result<Outcome, String> {
    run_traced(scenario, None)
}

/// As [`run`]; every event is written to `trace`.
pub(crate) fn run_traced(scenario: &Scenario, trace: Option<&Path>) -> Result<Outcome, String> {
    let caught = catch_unwind(AssertUnwindSafe(|| run_to_end(scenario, trace)));
    caught.unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panic.downcast_ref::<&str>().map(|s| (*s).to_owned()));
        Err(format!("panic: {}", text.unwrap_or_default()))
    })
}

fn run_to_end(scenario: &Scenario, trace: Option<&Path>) -> Result<Outcome, String> {
    let folder = match scenario.kills.is_empty() {
        true => None,
        false => Some(tempfile::tempdir().map_err(|error| error.to_string())?),
    };
    let state_dir = folder.as_ref().map(|folder| folder.path().to_owned());
    let pipeline = scenario.pipeline(state_dir);
    let mut simulation = Simulation::new(pipeline).map_err(|e| e.to_string())?;
    if trace.is_some() {
        simulation.world().keep(usize::MAX);
    }
    let mut book = Book::default();
    book.past = scenario.past();
    let done = play(scenario, &mut simulation, &mut book, trace.is_some());
    let recent = simulation.world().recent();
    if let Some(path) = trace {
        std::fs::write(path, &recent).map_err(|error| error.to_string())?;
    }
    let lasted = done.map_err(|why| {
        let (now, held) = (simulation.world().now(), simulation.held().join("; "));
        let last: Vec<&str> = recent.lines().rev().take(64).collect();
        let last: Vec<&str> = last.into_iter().rev().collect();
        format!(
            "{why}\nat {now:?}; held: {held}\nthe last events:\n{}",
            last.join("\n")
        )
    })?;
    let tally = coverage::tally(&simulation, &book);
    Ok(Outcome {
        bodies: book.bodies,
        cuts: book.cuts,
        lost: book.lost,
        late: book.late,
        uploads: book.taken(),
        answers: book.answers,
        tally,
        log_hash: simulation.world().log_hash(),
        lasted,
    })
}

/// The run proper, the audit, and the end; returns how long the first took.
fn play(
    scenario: &Scenario,
    simulation: &mut Simulation,
    book: &mut Book,
    told: bool,
) -> Result<Duration, String> {
    let mut director = Director::new(scenario);
    let mut play = Play {
        tls: scenario.clients(),
        told,
        actors: actors(scenario),
    };
    play.until_done(simulation, book, &mut director)?;
    let lasted = simulation.world().now() - Time(0);
    if !director.drained {
        simulation.world().set_faults(Faults::none());
        simulation.end_late_mail();
        director.rest();
        // Uploads that were left in the middle are cut by then, with whoever reads them.
        simulation.run_for(LEFT);
        play.actors = auditors(scenario.loops.len()).collect();
        play.until_done(simulation, book, &mut director)?;
        drop(play);
        end(simulation)?;
    }
    ledger::audit(simulation, book, scenario.vandalism)?;
    Ok(lasted)
}

/// Some actors before a pipeline.
struct Play {
    tls: Option<[Arc<ClientConfig>; 2]>,
    told: bool,
    actors: Vec<Box<dyn Actor>>,
}

impl Play {
    /// Lets them act until all have done what they wanted.
    fn until_done(
        &mut self,
        simulation: &mut Simulation,
        book: &mut Book,
        director: &mut Director<'_>,
    ) -> Result<(), String> {
        loop {
            let now = simulation.world().now();
            let leapt = simulation.world().leapt();
            director.direct(simulation, book, now)?;
            let mut wake = now + LOOK;
            let mut all_done = !director.is_down();
            let awake = Time(0) + ((now - Time(0)) - leapt);
            let reloaded = director.reloaded || book.past.may_idle(leapt);
            for actor in &mut self.actors {
                let mut stage = Stage {
                    simulation,
                    book,
                    tls: self.tls.as_ref(),
                    reloaded,
                    drained: director.drained,
                    now,
                    awake,
                    told: self.told,
                };
                match actor.act(&mut stage)? {
                    Next::Done => continue,
                    Next::At(at) => wake = wake.min(at.max(now + Duration::from_micros(1))),
                    Next::Whenever => {}
                }
                all_done = false;
            }
            let over = simulation.out_of_bounds();
            if !over.is_empty() {
                return Err(over.join("; "));
            }
            let ends = !director.drained || simulation.finished();
            if all_done && ends {
                return Ok(());
            }
            if awake > Time(0) + RUN_MAX {
                return Err("it does not come to an end".into());
            }
            simulation.step_until(director.next(wake));
        }
    }
}

fn actors(scenario: &Scenario) -> Vec<Box<dyn Actor>> {
    let mut actors: Vec<Box<dyn Actor>> = Vec::new();
    for plan in &scenario.encoders {
        let random = Random::of(scenario.seed, 1 + actors.len() as u64);
        actors.push(Box::new(Encoder::new(plan.clone(), random)));
    }
    for plan in &scenario.viewers {
        let random = Random::of(scenario.seed, 1 + actors.len() as u64);
        actors.push(Box::new(Viewer::new(plan.clone(), random)));
    }
    if scenario.vandalism > 0 {
        let random = Random::of(scenario.seed, 1 + actors.len() as u64);
        actors.push(Box::new(Vandal::new(scenario.vandalism, random)));
    }
    actors
}

/// Everybody has gone: what they held comes back, then what the streams held, then the loops
/// end.
fn end(simulation: &mut Simulation) -> Result<(), String> {
    let limit = simulation.world().now() + SETTLE;
    simulation.run_until_quiet(limit, Simulation::held)?;
    simulation.reload(Vec::new(), None);
    let limit = simulation.world().now() + SETTLE;
    simulation.run_until_quiet(limit, Simulation::memory_held)?;
    simulation.drain(Duration::from_secs(5));
    simulation.run_for(Duration::from_secs(20));
    if !simulation.finished() {
        return Err("a loop does not end".into());
    }
    Ok(())
}

/// Waits for something to be given back.
trait Quiet {
    fn run_until_quiet(
        &mut self,
        limit: Time,
        held: fn(&Simulation) -> Vec<String>,
    ) -> Result<(), String>;
}

impl Quiet for Simulation {
    fn run_until_quiet(
        &mut self,
        limit: Time,
        held: fn(&Simulation) -> Vec<String>,
    ) -> Result<(), String> {
        loop {
            let left = held(self);
            if left.is_empty() {
                return Ok(());
            }
            if self.world().now() >= limit {
                return Err(format!("not given back: {}", left.join("; ")));
            }
            self.run_for(Duration::from_millis(100));
        }
    }
}
