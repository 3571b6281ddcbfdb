//! Which zones there are, and which CPUs each one's loops and control threads get.
//!
//! A zone is a NUMA node's CPUs, memory and network cards. A *virtual* zone is a slice
//! of a node, for machines that have only one. The plan is pure: it looks at a
//! [`Topology`] and changes nothing. What is not as good as it could be (zones that share
//! CPUs, memory that cannot be bound) is in [`Zone::warnings`], for the log.

mod draft;

use std::str::FromStr;

use crate::error::NumaError;
use crate::ids::{LoopId, ZoneId};
use crate::topology::Topology;

/// Most zones, and most loops: the numbers that fit their ids.
const IDS_MAX: usize = u16::MAX as usize;

/// What the configuration says about zones.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ZonesSpec {
    /// One zone for each node that has CPUs for this process.
    Auto,
    /// The machine's CPUs cut into this many slices.
    Virtual(u16),
    /// Exactly these.
    Listed(Vec<ZoneSpec>),
}

impl FromStr for ZonesSpec {
    type Err = NumaError;

    /// Reads `auto` and `virtual:N`, N from 1.
    fn from_str(text: &str) -> Result<Self, NumaError> {
        if text == "auto" {
            return Ok(ZonesSpec::Auto);
        }
        let count = text.strip_prefix("virtual:");
        match count.and_then(|count| count.parse().ok()) {
            None | Some(0) => Err(NumaError::BadZones {
                text: text.to_owned(),
            }),
            Some(count) => Ok(ZonesSpec::Virtual(count)),
        }
    }
}

/// One zone as the operator lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ZoneSpec {
    /// The kernel's numbers of its CPUs, none twice.
    pub cpus: Vec<usize>,
    /// The node of its memory; `None` takes the node that all of its CPUs are on.
    pub node: Option<u32>,
}

/// One zone as planned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Zone {
    /// Its index in the plan.
    pub id: ZoneId,
    /// The node to bind its memory to; `None` when there is no one node.
    pub node: Option<u32>,
    /// Whether it is a slice of the machine rather than a node.
    pub is_virtual: bool,
    /// One loop runs on each of these; never empty.
    pub loop_cpus: Vec<usize>,
    /// Control and callback threads run on these; never empty. The same as `loop_cpus`
    /// when none are kept back.
    pub control_cpus: Vec<usize>,
    /// The network cards on its node; zones on one node all name them.
    pub nics: Vec<String>,
    /// What is not as it should be, a sentence each.
    pub warnings: Vec<String>,
}

/// Where one loop runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LoopPlace {
    /// Its index over all zones.
    pub id: LoopId,
    /// Its zone.
    pub zone: ZoneId,
    /// The CPU to pin it to.
    pub cpu: usize,
}

/// Plans the zones of this machine; ids count from 0 in the order of the result.
///
/// Each zone keeps `control_cpus` of its CPUs back for control threads. With 0, or where
/// it would leave no CPU for a loop, control threads share all of the zone's CPUs; only
/// the latter is a warning.
///
/// # Errors
/// [`NumaError::NoCpus`] when the topology has none, [`NumaError::NoZones`] when none are
/// asked for, the errors of a list that does not fit the machine, and
/// [`NumaError::TooManyZones`] and [`NumaError::TooManyLoops`].
pub fn plan(
    topology: &Topology,
    spec: &ZonesSpec,
    control_cpus: usize,
) -> Result<Vec<Zone>, NumaError> {
    if topology.nodes.iter().all(|node| node.cpus.is_empty()) {
        return Err(NumaError::NoCpus);
    }
    let drafts = match spec {
        ZonesSpec::Auto => draft::whole_nodes(topology),
        ZonesSpec::Virtual(count) => draft::slices(topology, usize::from(*count)),
        ZonesSpec::Listed(list) => draft::listed(topology, list)?,
    };
    if drafts.is_empty() {
        return Err(NumaError::NoZones);
    }
    if drafts.len() > IDS_MAX {
        let zones = drafts.len();
        return Err(NumaError::TooManyZones {
            zones,
            max: IDS_MAX,
        });
    }
    let drafts = (0_u16..).map(ZoneId).zip(drafts);
    let zones: Vec<Zone> = drafts
        .map(|(id, draft)| draft.finish(id, topology, control_cpus))
        .collect();
    let loops = zones.iter().map(|zone| zone.loop_cpus.len()).sum();
    if loops > IDS_MAX {
        return Err(NumaError::TooManyLoops {
            loops,
            max: IDS_MAX,
        });
    }
    Ok(zones)
}

/// All loops of a plan, zone by zone, in the order of their ids.
#[must_use]
pub fn loops(zones: &[Zone]) -> Vec<LoopPlace> {
    let cpus = zones
        .iter()
        .flat_map(|zone| zone.loop_cpus.iter().map(|&cpu| (zone.id, cpu)));
    let ids = (0..=u16::MAX).map(LoopId);
    ids.zip(cpus)
        .map(|(id, (zone, cpu))| LoopPlace { id, zone, cpu })
        .collect()
}

#[cfg(test)]
mod tests;
