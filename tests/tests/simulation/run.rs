//! One run from its beginning to the last byte given back.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use zonecast_dataplane::simulation::Simulation;
use zonecast_io::Time;
use zonecast_io::sim::Faults;

use super::actor::{Actor, Next, Stage};
use super::book::Book;
use super::director::Director;
use super::encoder::Encoder;
use super::random::Random;
use super::scenario::Scenario;
use super::vandal::Vandal;
use super::viewer::Viewer;

/// Everybody is to be done by then, in virtual time.
pub(crate) const RUN_MAX: Duration = Duration::from_secs(1200);
/// How long what a connection held may stay after the last peer has gone: the longest deadline
/// and some more.
const SETTLE: Duration = Duration::from_secs(150);
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
    /// Viewers whom the ring has passed.
    pub(crate) lapped: u64,
    /// Uploads that were taken.
    pub(crate) uploads: usize,
    /// Answers by status.
    pub(crate) answers: BTreeMap<u16, u64>,
    /// Handshakes that viewers and encoders made.
    pub(crate) handshakes: u64,
    /// The same for two runs of one seed.
    pub(crate) log_hash: u64,
    /// Virtual time.
    pub(crate) lasted: Duration,
}

/// Runs it; what went wrong, or the panic that it ended with, is the error.
pub(crate) fn run(scenario: &Scenario) -> Result<Outcome, String> {
    let caught = catch_unwind(AssertUnwindSafe(|| run_to_end(scenario)));
    caught.unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panic.downcast_ref::<&str>().map(|s| (*s).to_owned()));
        Err(format!("panic: {}", text.unwrap_or_default()))
    })
}

fn run_to_end(scenario: &Scenario) -> Result<Outcome, String> {
    let mut simulation = Simulation::new(scenario.pipeline()).map_err(|e| e.to_string())?;
    let clients = scenario.clients();
    let mut director = Director::new(scenario);
    let mut book = Book::default();
    let mut actors = actors(scenario);
    let told = |simulation: &Simulation, why: String| {
        let (now, recent) = (simulation.world().now(), simulation.world().recent());
        let held = simulation.held().join("; ");
        format!("{why}\nat {now:?}; held: {held}\nthe last events:\n{recent}")
    };
    loop {
        let now = simulation.world().now();
        director.direct(&mut simulation, now);
        let mut wake = now + LOOK;
        let mut all_done = true;
        for actor in &mut actors {
            let mut stage = Stage {
                simulation: &simulation,
                book: &mut book,
                tls: clients.as_ref(),
                reloaded: director.reloaded,
                drained: director.drained,
                now,
            };
            match actor
                .act(&mut stage)
                .map_err(|why| told(&simulation, why))?
            {
                Next::Done => continue,
                Next::At(at) => wake = wake.min(at.max(now + Duration::from_micros(1))),
                Next::Whenever => {}
            }
            all_done = false;
        }
        let over = simulation.out_of_bounds();
        if !over.is_empty() {
            return Err(told(&simulation, over.join("; ")));
        }
        let ends = !director.drained || simulation.finished();
        if all_done && ends {
            break;
        }
        if now > Time(0) + RUN_MAX {
            return Err(told(&simulation, "it does not come to an end".into()));
        }
        simulation.step_until(director.next(wake));
    }
    drop(actors);
    let lasted = simulation.world().now() - Time(0);
    if !director.drained {
        end(&mut simulation).map_err(|why| told(&simulation, why))?;
    }
    let counters = simulation.counters();
    let handshakes =
        |z: &zonecast_dataplane::ZoneCounters| z.handshakes_full + z.handshakes_resumed;
    Ok(Outcome {
        bodies: book.bodies,
        cuts: book.cuts,
        lost: book.lost,
        late: book.late,
        lapped: counters.zones.iter().map(|zone| zone.viewers_lapped).sum(),
        uploads: book.taken(),
        answers: book.answers,
        handshakes: counters.zones.iter().map(handshakes).sum(),
        log_hash: simulation.world().log_hash(),
        lasted,
    })
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
    simulation.world().set_faults(Faults::none());
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
