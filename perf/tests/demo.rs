//! Shows the whole demo with a real ffmpeg and a stand-in for the daemon: it passes with a
//! right one, fails with a wrong one, says so in its last line and its exit code, and
//! leaves no process behind.
#![allow(clippy::unwrap_used, missing_docs)]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use zonecast_perf::ffmpeg;

fn standin() -> PathBuf {
    let folder = std::env::current_exe().unwrap();
    let path = folder
        .parent()
        .unwrap()
        .parent()
        .unwrap()
        .join("examples/standin");
    assert!(
        path.exists(),
        "{} is built by `cargo test` without --test",
        path.display()
    );
    path
}

/// Runs the demo for some seconds with this fault, or not at all where there is no ffmpeg.
fn demo(fault: &str, folder: &Path) -> Option<Output> {
    if !ffmpeg::available(Path::new("ffmpeg")) {
        println!("SKIP: ffmpeg is not installed");
        return None;
    }
    let output = Command::new(env!("CARGO_BIN_EXE_zonecast-demo"))
        .arg("--zonecast")
        .arg(standin())
        .args([
            "--seconds",
            "9",
            "--viewers",
            "10",
            "--video",
            "320x180",
            "--work-dir",
        ])
        .arg(folder)
        .env("STANDIN_FAULT", fault)
        .output()
        .unwrap();
    println!("{}", String::from_utf8_lossy(&output.stdout));
    println!("{}", String::from_utf8_lossy(&output.stderr));
    Some(output)
}

fn last_line(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout)
        .lines()
        .last()
        .unwrap_or_default()
        .to_owned()
}

/// No process has this folder in its command line.
fn nothing_left(folder: &Path) {
    let folder = folder.to_string_lossy().into_owned();
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let line = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
        let line = String::from_utf8_lossy(&line).into_owned();
        assert!(!line.contains(&folder), "left behind: {line}");
    }
}

/// A right daemon: PASS with its counts, exit code 0.
#[test]
fn passes_with_a_right_daemon() {
    let folder = tempfile::tempdir().unwrap();
    let Some(output) = demo("", folder.path()) else {
        return;
    };
    let line = last_line(&output);
    assert!(
        line.starts_with("demo: PASS 9 s, 2 streams, 10 viewers, "),
        "{line}"
    );
    assert!(
        line.contains("0 corrupt, 0 missing, 0 late, zone 0 "),
        "{line}"
    );
    assert!(output.status.success());
    nothing_left(folder.path());
}

/// One flipped bit: FAIL, with the reason and the finding in the log.
#[test]
fn fails_with_a_wrong_daemon() {
    let folder = tempfile::tempdir().unwrap();
    let Some(output) = demo("flip:index2", folder.path()) else {
        return;
    };
    let line = last_line(&output);
    assert!(line.starts_with("demo: FAIL 9 s"), "{line}");
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stdout).contains("because 20 objects were corrupt"));
    let findings = std::fs::read_to_string(folder.path().join("findings.log")).unwrap();
    assert_eq!(
        findings
            .lines()
            .filter(|line| line.contains("corrupt  /live/"))
            .count(),
        20
    );
    nothing_left(folder.path());
}
