//! The corpus as rows.

use crate::escapes::unescape;

const TABLE: &str = include_str!("corpus.txt");

/// What follows each row.
pub(crate) const NEXT: &str = "/ingest/secret/s/next.m3u8";
/// What hides in some.
pub(crate) const SMUGGLED: &str = "/ingest/secret/s/smuggled.m3u8";

/// One line of the corpus.
pub(crate) struct Row {
    pub(crate) line: usize,
    pub(crate) what: &'static str,
    /// What is sent, with what comes before and behind it.
    pub(crate) bytes: Vec<u8>,
    /// The path of its upload.
    pub(crate) up: String,
    pub(crate) expected: String,
    /// Why we may accept what nginx refuses.
    pub(crate) laxer: Option<&'static str>,
}

impl Row {
    pub(crate) fn name(&self) -> String {
        format!("line {}, {}", self.line, self.what)
    }
}

pub(crate) fn rows() -> Vec<Row> {
    let mut heading = "";
    let mut rows = Vec::new();
    for (text, line) in TABLE.lines().zip(1..) {
        if text.starts_with('[') {
            heading = text;
        } else if !text.is_empty() && !text.starts_with('#') {
            rows.push(row(line, heading, text));
        }
    }
    rows
}

fn row(line: usize, heading: &str, text: &'static str) -> Row {
    let columns: Vec<&str> = text.split(" | ").collect();
    let (what, sent, expected, laxer) = match columns[..] {
        [what, sent, expected] => (what, sent, expected, None),
        [what, sent, expected, laxer] => (what, sent, expected, Some(laxer)),
        _ => panic!("line {line}: three or four columns"),
    };
    let up = format!("/ingest/secret/s/up{line}.ts");
    let put = format!("PUT {up} HTTP/1.1\r\nHost: h\r\n");
    let front = match heading {
        "[raw]" => String::new(),
        "[put]" => put,
        "[body]" => put + "Transfer-Encoding: chunked\r\n\r\n",
        other => panic!("unknown heading {other}"),
    };
    let next = format!("GET {NEXT} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
    let sent = unescape(&with_names(sent, &up));
    Row {
        line,
        what: what.trim_end(),
        bytes: [front.as_bytes(), &sent, next.as_bytes()].concat(),
        expected: String::from_utf8(unescape(&with_names(expected, &up))).unwrap(),
        up,
        laxer,
    }
}

fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: h\r\n\r\n")
}

/// Puts in what stands for more than its name.
fn with_names(text: &str, up: &str) -> String {
    let smuggled = get(SMUGGLED);
    text.replace("{up}", up)
        .replace("{smuggled}", &smuggled)
        .replace("{hidden}", &smuggled.len().to_string())
        .replace("{hidden-hex}", &format!("{:x}", smuggled.len()))
}
