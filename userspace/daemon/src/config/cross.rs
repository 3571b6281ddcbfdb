//! Checks between components: what each of them allows, but not together.

use std::collections::BTreeMap;

use zonecast_dataplane::ListenAddress;

use super::report::Report;
use super::{File, Settings, address, numbered};
use crate::units::Bytes;

/// Notes what does not go together.
pub(super) fn check(settings: &Settings, report: &mut Report<'_>) {
    let file = &settings.file;
    tls(file, report);
    names(file, report);
    addresses(settings, report);
    zones(settings, report);
    zone_addresses(file, report);
    streams(settings, report);
    rings(file, report);
    arenas(settings, report);
    nothing_to_do(file, report);
}

fn tls(file: &File, report: &mut Report<'_>) {
    if !file.certificates.is_empty() {
        return;
    }
    let text = "tls = true needs at least one [[certificates]] table with chain_file and key_file";
    for (key, listener) in numbered("listeners", &file.listeners) {
        if listener.tls {
            report.error(&format!("{key}.tls"), text);
        }
    }
    if file.ingest.tls {
        report.error("ingest.tls", text);
    }
}

/// Zones that streams and listeners name must exist.
fn zones(settings: &Settings, report: &mut Report<'_>) {
    let (file, zones) = (&settings.file, settings.planned.zones.len());
    let streams = numbered("streams", &file.streams).map(|(key, stream)| (key, stream.zone));
    let listeners = numbered("listeners", &file.listeners).map(|(key, one)| (key, one.zone));
    let named = numbered("steering.zones", &file.steering.zones);
    let named = named.map(|(key, one)| (key, Some(one.zone)));
    for (key, zone) in streams.chain(listeners).chain(named) {
        if let Some(zone) = zone.filter(|zone| zones > 0 && usize::from(*zone) >= zones) {
            let text = format!("zone {zone} does not exist: from 0 to {}", zones - 1);
            report.error(&format!("{key}.zone"), text);
        }
    }
}

/// An address names one zone, and so does an interface.
fn zone_addresses(file: &File, report: &mut Report<'_>) {
    let (mut seen, mut interfaces) = (BTreeMap::new(), BTreeMap::new());
    for (key, names) in numbered("steering.zones", &file.steering.zones) {
        for interface in &names.interfaces {
            let key = format!("{key}.interfaces");
            if let Some(first) = interfaces.insert(interface, key.clone()) {
                report.error(&key, format!("{interface:?} is in {first} already"));
            }
        }
        for address in &names.addresses {
            let address = address.to_canonical();
            let key = format!("{key}.addresses");
            if address.is_unspecified() || address.is_multicast() {
                report.error(&key, format!("{address} is no address of a machine"));
            } else if let Some(first) = seen.insert(address, key.clone()) {
                report.error(&key, format!("{address} is in {first} already"));
            }
        }
    }
}

fn names(file: &File, report: &mut Report<'_>) {
    let mut seen = BTreeMap::new();
    for (key, listener) in numbered("listeners", &file.listeners) {
        if let Some(first) = seen.insert(listener.name(), key.clone()) {
            let text = format!("{first} has the name {:?} already", listener.name());
            report.error(&format!("{key}.name"), text);
        }
    }
}

fn addresses(settings: &Settings, report: &mut Report<'_>) {
    let mut all: Vec<(String, &ListenAddress)> = vec![("admin.listen".to_owned(), &settings.admin)];
    all.extend(
        settings
            .ingest
            .addresses
            .iter()
            .map(|a| ("ingest.listen".to_owned(), a)),
    );
    all.extend(
        numbered("listeners", &settings.listeners)
            .map(|(key, l)| (format!("{key}.listen"), &l.address)),
    );
    for (index, (key, one)) in all.iter().enumerate() {
        if let Some((other, _)) = all[..index]
            .iter()
            .find(|(_, other)| address::collide(one, other))
        {
            report.error(
                key,
                format!("{} is taken by {other} already", address::written(one)),
            );
        }
    }
}

fn streams(settings: &Settings, report: &mut Report<'_>) {
    let file = &settings.file;
    let mut seen = BTreeMap::new();
    for (key, stream) in numbered("streams", &file.streams) {
        if let Some(first) = seen.insert(&stream.id, key.clone()) {
            let text = format!("{first} has the id {:?} already", stream.id.as_str());
            report.error(&format!("{key}.id"), text);
        }
    }
    let (streams, max) = (file.streams.len(), file.ingest.streams_max);
    if streams > max as usize {
        let text = format!("{max} is less than the {streams} streams of this file");
        report.error("ingest.streams_max", text);
    }
}

/// An object must fit into its ring, whole and with room for the one before it.
fn rings(file: &File, report: &mut Report<'_>) {
    let (object, arena) = (file.limits.object_bytes_max, file.memory.arena);
    let mut one = |key: String, ring: Bytes| {
        if ring < object {
            let text = format!(
                "{ring} is less than limits.object_bytes_max = {object}: an object must fit into its ring"
            );
            report.error(&key, text);
        } else if ring > super::streams::RING_MAX {
            report.error(&key, format!("{ring} is more than a ring can have, 1GiB"));
        } else if ring > arena {
            report.error(
                &key,
                format!("{ring} is more than a zone has, memory.arena = {arena}"),
            );
        }
    };
    for (key, stream) in numbered("streams", &file.streams) {
        one(format!("{key}.ring"), stream.ring);
    }
    if file.ingest.open {
        one("ingest.open_ring".to_owned(), file.ingest.open_ring);
    }
}

/// One track of each stream must fit; all tracks that are allowed should.
fn arenas(settings: &Settings, report: &mut Report<'_>) {
    let file = &settings.file;
    let (zones, arena) = (settings.planned.zones.len() as u64, file.memory.arena.0);
    let sum = |zone: Option<u16>, tracks: bool| -> u64 {
        let here = file
            .streams
            .iter()
            .filter(|s| zone.is_none() || s.zone == zone);
        here.map(|s| {
            s.ring
                .0
                .saturating_mul(if tracks { u64::from(s.tracks_max) } else { 1 })
        })
        .fold(0, u64::saturating_add)
    };
    if zones == 0 {
        return;
    }
    for zone in 0..zones as u16 {
        let need = sum(Some(zone), false);
        if need > arena {
            let text = format!(
                "{} is less than the {} that one ring for each stream of zone {zone} needs",
                file.memory.arena,
                Bytes(need)
            );
            report.error("memory.arena", text);
        }
    }
    let total = zones.saturating_mul(arena);
    let (least, most) = (sum(None, false), sum(None, true));
    if least > total {
        let text = format!(
            "{} in each of {zones} zones is less than the {} that one ring for each stream needs",
            file.memory.arena,
            Bytes(least)
        );
        report.error("memory.arena", text);
    } else if most > total {
        let text = format!(
            "{} in each of {zones} zones is less than the {} of all tracks that streams may have: the last ones will be refused",
            file.memory.arena,
            Bytes(most)
        );
        report.warn("memory.arena", text);
    }
}

fn nothing_to_do(file: &File, report: &mut Report<'_>) {
    if file.listeners.is_empty() {
        report.warn(
            "listeners",
            "there is no [[listeners]] table: nobody can watch",
        );
    }
    if file.streams.is_empty() && !file.ingest.open {
        report.warn(
            "streams",
            "there is no [[streams]] table and [ingest] open is false: nobody can upload",
        );
    }
}
