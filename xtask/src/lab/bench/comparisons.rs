//! What each idea of the design is worth: rows of the table, two by two, and what siloing keeps from
//! crossing between nodes.

use super::Run;
use super::row::{Found, Row};

/// An idea, the row with it, and the row without it.
const PAIRS: [(&str, &str, &str); 8] = [
    (
        "io_uring against blocking, kTLS",
        "bare, TLS in the kernel, io_uring 256 KiB",
        "bare, TLS in the kernel, blocking 256 KiB",
    ),
    (
        "io_uring against blocking, plain",
        "bare, plain, io_uring 256 KiB",
        "bare, plain, blocking 256 KiB",
    ),
    (
        "io_uring against poll and send, kTLS",
        "bare, TLS in the kernel, io_uring 256 KiB",
        "bare, TLS in the kernel, send 256 KiB",
    ),
    (
        "the daemon against nginx, kTLS",
        "zonecast, TLS in the kernel",
        "nginx, TLS in the kernel, sendfile",
    ),
    (
        "kTLS against sealing in the process",
        "zonecast, TLS in the kernel",
        "zonecast, TLS in the process",
    ),
    (
        "sealing card against kTLS, same cable",
        "zonecast, TLS 1.2 on the card",
        "zonecast, TLS in the kernel, through the card",
    ),
    (
        "sealing card against plain, same cable",
        "zonecast, TLS 1.2 on the card",
        "zonecast, plain, through the card",
    ),
    (
        "sealing card, pages lent or copied (bare)",
        "card, TLS 1.2, not copied, vmsplice 256 KiB",
        "card, TLS 1.2, copied, send 64 KiB",
    ),
];

/// How the step of suite `numa` is called that tells of bytes that cross.
const CROSSING: &str = "bytes that cross from node to node: ok  ";

/// The lines of the table, of the first run; empty where no two rows belong together.
pub(super) fn print(runs: &[Run]) -> String {
    let Some(first) = runs.first() else {
        return String::new();
    };
    let of = |name: &str| first.iter().find(|row| row.name == name).and_then(whole);
    let mut text = String::new();
    for (what, with, without) in PAIRS {
        if let (Some(on), Some(off)) = (of(with), of(without)) {
            let ratio = on / off;
            text += &format!("{what:<46} {on:>7.2} {off:>7.2} {ratio:>7.2}\n");
        }
    }
    if text.is_empty() {
        return text;
    }
    let head = format!(
        "{:<46} {:>7} {:>7} {:>7}\n",
        "whole guest, instructions a byte", "with", "without", "ratio"
    );
    head + &text
}

fn whole(row: &Row) -> Option<f64> {
    match &row.found {
        Found::Cost(cost) => Some(cost.whole()),
        Found::Skipped(_) => None,
    }
}

/// What a step tells of bytes whose ring, loop and card were not all of one zone, if it is that step.
pub(super) fn crossing(step: &str) -> Option<String> {
    let said = step.split_once(CROSSING)?.1;
    let mut text = String::from(
        "bytes to viewers that cross from node to node, computed: those whose ring zone, loop zone\n\
         and egress zone are not all the same (zonecast_bytes_total), in a machine of two nodes\n",
    );
    for part in said.split("; ") {
        let (what, bytes) = part.split_once(": ")?;
        text += &format!("{what:<46} {bytes}\n");
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rows that belong together are compared by the whole guest's figures; others are left out.
    #[test]
    fn compares_two_by_two() {
        let row = |name: &str, whole: u64| {
            let step = format!("{name}: ok  own=1 whole={whole} client=1 bytes=100");
            Row::read(&step).unwrap()
        };
        let rows = vec![
            row("zonecast, TLS in the kernel", 300),
            row("zonecast, TLS in the process", 600),
        ];
        let text = print(std::slice::from_ref(&rows));
        let line = text.lines().nth(1).unwrap();
        assert!(line.ends_with("3.00    6.00    0.50"), "{line}");
        assert_eq!(text.lines().count(), 2);
        assert_eq!(print(&[rows[..1].to_vec()]), "");
    }

    /// The step's figures are a line each; no other step has any.
    #[test]
    fn tells_what_crosses() {
        let step = "bytes that cross from node to node: ok  siloing on: 0 of 9 (0 %); siloing off: 6 of 9 (67 %)";
        let text = crossing(step).unwrap();
        assert!(text.contains("\nsiloing off  ") && text.ends_with(" 6 of 9 (67 %)\n"));
        assert_eq!(crossing("something else: ok  x: y"), None);
    }
}
