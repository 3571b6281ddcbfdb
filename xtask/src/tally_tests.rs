//! Tests of the counting, on output as `cargo test` prints it.

use super::*;

fn read(output: &str) -> (Reader, Vec<String>) {
    let mut reader = Reader::default();
    let progress = output
        .lines()
        .filter_map(|line| reader.line(line))
        .collect();
    (reader, progress)
}

/// Two binaries and doc tests: the counts add up, and each has its line of progress; a binary
/// without tests has none.
#[test]
fn counts_over_binaries() {
    let (reader, progress) = read(
        "
     Running unittests src/lib.rs (/t/debug/deps/zonecast_ring-09af)

running 2 tests
test a ... ok
test b ... ok

test result: ok. 2 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.25s

     Running unittests src/main.rs (/t/debug/deps/zonecast-77aa)

running 0 tests

test result: ok. 0 passed; 0 failed; 0 ignored; 0 measured; 5 filtered out; finished in 0.00s

   Doc-tests zonecast_ring

running 2 tests
test ring/src/lib.rs - (line 3) ... ignored
test ring/src/lib.rs - (line 9) ... ok

test result: ok. 1 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 1.50s
",
    );
    assert_eq!(
        progress,
        [
            "zonecast_ring: 2 passed, 0.25s",
            "zonecast_ring (docs): 1 passed, 1 skipped, 1.50s",
        ]
    );
    let (tally, _) = reader.finish();
    assert_eq!(tally.line(), "3 passed, 0 failed, 1 skipped");
    assert_eq!(
        tally.skipped[0].test,
        "zonecast_ring (docs) ring/src/lib.rs - (line 3)"
    );
}

/// A test that prints SKIP counts as skipped and not as passed, once however often it prints;
/// what a failed test prints is kept, and its SKIP is no skip.
#[test]
fn skips_and_failures() {
    let (reader, progress) = read(
        "
     Running tests/net.rs (/t/debug/deps/net-09af)

running 4 tests
test v6 ... ok
test v4 ... ok
test rdma ... ok
test bad ... FAILED

successes:

---- v6 stdout ----
seed 1
SKIP: no IPv6
SKIP: no second address

---- rdma stdout ----
SKIP: no RDMA device


successes:
    v4
    v6

failures:

---- bad stdout ----
SKIP: never
thread 'bad' panicked at 'x'
stack backtrace:
   0: core::panicking::panic
             at /rustc/panicking.rs:1:2

failures:
    bad

test result: FAILED. 3 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 2.00s
",
    );
    assert_eq!(progress, ["net: 1 passed, 1 FAILED, 2 skipped, 2.00s"]);
    let (tally, failures) = reader.finish();
    assert_eq!(tally.line(), "1 passed, 1 failed, 2 skipped");
    assert_eq!(tally.skipped[0].test, "net v6");
    assert_eq!(tally.skipped[0].reasons, ["no IPv6", "no second address"]);
    assert_eq!(tally.skipped[1].test, "net rdma");
    assert!(failures.contains(&"thread 'bad' panicked at 'x'".to_owned()));
    assert!(!failures.iter().any(|line| line.contains("test result")));
    assert!(!failures.iter().any(|line| line.contains("panicking")));
    assert_eq!(tally.failures.len(), 1);
    assert_eq!(
        tally.failures[0].lines(),
        ["net bad", "    thread 'bad' panicked at 'x'"]
    );
}

/// A SKIP outside any test (a program's own, or a runner without sections) counts one a line.
#[test]
fn skips_outside_tests() {
    let (reader, _) = read("SKIP: one\nSKIP: two\nnot SKIP: three");
    let (tally, _) = reader.finish();
    assert_eq!(tally.line(), "0 passed, 0 failed, 2 skipped");
    assert!(!tally.is_empty());
}

/// Lines that only look like the runner's are not counted, and nothing panics on them.
#[test]
fn odd_lines() {
    let (reader, progress) = read("test result: passed;\n     Running x\n---- \ntest a ... \nSKIP");
    assert!(progress.is_empty());
    assert!(reader.finish().0.is_empty());
}
