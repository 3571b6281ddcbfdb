//! Every input that is kept still holds its target's properties. This is what of the fuzzing
//! needs no libFuzzer; one test a target.

#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use zonecast_fuzz::{TARGETS, target};

fn corpora() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus")
}

fn replay(name: &str) {
    let target = target(name).unwrap();
    let mut files: Vec<PathBuf> = std::fs::read_dir(corpora().join(name))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    assert!(files.len() > 10, "the corpus is there");
    for file in files {
        println!("{}", file.display());
        let data = std::fs::read(&file).unwrap();
        assert!(data.len() <= target.bytes_max);
        (target.run)(&data);
    }
    // What no file can be: nothing at all, and one of each byte.
    (target.run)(b"");
    for byte in 0..=255 {
        (target.run)(&[byte]);
    }
}

/// A corpus without a target would never be looked at.
#[test]
fn every_corpus_has_a_target() {
    let folders = std::fs::read_dir(corpora()).unwrap();
    let folders: BTreeSet<String> = folders
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    let names: BTreeSet<String> = TARGETS.iter().map(|t| t.name.to_owned()).collect();
    assert_eq!(folders, names);
}

#[test]
fn request() {
    replay("request");
}

#[test]
fn chunked() {
    replay("chunked");
}

#[test]
fn names() {
    replay("names");
}

#[test]
fn records() {
    replay("records");
}

#[test]
fn handshake() {
    replay("handshake");
}

#[test]
fn config() {
    replay("config");
}
