//! The same eyes at the start: for each zone and listener one line in the log, which way its bytes
//! will go and why not a better one.
//!
//! Zones that have the same to say share a line, and so do devices. What a connection really does is
//! decided after its handshake and counted (`zonecast_bytes_total`).

use std::fmt::Write;

use zonecast_io::KernelTls;
use zonecast_numa::zones::Zone;

use super::listeners::{Listener, Seen, Way, of_viewers};
use super::roots::Roots;
use super::{network, sealing};
use crate::check::ranges;
use crate::config::Settings;

/// Names of devices that are listed; of more only the number.
const NAMES_MAX: usize = 4;

/// The lines, for what the kernel was found to seal.
///
/// # Errors
/// What makes looking impossible.
pub fn lines(settings: &Settings, kernel: &KernelTls) -> anyhow::Result<Vec<String>> {
    let roots = Roots::host();
    let (devices, addresses) = network(&roots)?;
    let sealing = sealing::describe(kernel, &roots);
    let zones = &settings.planned.zones;
    let seen = Seen {
        devices: &devices,
        addresses: &addresses,
        zones,
        kernel,
        sealing: &sealing,
    };
    let mut lines = Vec::new();
    if settings
        .listeners
        .iter()
        .any(|one| one.tls && one.kernel_tls)
    {
        lines.push(format!("kernel TLS: {sealing}"));
    }
    let listeners = of_viewers(settings, &seen);
    lines.extend(listeners.iter().flat_map(|one| of_listener(one, zones)));
    Ok(lines)
}

/// One line for each zone that serves it; zones alike have one together.
fn of_listener(listener: &Listener, zones: &[Zone]) -> Vec<String> {
    let mut alike: Vec<(Vec<usize>, String)> = Vec::new();
    let served = zones
        .iter()
        .filter(|zone| listener.zone.is_none_or(|only| only == zone.id.0));
    for zone in served {
        let (id, said) = (usize::from(zone.id.0), ways(listener, zone, zones));
        match alike.iter_mut().find(|(_, same)| *same == said) {
            Some((ids, _)) => ids.push(id),
            None => alike.push((vec![id], said)),
        }
    }
    let line = |(ids, said): (Vec<usize>, String)| {
        let word = if ids.len() == 1 { "zone" } else { "zones" };
        let (ids, name) = (ranges(&ids), &listener.name);
        format!("byte path of {word} {ids}, listener {name}: {said}")
    };
    alike.into_iter().map(line).collect()
}

/// Where bytes of this zone leave, and how; devices alike together. Loopback counts only where there
/// is nothing else.
fn ways(listener: &Listener, zone: &Zone, zones: &[Zone]) -> String {
    let is_loopback = |way: &&Way| way.device.as_ref().is_some_and(|card| card.name == "lo");
    let others = listener.egress.iter().filter(|way| !is_loopback(way));
    let mut ways: Vec<&Way> = others.collect();
    if ways.is_empty() {
        ways = listener.egress.iter().collect();
    }
    let mut alike: Vec<(&Way, &str, Vec<&str>)> = Vec::new();
    for way in ways {
        let place = place(way, zone, zones);
        let name = way.device.as_ref().map(|card| card.name.as_str());
        match alike
            .iter_mut()
            .find(|(first, at, _)| first.choice == way.choice && *at == place)
        {
            Some((.., names)) => names.extend(name),
            None => alike.push((way, place, name.into_iter().collect())),
        }
    }
    let mut said = String::new();
    for (at, (way, place, names)) in alike.iter().enumerate() {
        let comma = if at > 0 { "; " } else { "" };
        let choice = &way.choice;
        let (path, why) = (choice.path.as_str(), &choice.why);
        let by = by(names);
        // Writing to a text cannot fail.
        let _ = write!(said, "{comma}{path}{by}{place}: {why}");
        if let Some(change) = &choice.change {
            let _ = write!(said, " (to change it: {change})");
        }
    }
    said
}

fn by(names: &[&str]) -> String {
    match names.len() {
        0 => String::new(),
        1..=NAMES_MAX => format!(" by {}", names.join(", ")),
        more => format!(" by {} and {} more", names[0], more - 1),
    }
}

/// Where a device is, as this zone sees it; on a machine of one node that is no matter.
fn place(way: &Way, zone: &Zone, zones: &[Zone]) -> &'static str {
    let nodes = zones.iter().map(|zone| zone.node);
    let first = zones.first().and_then(|zone| zone.node);
    let Some(card) = way
        .device
        .as_ref()
        .filter(|_| nodes.clone().any(|node| node != first))
    else {
        return "";
    };
    match &card.zones[..] {
        zones if zones.contains(&zone.id.0) => " (its own)",
        [_, ..] => " (of another zone)",
        [] => " (of no zone)",
    }
}

#[cfg(test)]
#[path = "start_tests.rs"]
mod tests;
