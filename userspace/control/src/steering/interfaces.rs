//! Which interfaces are near which zone.

use std::collections::BTreeMap;
use std::path::Path;

use zonecast_numa::zones::Zone;

use super::ZoneNames;

/// Where the kernel lists them.
const INTERFACES: &str = "/sys/class/net";

/// Interfaces' indices with their zones: those of the configuration, and cards of a zone's node where
/// that node has no other zone. Ones that are not there are noted.
pub(super) fn near(
    zones: &[Zone],
    named: &[ZoneNames],
    notes: &mut Vec<String>,
) -> BTreeMap<u32, u16> {
    let mut near = BTreeMap::new();
    for zone in zones {
        let shared = |nic: &&String| {
            zones
                .iter()
                .any(|z| z.id != zone.id && z.nics.contains(nic))
        };
        for nic in zone.nics.iter().filter(|nic| !shared(nic)) {
            if let Some(index) = index_of(nic) {
                near.insert(index, zone.id.0);
            }
        }
    }
    for names in named {
        for name in &names.interfaces {
            match index_of(name) {
                Some(index) => {
                    near.insert(index, names.zone);
                }
                None => notes.push(format!("steering: there is no interface {name}")),
            }
        }
    }
    near
}

fn index_of(name: &str) -> Option<u32> {
    // A name with a slash would be another file.
    let path = Path::new(INTERFACES)
        .join(Path::new(name).file_name()?)
        .join("ifindex");
    std::fs::read_to_string(path).ok()?.trim().parse().ok()
}
