//! What a batch of runs must have shown, so that the simulation cannot silently become tame.

use std::collections::BTreeMap;

use zonecast_dataplane::simulation::Simulation;

use super::book::Book;

/// Every fault, every way of using a connection, and every outcome worth having, with how often
/// a thousand seeds show it at least.
const WANTED: &[(&str, u64)] = &[
    // Faults of the driver and the network.
    ("accept error", 500),
    ("broken connection", 100),
    ("buffers withheld", 10_000),
    ("cancellation", 3_000),
    ("fragments", 30_000),
    ("full table", 250),
    ("late accept", 1_500),
    ("late cancellation", 200),
    ("late completion", 25_000),
    ("late mail", 20_000),
    ("receive error", 300),
    ("receive without a buffer", 3_000),
    ("receive_into error", 600),
    ("reordered completion", 35_000),
    ("send error", 350),
    ("short receive", 25_000),
    ("short send", 8_000),
    ("shutdown error", 12),
    ("slow peer", 1_400),
    ("stalled loop", 20_000),
    ("time jump", 700),
    // What the control plane and the operating system do.
    ("drained", 30),
    ("killed", 80),
    ("reloaded", 300),
    // What viewers and encoders do.
    ("a flood of key changes", 3),
    ("a key change while a viewer is answered", 10),
    ("a viewer changes its key", 80),
    ("a viewer that ends its direction", 250),
    ("a viewer that leaves", 60),
    ("a viewer that never reads", 250),
    ("a viewer that reads byte by byte", 250),
    ("an encoder changes its key", 400),
    ("an upload that ends in garbage", 300),
    ("an upload that falls silent", 450),
    ("close_notify while a viewer is answered", 10),
    ("garbage while a viewer is answered", 250),
    // Where the pipeline gets into difficulties.
    ("a full mailbox", 5_000),
    ("a send from a ring", 15_000),
    ("a viewer that waits for a stream", 100_000),
    ("a viewer without a send buffer", 2_000),
    ("a rest that a socket left", 1_000),
    ("an answer that is held", 80_000),
    // What comes of it.
    ("a cut body", 500),
    ("a whole body", 11_000),
    ("audited", 8_000),
    ("encoders: 201", 3_000),
    ("encoders: 204", 8_000),
    ("encoders: 403", 20),
    ("encoders: 412", 700),
    ("encoders: 413", 150),
    ("encoders: 503", 130),
    ("failed handshake", 200),
    ("full handshake", 2_000),
    ("lapped", 600),
    ("resumed handshake", 600),
    ("timeout", 1_000),
    ("upload error: bad_request", 1_000),
    ("upload error: cut", 1_500),
    ("upload error: idle", 600),
    ("upload error: no_init", 700),
    ("upload error: no_room", 60),
    ("upload error: tls", 200),
    ("upload error: too_large", 200),
    ("upload error: too_many", 20),
    ("upload error: unauthorised", 20),
    ("upload error: unknown_stream", 20),
    ("viewers: 200", 11_000),
    ("viewers: 206", 1_000),
    ("viewers: 304", 300),
    ("viewers: 404", 8_000),
    ("viewers: 410", 500),
    ("viewers: 416", 1_500),
    ("viewers: 503", 700),
];

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
    let seldom = WANTED
        .iter()
        .filter(|(what, most)| count(what) < (most * seeds / 1000).max(1));
    seldom
        .map(|(what, least)| {
            format!(
                "{what}: {} times in {seeds} seeds, {least} in 1000 are wanted",
                count(what)
            )
        })
        .collect()
}
