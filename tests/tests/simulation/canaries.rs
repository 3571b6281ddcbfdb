//! Canaries: the pipeline, or what the checker is told, is broken on purpose, and the checker
//! must say so. One that passes means that nobody looks.

use zonecast_dataplane::simulation::Flaw;

use super::run::run;
use super::scenario::Scenario;

/// What a calm run fails with when it is broken like this.
fn failure(seed: u64, spoil: impl FnOnce(&mut Scenario)) -> String {
    let mut scenario = Scenario::calm(seed);
    spoil(&mut scenario);
    let failure = run(&scenario).expect_err("the checker sees nothing");
    failure.lines().next().unwrap_or_default().to_owned()
}

/// A bit is flipped between the socket and the ring.
#[test]
fn a_wrong_bit_is_seen() {
    let why = failure(1, |scenario| scenario.flaw = Flaw::WrongBit);
    assert!(why.contains("no such bytes were ever uploaded"), "{why}");
}

/// The end of a send never reaches its loop: its viewer waits for ever.
#[test]
fn a_viewer_without_an_answer_is_seen() {
    let why = failure(2, |scenario| {
        scenario.flaw = Flaw::LostSend;
    });
    assert!(
        why.contains("never answered") || why.contains("not given back"),
        "{why}"
    );
}

/// The last byte of a send is left out.
#[test]
fn a_short_response_is_seen() {
    let why = failure(3, |scenario| scenario.flaw = Flaw::ShortSend);
    assert!(!why.is_empty(), "{why}");
}

/// A buffer is kept for ever.
#[test]
fn a_kept_buffer_is_seen() {
    let why = failure(4, |scenario| scenario.flaw = Flaw::KeptBuffer);
    assert!(why.contains("buffers have not come back"), "{why}");
}

/// An encoder uploads something other than it says.
#[test]
fn a_lying_encoder_is_seen() {
    let why = failure(5, |scenario| scenario.encoders[0].lies = true);
    assert!(why.contains("no such bytes were ever uploaded"), "{why}");
}

/// Responses that are cut off end as complete ones do.
#[test]
fn a_cut_that_looks_complete_is_seen() {
    let why = failure(6, |scenario| {
        scenario.flaw = Flaw::PoliteCut;
        scenario.encoders[0].cuts_percent = 60;
        scenario.encoders[0].objects = 40;
        for viewer in &mut scenario.viewers {
            viewer.http10_percent = 100;
            viewer.connections = 60;
        }
    });
    assert!(why.contains("it looks complete and is not"), "{why}");
}

/// A loop keeps its word to nobody: it is stalled for longer than anybody waits.
#[test]
fn a_run_without_an_end_is_seen() {
    let why = failure(7, |scenario| scenario.stalls = true);
    assert!(why.contains("never answered"), "{why}");
}
