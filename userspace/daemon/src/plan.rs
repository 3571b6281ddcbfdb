//! Zones of this machine, as the configuration asks for them.

use zonecast_numa::topology::Topology;
use zonecast_numa::zones::{self, ZonesSpec};

use crate::config::Planned;

/// Looks at the machine and plans its zones.
///
/// # Errors
/// What the machine lacks, or the specification gets wrong, for the operator.
pub fn plan(spec: &ZonesSpec, control_cpus: usize) -> Result<Planned, String> {
    let topology = Topology::discover();
    let zones = zones::plan(&topology, spec, control_cpus).map_err(|error| error.to_string())?;
    let of_zones = zones.iter().flat_map(|zone| {
        zone.warnings
            .iter()
            .map(|warning| format!("zone {}: {warning}", zone.id))
    });
    let notes = topology.warnings.iter().cloned().chain(of_zones).collect();
    Ok(Planned { zones, notes })
}

/// CPUs that only control threads run on, over all zones; empty where loops run on all of them.
#[must_use]
pub fn control_cpus(planned: &Planned) -> Vec<usize> {
    let has_loop = |cpu: &usize| {
        planned
            .zones
            .iter()
            .any(|zone| zone.loop_cpus.contains(cpu))
    };
    let mut cpus: Vec<usize> = planned
        .zones
        .iter()
        .flat_map(|zone| zone.control_cpus.iter().copied())
        .collect();
    cpus.retain(|cpu| !has_loop(cpu));
    cpus.sort_unstable();
    cpus.dedup();
    cpus
}
