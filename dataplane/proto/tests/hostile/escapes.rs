//! How the tables of requests write bytes: `\r`, `\n`, `\t`, `\0`, `\\`, `\xHH`, and `{count*text}`.

/// Escapes and repetitions to bytes.
pub(crate) fn unescape(text: &str) -> Vec<u8> {
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
