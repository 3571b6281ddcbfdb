//! How much of everything a run has: object sizes, viewers, streams; and the grid of these
//! points that a scenario goes through.

use std::fmt;

use anyhow::{Result, bail};
use serde::{Deserialize, Serialize};

use crate::cli::Arguments;
use crate::scenarios::{Scenario, curves, memory, streams};

/// With how much of everything a run is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Point {
    /// Bytes of an object.
    pub object_bytes: u32,
    /// Viewers.
    pub connections: u32,
    /// Streams that the objects are spread over.
    pub streams: u32,
}

/// Something that grows from point to point.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Axis {
    /// Bytes of an object.
    ObjectBytes,
    /// Viewers.
    Connections,
    /// Streams.
    Streams,
}

/// One part of a scenario at one point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Leg {
    /// The part.
    pub case: &'static str,
    /// See [`Point`].
    pub point: Point,
}

/// Sizes of `--grid`, in bytes.
const GRID_SIZES: [u32; 4] = [10_000, 100_000, 500_000, 4_000_000];
/// Viewers of `--grid`.
const GRID_CONNECTIONS: [u32; 4] = [1, 100, 1_000, 10_000];
/// Viewers of `memory --grid`.
const GRID_VIEWERS: [u32; 5] = [1_000, 5_000, 15_000, 36_000, 50_000];

/// Streams of `streams`, and bytes of the object in each.
const STREAM_COUNTS: [u32; 3] = [1, 100, 10_000];
const STREAM_BYTES: u32 = 10_000;

impl Axis {
    /// All of them.
    pub const ALL: [Axis; 3] = [Axis::ObjectBytes, Axis::Connections, Axis::Streams];

    /// What it is called, with its unit.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Axis::ObjectBytes => "object bytes",
            Axis::Connections => "connections",
            Axis::Streams => "streams",
        }
    }

    /// How much of it a point has.
    #[must_use]
    pub fn of(self, point: &Point) -> u32 {
        match self {
            Axis::ObjectBytes => point.object_bytes,
            Axis::Connections => point.connections,
            Axis::Streams => point.streams,
        }
    }

    /// The axes along which some of these points differ.
    #[must_use]
    pub fn that_differ(points: &[Point]) -> Vec<Axis> {
        let differs = |axis: &Axis| {
            points
                .iter()
                .any(|point| axis.of(point) != axis.of(&points[0]))
        };
        Axis::ALL.into_iter().filter(differs).collect()
    }
}

impl fmt::Display for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plural = |count| if count == 1 { "" } else { "s" };
        let (connections, streams) = (self.connections, self.streams);
        let size = size(self.object_bytes);
        write!(f, "{size}, {connections} connection{}", plural(connections))?;
        if streams > 1 {
            write!(f, ", {streams} streams")?;
        }
        Ok(())
    }
}

/// A size as people write it.
#[must_use]
pub fn size(bytes: u32) -> String {
    match bytes {
        1_000_000.. => format!("{} MB", f64::from(bytes) / 1e6),
        1_000.. => format!("{} kB", f64::from(bytes) / 1e3),
        _ => format!("{bytes} B"),
    }
}

/// A count on an axis.
#[must_use]
pub fn count(value: f64) -> String {
    match value {
        1e6.. => format!("{} M", value / 1e6),
        1e3.. => format!("{} k", value / 1e3),
        _ => value.to_string(),
    }
}

/// What a benchmark goes through: the scenario's own points, or those of the command line.
///
/// # Errors
/// The scenario has no grid.
pub fn plan(scenario: &Scenario, arguments: &Arguments) -> Result<Vec<Leg>> {
    if scenario.name == curves::NAME {
        if !(arguments.size.is_empty() && arguments.connections.is_empty()) {
            bail!("curves has points of its own: no --size, no --connections");
        }
        return Ok(curves::legs(arguments.quick));
    }
    if scenario.name == streams::NAME {
        let point = |streams| Point {
            object_bytes: STREAM_BYTES,
            connections: scenario.connections,
            streams,
        };
        let case = streams::NAME;
        return Ok(STREAM_COUNTS
            .map(|streams| Leg {
                case,
                point: point(streams),
            })
            .to_vec());
    }
    let (sizes, connections) = match (scenario.name, arguments.grid) {
        (_, false) => (vec![500_000], vec![scenario.connections]),
        ("delivery", true) => (GRID_SIZES.to_vec(), GRID_CONNECTIONS.to_vec()),
        (memory::NAME, true) => (vec![500_000], GRID_VIEWERS.to_vec()),
        (name, true) => bail!("{name} has no grid"),
    };
    let or = |chosen: &[u32], own: Vec<u32>| {
        if chosen.is_empty() {
            own
        } else {
            chosen.to_vec()
        }
    };
    let sizes = or(&arguments.size, sizes);
    let connections = or(&arguments.connections, connections);
    let mut legs = Vec::new();
    for &object_bytes in &sizes {
        for &viewers in &connections {
            for &case in scenario.cases {
                let connections = match case {
                    memory::STALLED => viewers.min(scenario.stalled_max),
                    _ => viewers,
                };
                let point = Point {
                    object_bytes,
                    connections,
                    streams: 1,
                };
                let leg = Leg { case, point };
                if !legs.contains(&leg) {
                    legs.push(leg);
                }
            }
        }
    }
    Ok(legs)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use clap::Parser as _;

    use super::*;
    use crate::scenarios::SCENARIOS;

    fn planned(words: &[&str]) -> Result<Vec<Leg>> {
        let words = [&["zonecast-bench"], words].concat();
        let arguments = Arguments::try_parse_from(words)?;
        let name = arguments.name.clone().unwrap();
        let scenario = SCENARIOS.iter().find(|scenario| scenario.name == name);
        plan(scenario.unwrap(), &arguments)
    }

    /// Without flags there is one point; lists and `--grid` make every pair of size and viewers.
    #[test]
    fn plans() {
        let one = planned(&["delivery"]).unwrap();
        assert_eq!(one.len(), 1);
        assert_eq!(one[0].point.to_string(), "500 kB, 64 connections");
        assert_eq!(planned(&["delivery", "--grid"]).unwrap().len(), 16);
        let some = planned(&["memory", "--connections", "10,20"]).unwrap();
        assert_eq!(
            some.len(),
            2 * SCENARIOS
                .iter()
                .find(|s| s.name == "memory")
                .unwrap()
                .cases
                .len()
        );
        // Of viewers that stall there are never more than the kernel can hold objects for.
        let grid = planned(&["memory", "--grid"]).unwrap();
        let stalled = grid.iter().filter(|leg| leg.case == memory::STALLED);
        let stalled: Vec<_> = stalled.map(|leg| leg.point.connections).collect();
        assert_eq!(stalled, [1_000]);
        let sized = planned(&["delivery", "--grid", "--size", "10000"]).unwrap();
        assert_eq!(sized.len(), 4);
        assert!(planned(&["handshakes", "--grid"]).is_err());
        let points: Vec<_> = sized.iter().map(|leg| leg.point).collect();
        assert_eq!(Axis::that_differ(&points), [Axis::Connections]);
    }
}
