//! Where requests end, by nginx and by us: for each line of `corpus.txt` what we make of it
//! stands beside it, and wherever both accept, both see the same requests with the same bodies.
//! Where nginx refuses and we do not, the line says why that is fine.

#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used)]

#[path = "../../proto/tests/hostile/escapes.rs"]
mod escapes;
mod nginx;
#[path = "../pipeline_support/mod.rs"]
mod pipeline_support;
mod seen;
mod table;

use std::time::Duration;

use nginx::Nginx;
use pipeline_support::{Client, Response, Running, config};
use seen::{End, Seen, Verdict};
use table::{NEXT, Row, SMUGGLED};

/// An ingest that has the objects that the corpus asks for, and does not wait for long.
fn ingest() -> Running {
    let mut config = config();
    let moment = Duration::from_secs(3);
    config.ingest.ingest_idle = moment;
    config.ingest.limits.header_timeout = moment;
    config.ingest.limits.idle_timeout = moment;
    config.ingest.limits.request_timeout = moment;
    let running = Running::start(config);
    let there = "/ingest/secret/s/a.ts";
    for (path, body) in [(NEXT, "next"), (SMUGGLED, "smuggled"), (there, "other")] {
        assert_eq!(running.put(path, body.as_bytes()), 201);
    }
    running
}

/// What our ingest makes of a row: the answers, and what lies under the upload's name.
fn by_us(running: &Running, row: &Row) -> Verdict {
    println!("{}", row.name());
    let waited = || running.sum(|zone| zone.timeouts);
    let (mut client, before) = (running.encoder(), waited());
    let (mut seen, mut end) = (Vec::new(), None);
    for response in said_to(&mut client, &row.bytes) {
        let status = response.status;
        let closes = response.field("Connection") == Some("close");
        if status >= 400 && closes {
            end = Some(End::Refused(status));
            break;
        }
        end = closes.then_some(End::Agreed);
        seen.push(match (status, &response.body[..]) {
            (201, _) => {
                let stored = running.get(&row.up.replace("/ingest/secret", "/live"));
                assert_eq!(stored.status, 200, "{}", row.name());
                Seen::Put(stored.body)
            }
            (200, b"next") => Seen::Next,
            (200, b"smuggled") => Seen::Smuggled,
            _ => Seen::Other,
        });
    }
    // A connection that is only idle is closed in peace.
    let silent = || match client.ended {
        Some(_) if waited() == before => End::Cut,
        _ => End::Waits,
    };
    Verdict {
        seen,
        end: end.unwrap_or_else(silent),
    }
}

/// Sends all, and reads answers until the end of the connection.
fn said_to(client: &mut Client, bytes: &[u8]) -> Vec<Response> {
    // A server that has refused may have closed before it has read all.
    let _ = client.try_send(bytes);
    let mut responses = Vec::new();
    while let Some(head) = client.try_head() {
        responses.push(client.rest(&head));
    }
    responses
}

/// Every line gets the verdict that stands in the corpus.
#[test]
fn our_verdicts() {
    let running = ingest();
    let rows = table::rows();
    assert!(rows.len() > 150, "the corpus is read");
    let mut wrong = Vec::new();
    for row in &rows {
        let verdict = by_us(&running, row).to_string();
        if verdict != row.expected {
            let expected = &row.expected;
            wrong.push(format!(
                "{}: {verdict:.200}, not {expected:.200}",
                row.name()
            ));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
    running.stop();
}

/// See the head of this file.
#[test]
fn nginx_and_we_agree() {
    let Some(nginx) = Nginx::start() else {
        return;
    };
    let running = ingest();
    let (mut wrong, mut stricter, mut laxer) = (Vec::new(), Vec::new(), Vec::new());
    for row in table::rows() {
        let (theirs, ours) = (nginx.verdict(&row), by_us(&running, &row));
        let line = format!("{}: nginx: {theirs:.150}; we: {ours:.150}", row.name());
        let common = theirs.seen.len().min(ours.seen.len());
        let (rest_of_theirs, rest_of_ours) = (&theirs.seen[common..], &ours.seen[common..]);
        if theirs.seen[..common] != ours.seen[..common] {
            wrong.push(format!("other requests: {line}"));
        } else if !rest_of_theirs.is_empty() && ours.end == End::Waits {
            wrong.push(format!("we see fewer requests: {line}"));
        } else if !rest_of_theirs.is_empty() {
            stricter.push(line);
        } else if !rest_of_ours.is_empty() {
            match row.laxer {
                Some(why) => laxer.push(format!("{line}; {why}")),
                None => wrong.push(format!("we accept more: {line}")),
            }
        } else if row.laxer.is_some() {
            println!("this nginx does the same: {line}");
        }
    }
    println!("{}", nginx.version);
    println!("stricter than nginx:\n  {}", stricter.join("\n  "));
    println!("laxer than nginx, and why:\n  {}", laxer.join("\n  "));
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
    assert!(stricter.len() > 10, "nginx runs, and accepts what it does");
    running.stop();
}
