//! Canaries: the pipeline, or what the checker is told, is broken on purpose, and the checker
//! must say so, by the invariant that is broken, within [`SEEDS_MAX`] seeds of any weather. One
//! that is never caught means that nobody looks.

use zonecast_dataplane::simulation::Flaw;

use super::run::run;
use super::scenario::Scenario;

/// Each is caught within so many seeds.
const SEEDS_MAX: u64 = 100;

/// How the checker names what it found; one of these.
type Reasons = &'static [&'static str];

const WRONG_BYTES: Reasons = &["no such bytes were ever uploaded"];
const LOOKS_COMPLETE: Reasons = &["it looks complete and is not", "no such bytes were ever"];
const NOT_GIVEN_BACK: Reasons = &["not given back"];
const WAITS_FOR_EVER: Reasons = &["never answered", "never told", "not given back"];
const BEYOND_ITS_BOUND: Reasons = &["at most", "is too large"];

/// Runs seed after seed until one is caught; how many that took is told and bounded.
fn caught(name: &str, reasons: Reasons, spoil: impl Fn(&mut Scenario)) {
    let mut others = Vec::new();
    for seed in 0..SEEDS_MAX {
        let mut scenario = Scenario::from_seed(seed);
        spoil(&mut scenario);
        let Err(why) = run(&scenario) else { continue };
        let line = why.lines().next().unwrap_or_default();
        if reasons.iter().any(|reason| line.contains(reason)) {
            println!("{name}: caught by seed {seed}, the {}th: {line}", seed + 1);
            return;
        }
        others.push(line.to_owned());
    }
    panic!("{name}: not caught in {SEEDS_MAX} seeds; they said {others:?}");
}

fn flawed(flaw: Flaw, reasons: Reasons) {
    caught(&format!("{flaw:?}"), reasons, |scenario| {
        scenario.flaw = flaw
    });
}

/// A bit is flipped between the socket and the ring.
#[test]
fn a_wrong_bit_is_seen() {
    flawed(Flaw::WrongBit, WRONG_BYTES);
}

/// An encoder uploads something other than it says.
#[test]
fn a_lying_encoder_is_seen() {
    caught("lies", WRONG_BYTES, |scenario| {
        scenario.encoders[0].lies = true;
    });
}

/// A generation that was replaced is served again.
#[test]
fn an_outdated_object_is_seen() {
    flawed(Flaw::Outdated, &["it was replaced before it was asked for"]);
}

/// The last byte of a send is left out.
#[test]
fn a_short_response_is_seen() {
    let reasons = &[
        "no such bytes were ever uploaded",
        "a chunk does not end where it says",
        "never answered",
        "no status line",
        "bytes are counted",
        "TLS",
    ];
    flawed(Flaw::ShortSend, reasons);
}

/// Responses that are cut off end as complete ones do.
#[test]
fn a_cut_that_looks_complete_is_seen() {
    caught("PoliteCut", LOOKS_COMPLETE, |scenario| {
        scenario.flaw = Flaw::PoliteCut;
        scenario.kills.clear();
        for viewer in &mut scenario.viewers {
            viewer.http10_percent = 60;
        }
    });
}

/// An upload that broke off is committed as if it had ended.
#[test]
fn a_cut_upload_that_looks_complete_is_seen() {
    flawed(Flaw::EndedUpload, LOOKS_COMPLETE);
}

/// A send buffer is kept for ever.
#[test]
fn a_kept_send_buffer_is_seen() {
    flawed(Flaw::KeptBuffer, NOT_GIVEN_BACK);
}

/// An encoder's buffer is kept for ever.
#[test]
fn a_kept_encoder_buffer_is_seen() {
    flawed(Flaw::KeptEncoderBuffer, NOT_GIVEN_BACK);
}

/// A lease is kept for ever.
#[test]
fn a_kept_lease_is_seen() {
    flawed(Flaw::KeptLease, NOT_GIVEN_BACK);
}

/// A slot stays taken by a connection that is gone.
#[test]
fn a_kept_slot_is_seen() {
    flawed(Flaw::KeptSlot, NOT_GIVEN_BACK);
}

/// Timers pile up.
#[test]
fn kept_timers_are_seen() {
    flawed(Flaw::KeptTimers, BEYOND_ITS_BOUND);
}

/// Messages pile up.
#[test]
fn kept_messages_are_seen() {
    flawed(Flaw::KeptMessages, BEYOND_ITS_BOUND);
}

/// Pinned objects pile up.
#[test]
fn kept_objects_are_seen() {
    flawed(Flaw::KeptObjects, BEYOND_ITS_BOUND);
}

/// The end of a send never reaches its loop.
#[test]
fn a_lost_completion_is_seen() {
    flawed(Flaw::LostSend, WAITS_FOR_EVER);
}

/// A message between loops is lost.
#[test]
fn a_lost_message_is_seen() {
    flawed(Flaw::LostMessage, WAITS_FOR_EVER);
}

/// A loop keeps its word to nobody: it is stalled for longer than anybody waits.
#[test]
fn a_run_without_an_end_is_seen() {
    caught("stalls", WAITS_FOR_EVER, |scenario| scenario.stalls = true);
}

/// One byte is counted that was never sent.
#[test]
fn a_byte_too_many_is_seen() {
    flawed(Flaw::CountedTwice, &["bytes are counted"]);
}

/// A complete object is forgotten.
#[test]
fn a_forgotten_object_is_seen() {
    flawed(Flaw::Forgotten, &["what was taken is missing"]);
}

/// What was to outlive a kill did not.
#[test]
fn a_lost_save_is_seen() {
    flawed(Flaw::LostSave, &["what was taken is missing"]);
}
