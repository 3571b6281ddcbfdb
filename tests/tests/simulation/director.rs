//! What the control plane does in the course of a run, and what ends the process.

use std::time::Duration;

use zonecast_dataplane::simulation::Simulation;
use zonecast_io::Time;

use super::book::Book;
use super::random::Random;
use super::run::RUN_MAX;
use super::scenario::{Kill, Scenario, token};

/// How long what is in flight may go on after a drain.
const DRAIN: Duration = Duration::from_secs(5);
/// What is to outlive a kill is written within so many milliseconds.
const SAVED_WITHIN_MS: usize = 400;

/// See the module's description.
pub(crate) struct Director<'a> {
    scenario: &'a Scenario,
    random: Random,
    reloads: Vec<Time>,
    kills: Vec<Kill>,
    drains: Option<Time>,
    /// The process is killed until then.
    down_until: Option<Time>,
    saves_at: Time,
    saved_at: Time,
    pub(crate) reloaded: bool,
    pub(crate) drained: bool,
}

impl<'a> Director<'a> {
    pub(crate) fn new(scenario: &'a Scenario) -> Self {
        let mut reloads: Vec<Time> = scenario.reloads.iter().map(|at| Time(0) + *at).collect();
        reloads.sort_unstable();
        let mut kills = scenario.kills.clone();
        kills.sort_unstable_by_key(|kill| kill.at);
        Self {
            scenario,
            random: Random::of(scenario.seed, 0xD1),
            reloads,
            kills,
            drains: scenario.drains.map(|at| Time(0) + at),
            down_until: None,
            saves_at: Time(0),
            saved_at: Time(0),
            reloaded: false,
            drained: false,
        }
    }

    /// Nothing more is to happen.
    pub(crate) fn rest(&mut self) {
        self.reloads.clear();
        self.kills.clear();
        self.drains = None;
    }

    /// Whether the process is not there just now.
    pub(crate) fn is_down(&self) -> bool {
        self.down_until.is_some()
    }

    /// Does what is due.
    ///
    /// # Errors
    /// When the process does not start again.
    pub(crate) fn direct(
        &mut self,
        simulation: &mut Simulation,
        book: &mut Book,
        now: Time,
    ) -> Result<(), String> {
        if self.down_until.is_some_and(|until| until > now) {
            return Ok(());
        }
        if self.down_until.take().is_some() {
            simulation.restart().map_err(|error| error.to_string())?;
        }
        self.kill(simulation, book, now);
        if self.is_down() {
            return Ok(());
        }
        if self.saves_at <= now {
            simulation.save();
            self.saved_at = now;
            self.saves_at = now + self.random.up_to_ms(SAVED_WITHIN_MS);
        }
        self.reload(simulation, book, now);
        if self.scenario.stalls && now > Time(0) + Duration::from_millis(500) {
            (0..self.scenario.loops.len()).for_each(|at| simulation.world().stall(at, RUN_MAX));
        }
        if !self.drained && self.drains.is_some_and(|at| at <= now) {
            self.drained = true;
            *book.seen.entry("drained").or_default() += 1;
            simulation.drain(DRAIN);
        }
        Ok(())
    }

    fn kill(&mut self, simulation: &mut Simulation, book: &mut Book, now: Time) {
        let due = self
            .kills
            .first()
            .is_some_and(|kill| Time(0) + kill.at <= now);
        if due && !self.drained {
            let kill = self.kills.remove(0);
            simulation.world().remark("killed");
            simulation.kill();
            book.past.kills.push((now, self.saved_at));
            self.down_until = Some(now + kill.down);
        }
    }

    fn reload(&mut self, simulation: &mut Simulation, book: &mut Book, now: Time) {
        while self.reloads.first().is_some_and(|at| *at <= now) {
            self.reloads.remove(0);
            self.reloaded = true;
            book.past.closings.push(now);
            *book.seen.entry("reloaded").or_default() += 1;
            let mut streams = vec![self.scenario.stream()];
            let random = simulation.world().random();
            if random & 1 == 0 {
                streams[0].zone = Some(self.scenario.loops[0]);
            }
            if random & 2 == 0 {
                simulation.reload(Vec::new(), None);
            }
            simulation.reload(streams, Some(token()));
        }
    }

    /// The earlier of `wake` and what is due next.
    pub(crate) fn next(&self, wake: Time) -> Time {
        let drains = self.drains.filter(|_| !self.drained);
        let kills = self.kills.first().map(|kill| Time(0) + kill.at);
        let saves = (!self.scenario.kills.is_empty()).then_some(self.saves_at);
        let next = self.reloads.first().copied().into_iter();
        let next = next.chain(drains).chain(kills).chain(saves);
        match self.down_until {
            Some(until) => wake.min(until),
            None => next.fold(wake, Time::min),
        }
    }
}
