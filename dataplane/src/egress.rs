//! The zone of the device by which bytes leave: the third of the zones that siloing is judged by.
//!
//! A device is near a NUMA node, and a node is a zone, or has several. On a machine with one node
//! every device is as near as any other: there nobody asks. What does not belong here: when a
//! connection is asked about (`delivery/way_out.rs`), and by which device it leaves (`io`).

use std::fmt;
use std::path::Path;

use zonecast_numa::zones::Zone;
use zonecast_numa::{ZoneId, topology};

/// Where bytes left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum EgressZone {
    /// By a device near this zone's node.
    Zone(u16),
    /// By a device near a node that is no zone's.
    Outside,
    /// By a device that is near no node (loopback, veth, …), or nobody knows by which.
    Unknown,
    /// The machine has one node, to which every device is as near.
    Any,
}

impl EgressZone {
    /// So many values are not zones.
    pub(crate) const OTHERS: usize = 3;

    /// A number of its own, on a machine of `zones` zones.
    pub(crate) fn index(self, zones: usize) -> usize {
        match self {
            Self::Zone(zone) => usize::from(zone),
            Self::Outside => zones,
            Self::Unknown => zones + 1,
            Self::Any => zones + 2,
        }
    }

    /// Every value, in the order of [`EgressZone::index`].
    pub(crate) fn all(zones: usize) -> impl Iterator<Item = Self> {
        let others = [Self::Outside, Self::Unknown, Self::Any];
        (0..zones).map(|zone| Self::Zone(zone as u16)).chain(others)
    }
}

impl fmt::Display for EgressZone {
    /// As in metrics: the zone's number, `outside`, `unknown` or `any`.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Zone(zone) => write!(formatter, "{zone}"),
            Self::Outside => formatter.write_str("outside"),
            Self::Unknown => formatter.write_str("unknown"),
            Self::Any => formatter.write_str("any"),
        }
    }
}

/// What is known of nodes and zones.
#[derive(Clone, Debug)]
pub(crate) struct Nodes {
    /// By zone.
    of_zones: Vec<Option<u32>>,
    /// Where it makes no difference, or nobody could tell, nobody is asked: this is the answer then.
    unasked: Option<EgressZone>,
}

impl Nodes {
    /// Looks at the machine, whose files are under `sys` (`/sys`).
    pub(crate) fn look(zones: &[Zone], sys: &Path) -> Self {
        let one = topology::nodes_online(sys) < 2;
        let unasked = match (one, topology::any_nic_has_a_node(sys)) {
            (true, _) => Some(EgressZone::Any),
            (false, false) => Some(EgressZone::Unknown),
            (false, true) => None,
        };
        // A zone that may use none of its node's memory still has the node's cards.
        let by_card = |zone: &Zone| {
            let mut cards = zone.nics.iter();
            cards.find_map(|card| topology::node_of_nic(sys, card))
        };
        let node = |zone: &Zone| zone.node.or_else(|| by_card(zone));
        Self {
            of_zones: zones.iter().map(node).collect(),
            unasked,
        }
    }

    /// Zones that are one node each.
    #[cfg(feature = "simulation")]
    pub(crate) fn one_each(zones: usize) -> Self {
        Self {
            of_zones: (0..zones as u32).map(Some).collect(),
            unasked: None,
        }
    }

    /// The same answer for every connection; `None` where each is asked about.
    pub(crate) fn unasked(&self) -> Option<EgressZone> {
        self.unasked
    }

    /// The zone of what leaves a loop of `own` by a device near `node`: its own, where that is one of
    /// the node's.
    pub(crate) fn zone_of(&self, own: ZoneId, node: Option<u32>) -> EgressZone {
        if node.is_none() {
            return EgressZone::Unknown;
        }
        if self.of_zones.get(usize::from(own.0)) == Some(&node) {
            return EgressZone::Zone(own.0);
        }
        let zone = self.of_zones.iter().position(|of| *of == node);
        zone.map_or(EgressZone::Outside, |zone| EgressZone::Zone(zone as u16))
    }

    /// What all bytes of a loop of `own` should leave by.
    pub(crate) fn wanted(&self, own: ZoneId) -> EgressZone {
        self.unasked.unwrap_or(EgressZone::Zone(own.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Shows that slices of a node keep what leaves by it, that another node's bytes go to its first
    /// zone, and that a node without a zone is told apart from no node.
    #[test]
    fn a_node_is_its_zones() {
        let nodes = Nodes {
            of_zones: vec![Some(0), Some(0), Some(3), Some(3), None],
            unasked: None,
        };
        let of = |own, node| nodes.zone_of(ZoneId(own), node);
        assert_eq!(of(1, Some(0)), EgressZone::Zone(1));
        assert_eq!(of(1, Some(3)), EgressZone::Zone(2));
        assert_eq!(of(3, Some(0)), EgressZone::Zone(0));
        assert_eq!(of(4, Some(1)), EgressZone::Outside);
        assert_eq!(of(4, None), EgressZone::Unknown);
    }

    /// Shows that nobody is asked about on a machine with one node, or without a card that has one; and
    /// that a zone whose memory is bound to no node has the node of its cards.
    #[test]
    fn who_is_asked_about() {
        let zone = Zone {
            id: ZoneId(0),
            node: None,
            is_virtual: false,
            loop_cpus: vec![0],
            control_cpus: vec![0],
            nics: vec!["eth0".to_owned()],
            warnings: Vec::new(),
        };
        let look = |online: &str, node: &str| {
            let sys = tempfile::tempdir().unwrap();
            let nodes = sys.path().join("devices/system/node");
            for node in ["node0", "node1"] {
                std::fs::create_dir_all(nodes.join(node)).unwrap();
                std::fs::write(nodes.join(node).join("cpulist"), "0\n").unwrap();
            }
            std::fs::write(nodes.join("online"), online).unwrap();
            let card = sys.path().join("class/net/eth0/device");
            std::fs::create_dir_all(&card).unwrap();
            std::fs::write(card.join("numa_node"), node).unwrap();
            Nodes::look(std::slice::from_ref(&zone), sys.path())
        };
        assert_eq!(look("0\n", "0\n").unasked(), Some(EgressZone::Any));
        assert_eq!(look("0-1\n", "-1\n").unasked(), Some(EgressZone::Unknown));
        let asks = look("0-1\n", "1\n");
        assert_eq!(asks.unasked(), None);
        assert_eq!(asks.zone_of(ZoneId(0), Some(1)), EgressZone::Zone(0));
    }

    /// Shows that every value has its number.
    #[test]
    fn values_are_numbered() {
        let all: Vec<_> = EgressZone::all(2).collect();
        assert_eq!(all.len(), 2 + EgressZone::OTHERS);
        let said: Vec<_> = all.iter().map(EgressZone::to_string).collect();
        assert_eq!(said, ["0", "1", "outside", "unknown", "any"]);
        assert!(all.iter().enumerate().all(|(at, zone)| zone.index(2) == at));
    }
}
