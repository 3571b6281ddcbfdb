//! Properties of the parsers for input that nobody thought of: how it is split changes
//! nothing, what is accepted has one reading, and nothing panics.

#![forbid(unsafe_code)]

mod common;

use proptest::collection::vec;
use proptest::prelude::*;

use common::check;
use zonecast_proto::BadRequest;
use zonecast_proto::chunked::{CHUNK_END, Decoder, LAST_CHUNK, SIZE_LINE_BYTES_MAX, encode_size};
use zonecast_proto::etag::ETag;
use zonecast_proto::kind::{Kind, sniff_ftyp};
use zonecast_proto::path::{self, PathRoom, Redacted};
use zonecast_proto::range::RangeSpec;
use zonecast_proto::request::{self, BodyKind, HeadLimits};
use zonecast_proto::track::TrackPatterns;

/// Small enough that random heads pass each of them.
const TIGHT: HeadLimits = HeadLimits {
    head_bytes_max: 100,
    request_line_bytes_max: 30,
    fields_max: 5,
};

/// Pieces of heads, good and bad; a random row of them is often nearly a request.
fn head() -> impl Strategy<Value = Vec<u8>> {
    let line = prop_oneof![
        5 => Just("GET /live/s/a.ts HTTP/1.1\r\n"),
        1 => Just("PUT /ingest/t/s/a HTTP/1.0\r\n"),
        1 => Just("OPTIONS * HTTP/1.1\r\n"),
        1 => Just("\r\nGET http://h/live/s/%61?q HTTP/1.1\r\n"),
        1 => Just("GET /x HTTP/3.0\r\n"),
    ];
    let field = prop_oneof![
        Just("Host: h\r\n"),
        Just("Content-Length: 5\r\n"),
        Just("content-length: x\r\n"),
        Just("Transfer-Encoding: chunked\r\n"),
        Just("Transfer-Encoding: gzip\r\n"),
        Just("Connection: close, keep-alive\r\n"),
        Just("Range: bytes=1-2\r\n"),
        Just("Authorization: Basic dTpw\r\n"),
        Just("Expect: 100-continue\r\n"),
        Just("X: \u{fc}\r\n"),
        Just("X: y\n"),
        Just("X : y\r\n"),
        Just(" X: y\r\n"),
        Just("X: y\r\r\n"),
        Just("\r"),
        Just(" "),
        Just("X"),
        Just("\0"),
    ];
    let host = prop_oneof![4 => Just("Host: h\r\n"), 1 => Just("")];
    (
        line,
        host,
        vec(field, 0..8),
        any::<bool>(),
        vec(any::<u8>(), 0..4),
    )
        .prop_map(|(line, host, fields, ended, rest)| {
            let end: &[u8] = if ended { b"\r\n" } else { b"" };
            let fields = [line, host, &fields.concat()].concat();
            [fields.as_bytes(), end, &rest].concat()
        })
}

/// What a parse comes to, in comparable form.
fn outcome(bytes: &[u8], limits: &HeadLimits) -> Result<Option<(String, usize)>, BadRequest> {
    let found = request::parse(bytes, limits)?;
    Ok(found.map(|(request, used)| (format!("{request:?} {:?}", request.target), used)))
}

/// A head that arrives byte by byte gets the outcome of the head in one piece, at the
/// latest with its last byte; bytes behind it change nothing.
#[test]
fn splitting_a_head_changes_nothing() {
    check(4000, &(head(), any::<bool>()), |(bytes, tight)| {
        let limits = if tight { TIGHT } else { HeadLimits::default() };
        let whole = outcome(&bytes, &limits);
        let first = (0..=bytes.len())
            .map(|end| outcome(&bytes[..end], &limits))
            .find(|outcome| !matches!(outcome, Ok(None)));
        prop_assert_eq!(first.unwrap_or(Ok(None)), whole);
        Ok(())
    });
}

/// What is accepted, read again in the most naive way, is framed by one field at most, and
/// that is the one that was believed.
#[test]
fn what_is_accepted_has_one_framing() {
    check(4000, &head(), |bytes| {
        let Ok(Some((request, used))) = request::parse(&bytes, &HeadLimits::default()) else {
            return Ok(());
        };
        let text = String::from_utf8_lossy(&bytes[..used]).to_ascii_lowercase();
        prop_assert!(text.ends_with("\r\n\r\n"));
        prop_assert!(!text.replace("\r\n", "").contains(['\r', '\n', '\0']));
        let count = |word: &str| text.matches(word).count();
        let framing = (count("\r\ncontent-length"), count("\r\ntransfer-encoding"));
        let expected = match request.body {
            BodyKind::None => (0, 0),
            BodyKind::Length(_) => (1, 0),
            BodyKind::Chunked => (0, 1),
        };
        prop_assert_eq!(framing, expected);
        Ok(())
    });
}

/// Runs a decoder over pieces that end at `cuts`; gives the data and what was not consumed.
fn decode(bytes: &[u8], cuts: &[usize]) -> Result<(Vec<u8>, Vec<u8>, bool), BadRequest> {
    let mut ends: Vec<usize> = cuts.iter().map(|cut| cut % (bytes.len() + 1)).collect();
    ends.push(bytes.len());
    ends.sort_unstable();
    let (mut decoder, mut data, mut at) = (Decoder::new(), Vec::new(), 0);
    for end in ends {
        while at < end && !decoder.done() {
            let piece = decoder.decode(&bytes[at..end])?;
            assert!(piece.consumed > 0, "no progress");
            assert!(piece.data.is_empty() || piece.data.end == piece.consumed);
            data.extend_from_slice(&bytes[at..end][piece.data]);
            at += piece.consumed;
        }
    }
    Ok((data, bytes[at..].to_vec(), decoder.done()))
}

