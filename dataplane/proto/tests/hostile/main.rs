//! Each request of `requests.txt` gets the verdict that stands beside it: in one piece, and
//! byte by byte.

#![forbid(unsafe_code)]

mod escapes;

use escapes::unescape;
use zonecast_proto::BadRequest;
use zonecast_proto::chunked::Decoder;
use zonecast_proto::path::{self, PathRoom};
use zonecast_proto::request::{self, BodyKind, HeadLimits};

const TABLE: &str = include_str!("requests.txt");

/// What comes of a request of which `bytes` have arrived, as the table says it.
fn verdict(bytes: &[u8]) -> String {
    match outcome(bytes) {
        Ok(Some(served)) => served,
        Ok(None) => "waits".to_owned(),
        Err(error) => format!("{} {error:?}", error.status().code()),
    }
}

fn outcome(bytes: &[u8]) -> Result<Option<String>, BadRequest> {
    let Some((request, used)) = request::parse(bytes, &HeadLimits::default())? else {
        return Ok(None);
    };
    let mut room = PathRoom::default();
    let name = path::parse(request.path, &mut room)?;
    let rest = &bytes[used..];
    let body = match request.body {
        BodyKind::None => Some(Vec::new()),
        BodyKind::Length(length) => rest.get(..length as usize).map(<[u8]>::to_vec),
        BodyKind::Chunked => unchunked(rest)?,
    };
    Ok(body.map(|body| {
        format!(
            "serves <{}> <{}>",
            name.path,
            String::from_utf8_lossy(&body)
        )
    }))
}

fn unchunked(mut rest: &[u8]) -> Result<Option<Vec<u8>>, BadRequest> {
    let mut decoder = Decoder::new();
    let mut body = Vec::new();
    while !decoder.done() && !rest.is_empty() {
        let piece = decoder.decode(rest)?;
        body.extend_from_slice(&rest[piece.data]);
        rest = &rest[piece.consumed..];
    }
    Ok(decoder.done().then_some(body))
}

/// The verdict when the bytes arrive one at a time (a few at a time in a long body) and
/// nothing more is read once there is one.
fn verdict_by_byte(bytes: &[u8]) -> String {
    let by_byte = 0..bytes.len().min(6000);
    let by_a_few = (6000..bytes.len()).step_by(199);
    let mut ends = by_byte.chain(by_a_few).chain([bytes.len()]);
    ends.find_map(|end| Some(verdict(&bytes[..end])).filter(|verdict| verdict != "waits"))
        .unwrap_or_else(|| "waits".to_owned())
}

/// A row of the table.
struct Row {
    line: usize,
    what: &'static str,
    bytes: Vec<u8>,
    expected: Vec<u8>,
}

fn rows() -> Vec<Row> {
    let mut heading = "";
    let mut rows = Vec::new();
    for (text, line) in TABLE.lines().zip(1..) {
        if text.starts_with('[') {
            heading = text;
        } else if !text.is_empty() && !text.starts_with('#') {
            let mut columns = text.splitn(3, " | ");
            let mut column = || {
                columns
                    .next()
                    .unwrap_or_else(|| panic!("line {line}: three columns"))
            };
            let what = column().trim_end();
            let bytes = around(heading, &unescape(column()));
            rows.push(Row {
                line,
                what,
                bytes,
                expected: unescape(column()),
            });
        }
    }
    rows
}

/// What is sent, with what its heading puts around it.
fn around(heading: &str, sent: &[u8]) -> Vec<u8> {
    let put = "PUT /live/s/a.ts HTTP/1.1\r\nHost: h\r\n";
    let chunked = format!("{put}Transfer-Encoding: chunked\r\n\r\n");
    let (before, behind) = match heading {
        "[raw]" => ("", ""),
        "[line]" => ("", "\r\nHost: h\r\n\r\n"),
        "[fields]" => ("GET /live/s/a.ts HTTP/1.1\r\n", "\r\n"),
        "[target]" => ("GET ", " HTTP/1.1\r\nHost: h\r\n\r\n"),
        "[put]" => (put, "\r\n"),
        "[body]" => (chunked.as_str(), ""),
        other => panic!("unknown heading {other}"),
    };
    [before.as_bytes(), sent, behind.as_bytes()].concat()
}

fn check(verdict: fn(&[u8]) -> String) {
    let mut wrong = Vec::new();
    for row in rows() {
        let got = verdict(&row.bytes);
        if got.as_bytes() != row.expected {
            let expected = String::from_utf8_lossy(&row.expected).into_owned();
            wrong.push(format!(
                "line {}, {}: {got:.80}, not {expected:.80}",
                row.line, row.what
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The table itself is read in full: a heading or separator that is misspelt loses no rows.
#[test]
fn the_table_is_read() {
    let lines = TABLE
        .lines()
        .filter(|line| line.contains(" | ") && !line.starts_with('#'));
    assert_eq!(rows().len(), lines.count());
    assert!(rows().len() > 120);
}

/// The table holds for requests in one piece.
#[test]
fn in_one_piece() {
    check(verdict);
}

/// And for requests that arrive byte by byte: a verdict comes as early as it can, and is
/// the same.
#[test]
fn byte_by_byte() {
    check(verdict_by_byte);
}
