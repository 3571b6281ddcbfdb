//! The life of a connection, as one table.
//!
//! Every change of state goes through [`State::go`], which refuses what the table does not
//! list; `docs/viewer-life.md` is generated from it and a test keeps the two the same.

/// Where a connection stands. Each state's work is in the file named beside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// The TLS handshake goes on (`delivery/handshake.rs`).
    Handshake,
    /// The kernel is given the sending side (`delivery/handover.rs`).
    Handover,
    /// A request head is awaited, or arriving (`delivery/request.rs`).
    Request,
    /// Parked until the object, or the wanted bytes of it, are there (`delivery/waiting.rs`).
    Waiting,
    /// A response is being sent (`delivery/response.rs`).
    Response,
    /// An encoder's body is being taken (`ingest/body.rs`).
    Upload,
    /// The body is in; the stream's owner commits it (`ingest/answer.rs`).
    Commit,
    /// Nothing more is sent; the peer's end is awaited (`delivery/draining.rs`).
    Draining,
    /// What is in flight is awaited, then the socket is closed (`peer/teardown.rs`).
    Closing,
}

use State::{Closing, Commit, Draining, Handover, Handshake, Request, Response, Upload, Waiting};

/// Every transition there is, and what causes it.
pub(crate) const TRANSITIONS: &[(State, State, &str)] = &[
    (Handshake, Request, "handshake complete"),
    (Handshake, Draining, "handshake refused: the alert is sent"),
    (Handshake, Closing, "time-out, or the peer left"),
    (
        Handshake,
        Handover,
        "handshake complete, and the kernel may seal",
    ),
    (Handover, Request, "the kernel seals, or it has refused"),
    (Handover, Closing, "time-out, or shutdown"),
    (
        Request,
        Waiting,
        "the segment, or the range of it, is not there yet",
    ),
    (Request, Response, "answered: an object, or an error"),
    (Request, Upload, "PUT, POST or DELETE from an encoder"),
    (Request, Draining, "idle for too long, or we are draining"),
    (Request, Closing, "the peer left"),
    (
        Waiting,
        Response,
        "it is there, it is gone, or the wait is over",
    ),
    (Waiting, Closing, "the peer left"),
    (Response, Request, "response complete, connection kept"),
    (Response, Draining, "response complete, connection ends"),
    (Response, Closing, "lapped, cut, too slow, or the peer left"),
    (Upload, Commit, "final byte"),
    (Upload, Request, "refused: the answer is held"),
    (Upload, Closing, "cut, or silent for too long"),
    (
        Commit,
        Request,
        "committed: the answer is held until the encoder is quiet",
    ),
    (Commit, Closing, "shutdown"),
    (Draining, Closing, "the peer ended, or the time is over"),
];

impl State {
    /// Changes to `next`.
    ///
    /// # Panics
    /// When the table has no such transition: our own error, never a peer's.
    pub(crate) fn go(&mut self, next: Self) {
        let listed = TRANSITIONS
            .iter()
            .any(|(from, to, _)| (*from, *to) == (*self, next));
        assert!(listed, "no transition from {self:?} to {next:?}");
        *self = next;
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write;

    use super::*;

    const ALL: [State; 9] = [
        Handshake, Handover, Request, Waiting, Response, Upload, Commit, Draining, Closing,
    ];

    fn page() -> String {
        let mut page = String::from(
            "# The life of a connection\n\nGenerated from `src/peer/state.rs` by its test \
             (`ZONECAST_BLESS=1 cargo test -p zonecast-dataplane state` writes it anew).\n\n\
             ```mermaid\nstateDiagram-v2\n    [*] --> Handshake: accepted, TLS\n    \
             [*] --> Request: accepted, plain\n",
        );
        for (from, to, why) in TRANSITIONS {
            writeln!(page, "    {from:?} --> {to:?}: {}", why.replace(':', " -"))
                .expect("a string");
        }
        page.push_str("    Closing --> [*]: closed\n```\n\n| from \\ to |");
        for to in ALL {
            write!(page, " {to:?} |").expect("a string");
        }
        page.push_str(&format!("\n|---|{}\n", "---|".repeat(ALL.len())));
        for from in ALL {
            write!(page, "| **{from:?}** |").expect("a string");
            for to in ALL {
                let found = TRANSITIONS.iter().find(|(f, t, _)| (*f, *t) == (from, to));
                write!(page, " {} |", found.map_or("", |(_, _, why)| why)).expect("a string");
            }
            page.push('\n');
        }
        page
    }

    /// The committed page is what the table says.
    #[test]
    fn the_page_shows_the_table() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/viewer-life.md");
        if std::env::var_os("ZONECAST_BLESS").is_some() {
            std::fs::create_dir_all(concat!(env!("CARGO_MANIFEST_DIR"), "/docs"))
                .expect("a folder");
            std::fs::write(path, page()).expect("written");
        }
        assert_eq!(std::fs::read_to_string(path).unwrap_or_default(), page());
    }

    /// Every state can be left for Closing, and every transition is listed once.
    #[test]
    fn everything_ends() {
        for from in ALL.into_iter().filter(|s| *s != Closing) {
            assert!(
                TRANSITIONS
                    .iter()
                    .any(|(f, t, _)| (*f, *t) == (from, Closing)),
                "{from:?}"
            );
        }
        for (n, (from, to, _)) in TRANSITIONS.iter().enumerate() {
            assert!(
                !TRANSITIONS[..n]
                    .iter()
                    .any(|(f, t, _)| (f, t) == (from, to))
            );
        }
    }

    /// What the table does not list is refused.
    #[test]
    #[should_panic(expected = "no transition from Draining to Request")]
    fn what_is_not_listed_is_refused() {
        Draining.clone().go(Request);
    }
}
