//! The zones as lines for people.

use std::fmt;

use super::{Zone, Zones};
use crate::units::Bytes;

impl fmt::Display for Zones {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.zones.iter().try_for_each(|zone| one(zone, f))?;
        let unsteered = counts(&self.unsteered);
        if !unsteered.is_empty() {
            writeln!(f, "no zone     left to the kernel: {unsteered}")?;
        }
        Ok(())
    }
}

fn one(zone: &Zone, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let (id, now, accepted) = (zone.zone, zone.connections, zone.accepted);
    writeln!(
        f,
        "zone {id:<7}{now} connections, {accepted} accepted in all"
    )?;
    let steered = counts(&zone.steered);
    let steered = if steered.is_empty() { "none" } else { &steered };
    writeln!(f, "            steered by rule: {steered}")?;
    let missed = counts(&zone.missed);
    if !missed.is_empty() {
        writeln!(f, "            left to the kernel: {missed}")?;
    }
    let (bytes, again) = (Bytes(zone.bytes_acked), zone.retransmits);
    let rtt = zone.rtt_us.map_or("-".to_owned(), |us| format!("{us} us"));
    writeln!(
        f,
        "            {bytes} acknowledged, {again} packets sent again, round trip {rtt}"
    )
}

/// Those that are not zero.
fn counts(named: &[(&str, u64)]) -> String {
    let some = named.iter().filter(|(_, count)| *count > 0);
    let some: Vec<String> = some
        .map(|(name, count)| format!("{name} {count}"))
        .collect();
    some.join(", ")
}
