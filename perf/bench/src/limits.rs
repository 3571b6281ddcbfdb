//! What this machine and the servers cannot do: found before anything is measured, and said.

use rustix::process::{Resource, getrlimit};

use crate::crowd;
use crate::peers::Kind;
use crate::points::Leg;
use crate::scenarios::Scenario;
use crate::scenarios::memory;

/// What a process needs beside a descriptor for each connection.
const OWN_DESCRIPTORS: u32 = 1_000;

/// Descriptors that a process may have.
fn descriptors() -> u32 {
    let limit = getrlimit(Resource::Nofile).current;
    limit.map_or(u32::MAX, |limit| u32::try_from(limit).unwrap_or(u32::MAX))
}

/// Why one part of a scenario cannot be measured with a server.
#[must_use]
pub fn against(scenario: &Scenario, leg: &Leg, kind: Kind) -> Option<String> {
    forbids(scenario, leg, kind, descriptors()).map(|why| {
        let server = kind.label();
        format!("{} ({}), {server}: {why}", leg.case, leg.point)
    })
}

fn forbids(scenario: &Scenario, leg: &Leg, kind: Kind, descriptors: u32) -> Option<String> {
    let viewers = leg.point.connections;
    let each = descriptors.saturating_sub(OWN_DESCRIPTORS);
    // hitch has two for each viewer: its own, and the one to Varnish.
    let each = if kind == Kind::Varnish {
        each / 2
    } else {
        each
    };
    let crowds = scenario.name == memory::NAME && viewers > crowd::ONE_MAX;
    if crowds && kind != Kind::Ours {
        return Some("one worker, and so many viewers take two loops".to_owned());
    }
    let most = if crowds { each.saturating_mul(2) } else { each };
    (viewers > most).then(|| format!("ulimit -n is {descriptors}"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::points::Point;
    use crate::scenarios::SCENARIOS;

    /// A crowd is split over two processes and two loops, and so has twice the descriptors.
    #[test]
    fn says_what_cannot_be() {
        let named = |name| {
            SCENARIOS
                .iter()
                .find(|scenario| scenario.name == name)
                .unwrap()
        };
        let (memory, delivery) = (named("memory"), named("delivery"));
        let leg = |case, connections| Leg {
            case,
            point: Point {
                object_bytes: 1_000,
                connections,
                streams: 1,
            },
        };
        let forbidden =
            |scenario, case, viewers, kind| forbids(scenario, &leg(case, viewers), kind, 20_000);
        assert_eq!(forbidden(memory, "idle", 36_000, Kind::Ours), None);
        assert!(
            forbidden(memory, "idle", 36_000, Kind::Nginx)
                .unwrap()
                .contains("one worker")
        );
        assert!(
            forbidden(memory, "idle", 50_000, Kind::Ours)
                .unwrap()
                .contains("20000")
        );
        assert_eq!(forbidden(delivery, "delivery", 10_000, Kind::Nginx), None);
        assert!(forbidden(delivery, "delivery", 10_000, Kind::Varnish).is_some());
        assert!(forbidden(delivery, "delivery", 36_000, Kind::Ours).is_some());
    }
}
