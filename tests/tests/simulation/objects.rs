//! What encoders upload, and how it goes over the wire.

use super::random::Random;

/// What every request of an encoder has.
pub(crate) const CREDENTIALS: &str = "Host: x\r\nAuthorization: Bearer secret\r\n";

/// A new body for `path`.
pub(crate) fn body(random: &mut Random, path: &str, most: usize) -> Vec<u8> {
    let len = match random.below(10) {
        0 => random.between(1, 16),
        1..4 => random.between(1, 2000),
        4..8 => random.between(1, most / 4),
        _ => random.between(1, most),
    };
    let is_init = path.contains("init");
    let len = if is_init { len.clamp(16, 4000) } else { len };
    let mut body = random.bytes(len);
    if is_init {
        body[..8].copy_from_slice(b"\0\0\0\x18ftyp");
    }
    body
}

/// The upload as it goes over the wire, in at least two pieces.
pub(crate) fn pieces(random: &mut Random, path: &str, body: &[u8]) -> Vec<Vec<u8>> {
    let chunked = random.percent(70);
    let method = random.pick(&["PUT", "PUT", "PUT", "POST"]);
    let expect = if random.percent(10) {
        "Expect: 100-continue\r\n"
    } else {
        ""
    };
    let mut head = format!("{method} {path} HTTP/1.1\r\n{CREDENTIALS}{expect}");
    let mut pieces = Vec::new();
    if chunked {
        head.push_str("Transfer-Encoding: chunked\r\n\r\n");
        let mut rest = body;
        while !rest.is_empty() {
            let most = random.pick(&[1, 100, 2000, 33_000, 120_000]);
            let (part, later) = rest.split_at(random.between(1, most.min(rest.len())));
            let mut piece = format!("{:x}\r\n", part.len()).into_bytes();
            piece.extend_from_slice(part);
            piece.extend_from_slice(b"\r\n");
            pieces.push(piece);
            rest = if pieces.len() < 60 { later } else { &[] };
            if rest.is_empty() && !later.is_empty() {
                let mut piece = format!("{:x}\r\n", later.len()).into_bytes();
                piece.extend_from_slice(later);
                piece.extend_from_slice(b"\r\n");
                pieces.push(piece);
            }
        }
        pieces.push(b"0\r\n\r\n".to_vec());
    } else {
        head.push_str(&format!("Content-Length: {}\r\n\r\n", body.len()));
        let size = random.between(body.len() / 20 + 1, body.len() + 1);
        pieces.extend(body.chunks(size).map(<[u8]>::to_vec));
    }
    pieces.insert(0, head.into_bytes());
    pieces
}
