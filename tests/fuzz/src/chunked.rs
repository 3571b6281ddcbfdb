//! Chunked bodies: the decoder against a plain reading of RFC 9112 section 7.1, in one piece,
//! cut up, byte by byte, and with data received elsewhere.

use zonecast_proto::chunked::{
    CHUNK_END, Decoder, LAST_CHUNK, OVERHEAD_BYTES_MAX, SIZE_LINE_BYTES_MAX, encode_size,
};

use crate::cuts::Cuts;

/// What a body came to.
#[derive(Debug, PartialEq)]
struct Decoded {
    data: Vec<u8>,
    /// Where the body ends; `None`: it is not complete.
    end: Option<usize>,
    refused: bool,
}

pub(crate) fn run(body: &[u8]) {
    let whole = decode(body, &[body.len()], false);
    let everywhere: Vec<usize> = (1..=body.len()).collect();
    assert_eq!(decode(body, &everywhere, false), whole, "byte by byte");
    let mut cuts = Cuts::of(body);
    for skip in [false, true, true] {
        let ends = cuts.ends(body.len(), 8);
        assert_eq!(decode(body, &ends, skip), whole, "cut at {ends:?}");
    }
    assert_eq!(plainly(body), whole, "the plain reading");
    if let Some(end) = whole.end {
        let behind = [&body[..end], b"GET / HTTP/1.1\r\n\r\n"].concat();
        assert_eq!(
            decode(&behind, &[behind.len()], false),
            whole,
            "bytes behind"
        );
        let again = encode(&whole.data, &mut cuts);
        let decoded = decode(&again, &[again.len()], false);
        assert_eq!(decoded.data, whole.data);
        assert_eq!(decoded.end, Some(again.len()));
    }
}

/// By the decoder, in pieces; with `skip` data is taken as if it had been received elsewhere.
fn decode(body: &[u8], ends: &[usize], skip: bool) -> Decoded {
    let (mut decoder, mut data, mut at) = (Decoder::new(), Vec::new(), 0);
    for &end in ends {
        while at < end && !decoder.done() {
            let left = decoder.data_left().min((end - at) as u64) as usize;
            if skip && left > 0 {
                decoder.skip_data(left as u64);
                data.extend_from_slice(&body[at..at + left]);
                at += left;
                continue;
            }
            let Ok(piece) = decoder.decode(&body[at..end]) else {
                return Decoded {
                    data,
                    end: None,
                    refused: true,
                };
            };
            assert!(piece.consumed > 0, "no progress");
            assert!(piece.consumed <= end - at, "more than there is");
            assert!(piece.data.is_empty() || piece.data.end == piece.consumed);
            data.extend_from_slice(&body[at..end][piece.data]);
            at += piece.consumed;
        }
    }
    let end = decoder.done().then_some(at);
    Decoded {
        data,
        end,
        refused: false,
    }
}

/// The same by a reading that looks at whole lines.
fn plainly(body: &[u8]) -> Decoded {
    let mut data = Vec::new();
    let found = plain_end(body, &mut data);
    Decoded {
        end: found.unwrap_or_default(),
        refused: found.is_err(),
        data,
    }
}

/// Where the body ends, `None` where that has not come. What is refused is refused as early as
/// in the decoder: at the first byte that cannot be right.
fn plain_end(body: &[u8], data: &mut Vec<u8>) -> Result<Option<usize>, ()> {
    let (mut at, mut overhead) = (0, 0);
    loop {
        let (text, next) = line(&body[at..])?;
        let (size, extra) = size_line(text)?;
        overhead += extra;
        within(overhead)?;
        if matches!(next, Next::NotYet) {
            return Ok(None);
        }
        // A CR may stand only behind a size, and not behind blanks alone.
        let size = size
            .filter(|_| !text.ends_with(b" ") && !text.ends_with(b"\t") || text.contains(&b';'));
        let size = size.ok_or(())?;
        let Next::At(next) = next else {
            return Ok(None);
        };
        at += next;
        if size == 0 {
            break;
        }
        let take = usize::try_from(size)
            .unwrap_or(usize::MAX)
            .min(body.len() - at);
        data.extend_from_slice(&body[at..at + take]);
        at += take;
        let behind = &body[at..body.len().min(at + 2)];
        if !CHUNK_END.starts_with(behind) && (take as u64) == size {
            return Err(());
        }
        if (take as u64) < size || behind.len() < 2 {
            return Ok(None);
        }
        at += 2;
    }
    loop {
        let (text, next) = line(&body[at..])?;
        trailer(text)?;
        overhead += text.len();
        within(overhead)?;
        let Next::At(next) = next else {
            return Ok(None);
        };
        at += next;
        if text.is_empty() {
            return Ok(Some(at));
        }
    }
}

/// What comes after a line.
enum Next {
    /// More of it.
    NotYet,
    /// Its CR has come.
    Lf,
    /// The next one, so many bytes on.
    At(usize),
}

/// The text of the line that `body` begins with, as far as it has come.
fn line(body: &[u8]) -> Result<(&[u8], Next), ()> {
    let Some(end) = body.iter().position(|byte| *byte == b'\r') else {
        return Ok((body, Next::NotYet));
    };
    match body.get(end + 1) {
        None => Ok((&body[..end], Next::Lf)),
        Some(b'\n') => Ok((&body[..end], Next::At(end + 2))),
        Some(_) => Err(()),
    }
}

/// The size in a line, if a digit has come, and the bytes behind it that count as overhead.
fn size_line(line: &[u8]) -> Result<(Option<u64>, usize), ()> {
    let digits = line
        .iter()
        .take_while(|byte| byte.is_ascii_hexdigit())
        .count();
    let rest = &line[digits..];
    if digits > 16 || (digits == 0 && !rest.is_empty()) {
        return Err(());
    }
    let blanks = rest
        .iter()
        .take_while(|b| matches!(b, b' ' | b'\t'))
        .count();
    let extension = &rest[blanks..];
    if extension.first().is_some_and(|byte| *byte != b';') || !extension.iter().all(is_text) {
        return Err(());
    }
    // The first byte behind the size is looked at as part of the size.
    let overhead = rest.len().saturating_sub(1);
    let text = std::str::from_utf8(&line[..digits]).map_err(|_| ())?;
    Ok((u64::from_str_radix(text, 16).ok(), overhead))
}

fn trailer(line: &[u8]) -> Result<(), ()> {
    let folded = matches!(line.first(), Some(b' ' | b'\t'));
    (!folded && line.iter().all(is_text))
        .then_some(())
        .ok_or(())
}

fn is_text(byte: &u8) -> bool {
    *byte == b'\t' || (*byte >= b' ' && *byte != 0x7f)
}

fn within(overhead: usize) -> Result<(), ()> {
    (overhead <= OVERHEAD_BYTES_MAX as usize)
        .then_some(())
        .ok_or(())
}

fn encode(data: &[u8], cuts: &mut Cuts) -> Vec<u8> {
    let mut out = Vec::new();
    let mut start = 0;
    for end in cuts.ends(data.len(), 3) {
        if end > start {
            let mut room = [0; SIZE_LINE_BYTES_MAX];
            out.extend_from_slice(encode_size((end - start) as u64, &mut room));
            out.extend_from_slice(&data[start..end]);
            out.extend_from_slice(CHUNK_END);
            start = end;
        }
    }
    out.extend_from_slice(LAST_CHUNK);
    out
}
