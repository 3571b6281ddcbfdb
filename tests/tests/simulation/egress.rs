//! Where bytes leave is counted as it is, also for a connection that leaves otherwise than it did.

use std::collections::BTreeMap;
use std::time::Duration;

use zonecast_dataplane::EgressZone;
use zonecast_dataplane::simulation::{Door, Simulation};

use super::scenario::Scenario;

/// Simulated routes move every three seconds: two cards, on two nodes, and a device without one.
const ROUTES_STAY: Duration = Duration::from_secs(3);
/// In this time a loop has looked at its connections again.
const LOOKED: Duration = Duration::from_millis(1500);
/// In this time it has answered.
const ANSWERED: Duration = Duration::from_millis(500);

/// Shows that a kept connection's answers are counted by the device of the moment: each of the three
/// in turn, and the first one again; and that all bytes are counted once.
#[test]
fn a_connection_is_asked_about_again() {
    let mut pipeline = Scenario::calm(1).pipeline(None);
    pipeline.loops = vec![0, 1];
    pipeline.viewers.idle_timeout = Duration::from_secs(60);
    let mut simulation = Simulation::new(pipeline).unwrap();
    let mut viewer = simulation.connect(1, Door::Viewer);
    let mut left = Vec::new();
    for _ in 0..4 {
        simulation.run_for(LOOKED);
        let before = by_egress(&simulation);
        viewer.write(b"GET /live/none/none.m3u8 HTTP/1.1\r\nHost: x\r\n\r\n");
        simulation.run_for(ANSWERED);
        let answer = viewer.take_received().len() as u64;
        let mut added = by_egress(&simulation);
        added.iter_mut().for_each(|(zone, bytes)| {
            *bytes -= before.get(zone).copied().unwrap_or_default();
        });
        added.retain(|_, bytes| *bytes > 0);
        assert!(answer > 0);
        assert_eq!(added.values().collect::<Vec<_>>(), [&answer], "{added:?}");
        left.extend(added.into_keys());
        simulation.run_for(ROUTES_STAY - LOOKED - ANSWERED);
    }
    let by = [0, 1].map(EgressZone::Zone);
    assert_eq!(left, [by[0], by[1], EgressZone::Unknown, by[0]]);
}

/// What left where; all of it was sent by the loop of zone 1.
fn by_egress(simulation: &Simulation) -> BTreeMap<EgressZone, u64> {
    let mut sums = BTreeMap::new();
    for row in simulation.counters().iter().flat_map(|life| &life.bytes) {
        assert!(row.loop_zone == 1 || row.bytes == 0, "{row:?}");
        *sums.entry(row.egress_zone).or_default() += row.bytes;
    }
    sums
}
