//! The corpus as rows.

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

/// Escapes and repetitions to bytes.
fn unescape(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let taken = match c {
            '{' => {
                let (count, repeated) = rest[1..].split_once('*').expect("{count*text}");
                let (repeated, _) = repeated.split_once('}').expect("{count*text}");
                let number = count.parse().expect("a count");
                bytes.extend(unescape(repeated).repeat(number));
                count.len() + repeated.len() + 3
            }
            '\\' => {
                let (byte, taken) = escape(&rest[1..]);
                bytes.push(byte);
                taken + 1
            }
            _ => {
                bytes.extend_from_slice(&rest.as_bytes()[..c.len_utf8()]);
                c.len_utf8()
            }
        };
        rest = &rest[taken..];
    }
    bytes
}

/// The byte that an escape stands for, and its length without the backslash.
fn escape(text: &str) -> (u8, usize) {
    match text.as_bytes()[0] {
        b'r' => (b'\r', 1),
        b'n' => (b'\n', 1),
        b't' => (b'\t', 1),
        b'0' => (0, 1),
        b'\\' => (b'\\', 1),
        b'x' => (u8::from_str_radix(&text[1..3], 16).expect("two digits"), 3),
        other => panic!("unknown escape {other}"),
    }
}
