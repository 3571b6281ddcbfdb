//! What the control plane does in the course of a run.

use std::time::Duration;

use zonecast_dataplane::simulation::Simulation;
use zonecast_io::Time;

use super::run::RUN_MAX;
use super::scenario::{Scenario, token};

/// How long what is in flight may go on after a drain.
const DRAIN: Duration = Duration::from_secs(5);

/// See the module's description.
pub(crate) struct Director<'a> {
    scenario: &'a Scenario,
    reloads: Vec<Time>,
    pub(crate) reloaded: bool,
    pub(crate) drained: bool,
}

impl<'a> Director<'a> {
    pub(crate) fn new(scenario: &'a Scenario) -> Self {
        let mut reloads: Vec<Time> = scenario.reloads.iter().map(|at| Time(0) + *at).collect();
        reloads.sort_unstable();
        Self {
            scenario,
            reloads,
            reloaded: false,
            drained: false,
        }
    }

    /// Does what is due.
    pub(crate) fn direct(&mut self, simulation: &mut Simulation, now: Time) {
        while self.reloads.first().is_some_and(|at| *at <= now) {
            self.reloads.remove(0);
            self.reloaded = true;
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
        if self.scenario.stalls && now > Time(0) + Duration::from_millis(500) {
            (0..self.scenario.loops.len()).for_each(|at| simulation.world().stall(at, RUN_MAX));
        }
        let due = self.scenario.drains.map(|at| Time(0) + at);
        if !self.drained && due.is_some_and(|at| at <= now) {
            self.drained = true;
            simulation.drain(DRAIN);
        }
    }

    /// The earlier of `wake` and what is due next.
    pub(crate) fn next(&self, wake: Time) -> Time {
        let drains = self.scenario.drains.filter(|_| !self.drained);
        let drains = drains.map(|at| Time(0) + at);
        let next = self.reloads.first().copied().into_iter().chain(drains);
        next.fold(wake, Time::min)
    }
}