/// A body in chunks, with an extension on each and a trailer, comes out as it went in,
/// wherever it is split; what follows it is left alone.
#[test]
fn splitting_chunks_changes_nothing() {
    let chunks = vec(vec(any::<u8>(), 1..40), 0..6);
    let input = (
        chunks,
        "(;[a-z=\"]{0,9})?",
        "([A-Z]: [ -~]{0,9}\r\n)?",
        vec(any::<u8>(), 0..9),
    );
    check(
        1000,
        &(input, vec(any::<usize>(), 0..12)),
        |((chunks, extension, trailer, behind), cuts)| {
            let mut bytes = Vec::new();
            for chunk in &chunks {
                let mut room = [0; SIZE_LINE_BYTES_MAX];
                let line = encode_size(chunk.len() as u64, &mut room);
                bytes.extend_from_slice(&line[..line.len() - 2]);
                bytes.extend_from_slice(extension.as_bytes());
                bytes.extend_from_slice(&[CHUNK_END, chunk, CHUNK_END].concat());
            }
            bytes.extend_from_slice(&LAST_CHUNK[..3]);
            bytes.extend_from_slice(&[trailer.as_bytes(), CHUNK_END, &behind].concat());
            let expected = Ok((chunks.concat(), behind, true));
            prop_assert_eq!(decode(&bytes, &cuts), expected.clone());
            let everywhere: Vec<usize> = (0..bytes.len()).collect();
            prop_assert_eq!(decode(&bytes, &everywhere), expected);
            Ok(())
        },
    );
}

/// Broken framing is refused, or waited for, in the same way wherever it is split.
#[test]
fn splitting_broken_chunks_changes_nothing() {
    let piece = prop_oneof![
        Just("2\r\nhi\r\n"),
        Just("0\r\n"),
        Just("\r\n"),
        Just("\n"),
        Just("\r"),
        Just(";a"),
        Just("1"),
        Just("ffffffff"),
        Just(" "),
        Just("\0"),
        Just("A: b\r\n"),
        Just("5\r\nhel"),
    ];
    check(
        4000,
        &(vec(piece, 0..8), vec(any::<usize>(), 0..8)),
        |(pieces, cuts)| {
            let bytes = pieces.concat().into_bytes();
            prop_assert_eq!(decode(&bytes, &cuts), decode(&bytes, &[]));
            Ok(())
        },
    );
}

/// A chunk's data that is received elsewhere and skipped leaves the decoder where reading
/// it would have.
#[test]
fn skipping_is_reading() {
    check(500, &(1u64..100, 0u64..100), |(len, skipped)| {
        let skipped = skipped.min(len);
        let mut room = [0; SIZE_LINE_BYTES_MAX];
        let (mut decoder, line) = (Decoder::new(), encode_size(len, &mut room));
        prop_assert_eq!(
            decoder.decode(line).map(|piece| piece.consumed),
            Ok(line.len())
        );
        prop_assert_eq!(decoder.data_left(), len);
        decoder.skip_data(skipped);
        let rest = vec![b'x'; (len - skipped) as usize];
        let tail = [&rest, CHUNK_END, LAST_CHUNK].concat();
        let mut at = 0;
        while at < tail.len() {
            at += decoder.decode(&tail[at..]).expect("good framing").consumed;
        }
        prop_assert!(decoder.done());
        Ok(())
    });
}

/// Whatever path is accepted is one that a file system could be given; printing it shows
/// no token.
#[test]
fn accepted_paths_are_clean() {
    let path = "/(live|ingest/sesame)/[a-z.]{1,3}/([a-z./%]|%2[0-9a-f]|%[a-f][0-9]|\\.\\.){0,12}";
    check(8000, &path, |raw| {
        let mut room = PathRoom::default();
        prop_assert!(!Redacted(&raw).to_string().contains("sesame"));
        if let Ok(name) = path::parse(&raw, &mut room) {
            prop_assert!(path::is_stream_id(name.stream));
            prop_assert!(!name.path.contains(['\\', '\0', '%']));
            prop_assert!(
                name.path
                    .split('/')
                    .all(|part| !["", ".", ".."].contains(&part))
            );
            let printed = format!("{name} {name:?}");
            prop_assert!(!printed.contains("sesame"));
            prop_assert_eq!(name.token.is_some(), raw.starts_with("/ingest"));
        }
        Ok(())
    });
}

/// Random bytes panic nowhere.
#[test]
fn nothing_panics() {
    check(
        8000,
        &(vec(any::<u8>(), 0..200), ".{0,40}"),
        |(bytes, text)| {
            let _ = outcome(&bytes, &HeadLimits::default());
            let field = format!("GET {text} HTTP/1.1\r\nHost: {text}\r\nRange: {text}\r\n\r\n");
            let _ = outcome(field.as_bytes(), &TIGHT);
            let _ = decode(&bytes, &[]);
            let _ = decode(text.as_bytes(), &[]);
            let mut room = PathRoom::default();
            for path in [
                text.clone(),
                format!("/live/s/{text}"),
                format!("/ingest/{text}"),
            ] {
                let _ = Redacted(&path).to_string();
                let _ = path::parse(&path, &mut room).map(|name| (name.folder(), name.file_name()));
                let _ = TrackPatterns::default().track_of(&path);
                let _ = Kind::of(&path, Some(&text));
            }
            let _ = TrackPatterns::new([text.as_str()]);
            let _ = RangeSpec::parse(&text).map(|range| (range.resolve(9), range.resolve_open()));
            let _ = ETag::new(1, 2).matches_any(&text);
            let _ = sniff_ftyp(&bytes);
            Ok(())
        },
    );
}
