//! What a batch of runs must have shown, so that the simulation cannot silently become tame.

use std::collections::BTreeMap;

use zonecast_dataplane::simulation::Simulation;

use super::book::Book;

/// Every fault, every way of using a connection, and every outcome worth having, with how often
/// a thousand seeds show it at least.
const WANTED: &[(&str, u64)] = &[];

/// What one run showed.
pub(crate) fn tally(simulation: &Simulation, book: &Book) -> BTreeMap<String, u64> {
    let mut tally = BTreeMap::new();
    let mut add = |what: &str, count: u64| *tally.entry(what.to_owned()).or_default() += count;
    for (what, count) in simulation.tally() {
        add(what, count);
    }
    for (what, count) in &book.seen {
        add(what, *count);
    }
    for (status, count) in &book.answers {
        add(&format!("viewers: {status}"), *count);
    }
    for (status, count) in &book.told {
        add(&format!("encoders: {status}"), *count);
    }
    add("a whole body", book.bodies);
    add("a cut body", book.cuts);
    for life in simulation.counters() {
        for zone in &life.zones {
            add("lapped", zone.viewers_lapped);
            add("full handshake", zone.handshakes_full);
            add("resumed handshake", zone.handshakes_resumed);
            add("failed handshake", zone.handshakes_failed);
            add("refused connection", zone.accepts_refused);
            add("timeout", zone.timeouts);
        }
        for (reason, count) in &life.ingest_errors {
            add(&format!("upload error: {reason}"), *count);
        }
    }
    tally
}

/// What a batch of so many seeds has shown too seldom.
pub(crate) fn missing(tally: &BTreeMap<String, u64>, seeds: u64) -> Vec<String> {
    let count = |what: &str| tally.get(what).copied().unwrap_or(0);
    let seldom = WANTED.iter().filter(|(what, most)| count(what) < (most * seeds / 1000).max(1));
    seldom
        .map(|(what, least)| {
            format!("{what}: {} times in {seeds} seeds, {least} in 1000 are wanted", count(what))
        })
        .collect()
}
