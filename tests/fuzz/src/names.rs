//! What stands in the fields of a request: paths, ranges, entity tags, types, and the tracks
//! that names belong to.

use std::fmt::Write as _;

use zonecast_proto::etag::ETag;
use zonecast_proto::kind::{Kind, sniff_ftyp};
use zonecast_proto::path::{self, LivePath, PATH_BYTES_MAX, PathRoom, Redacted};
use zonecast_proto::range::{ContentRange, OpenResolved, RangeSpec, Resolved};
use zonecast_proto::track::TrackPatterns;

use crate::cuts::Cuts;

pub(crate) fn run(data: &[u8]) {
    let _ = sniff_ftyp(data);
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    for path in [
        text.to_owned(),
        format!("/live/{text}"),
        format!("/ingest/{text}"),
        format!("/live/s/{text}"),
    ] {
        paths(&path);
    }
    ranges(text, &mut Cuts::of(data));
    tags(text);
    let (first, rest) = text.split_once('\n').unwrap_or((text, text));
    tracks(first, rest);
    kinds(first, rest);
}

/// A path that is accepted is clean, and is the same when it is encoded anew.
fn paths(raw: &str) {
    let shown = Redacted(raw).to_string();
    assert!(!shown.contains(|c: char| c.is_control()), "{shown:?}");
    let mut room = PathRoom::default();
    let Ok(name) = path::parse(raw, &mut room) else {
        return;
    };
    assert!(path::is_stream_id(name.stream));
    assert!((1..=PATH_BYTES_MAX).contains(&name.path.len()));
    let hidden = |c: char| c == '\\' || c == '%' || c.is_ascii_control();
    assert!(!name.path.contains(hidden));
    let bad = |segment: &str| matches!(segment, "" | "." | "..");
    assert!(!name.path.split('/').any(bad));
    let folder = name.folder().map(|folder| format!("{folder}/"));
    let joined = folder.unwrap_or_default() + name.file_name();
    assert_eq!(joined, name.path);
    if let Some(token) = name.token {
        let token = token.expose();
        assert!(path::is_token(token));
        let elsewhere = format!("/ingest/…/{}/{}", name.stream, name.path);
        if !elsewhere.contains(token) {
            assert!(!format!("{name}{shown}").contains(token));
        }
    }
    let mut room = PathRoom::default();
    let written = encoded(&name);
    let again = path::parse(&written, &mut room).expect("it is accepted when encoded anew");
    assert_eq!(again.stream, name.stream);
    assert_eq!(again.path, name.path);
    let exposed = |name: &LivePath<'_>| name.token.map(|token| token.expose().to_owned());
    assert_eq!(exposed(&again), exposed(&name));
}

/// The path of a request that names this, with all encoded that can be.
fn encoded(name: &LivePath<'_>) -> String {
    let mut raw = match name.token {
        Some(token) => format!("/ingest/{}/{}/", token.expose(), name.stream),
        None => format!("/live/{}/", name.stream),
    };
    for byte in name.path.bytes() {
        if byte == b'/' || byte == b'.' {
            raw.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(raw, "%{byte:02x}");
        }
    }
    raw
}

/// A range is the same when written again, and never leaves the object.
fn ranges(text: &str, cuts: &mut Cuts) {
    let lens = [0, 1, 10, cuts.below(1 << 30) as u64, u64::MAX];
    for value in [text.to_owned(), format!("bytes={text}")] {
        let Some(spec) = RangeSpec::parse(&value) else {
            continue;
        };
        let written = match spec {
            RangeSpec::From(first) => format!("bytes={first}-"),
            RangeSpec::FromTo(first, last) => {
                assert!(first <= last);
                format!("bytes={first}-{last}")
            }
            RangeSpec::Suffix(count) => format!("bytes=-{count}"),
        };
        assert_eq!(RangeSpec::parse(&written), Some(spec));
        for len in lens {
            if let Resolved::Part(part) = spec.resolve(len) {
                assert!(part.start < part.end && part.end <= len);
                let field = ContentRange::of(&part, Some(len)).to_string();
                assert_eq!(
                    field,
                    format!("bytes {}-{}/{len}", part.start, part.end - 1)
                );
            }
        }
        match spec.resolve_open() {
            // What is answered of an open object is what the whole one would have given.
            OpenResolved::Part(part) => {
                assert_eq!(spec.resolve(u64::MAX), Resolved::Part(part.clone()));
                assert_eq!(spec.resolve(part.end), Resolved::Part(part));
            }
            OpenResolved::From(first) => assert!(matches!(
                spec,
                RangeSpec::From(at) | RangeSpec::FromTo(at, u64::MAX) if at == first
            )),
            OpenResolved::Whole => assert!(matches!(spec, RangeSpec::Suffix(_))),
        }
    }
}

/// A list matches if the tag stands in it; never by accident.
fn tags(text: &str) {
    let tag = ETag::new(0x1f, 3);
    if tag.matches_any(text) {
        assert!(
            text.contains(tag.as_str()) || text.contains('*'),
            "{text:?}"
        );
    }
    if tag.matches_strongly(text) {
        assert_eq!(text, tag.as_str());
        assert!(tag.matches_any(text));
    }
    if !text.contains('"') {
        for list in [
            format!("\"{text}\", {tag}"),
            format!("W/\"{text}\" ,, W/{tag}"),
        ] {
            assert!(tag.matches_any(&list), "{list:?}");
        }
    }
}

/// The track of a name is a part of the name, or the one that needs no name.
fn tracks(pattern: &str, path: &str) {
    let mut all = vec![TrackPatterns::default()];
    all.extend(TrackPatterns::new([pattern]));
    for patterns in all {
        let track = patterns.track_of(path);
        match path.rsplit_once('/') {
            Some((folder, _)) => assert_eq!(track, folder),
            None if track == "main" => {}
            None => {
                assert!(!track.is_empty() && track.bytes().all(|b| b.is_ascii_digit()));
                assert!(path.contains(track));
            }
        }
    }
}

/// Kinds do not depend on case, and what is answered for one names it.
fn kinds(path: &str, content_type: &str) {
    let by_name = Kind::from_path(path);
    let (lower, upper) = (path.to_ascii_lowercase(), path.to_ascii_uppercase());
    assert_eq!(Kind::from_path(&lower), by_name);
    assert_eq!(Kind::from_path(&upper), by_name);
    let by_type = Kind::from_content_type(content_type);
    match (Kind::of(path, Some(content_type)), by_type) {
        (Ok(kind), Some(Kind::Other)) => assert_eq!(kind, by_name),
        (Ok(kind), Some(said)) => assert_eq!(kind, said),
        (Err(error), None) => assert_eq!(error.status().code(), 415),
        (kind, said) => panic!("{kind:?} of {said:?}"),
    }
    assert_eq!(Kind::of(path, None), Ok(by_name));
    for kind in [by_name, by_type.unwrap_or(Kind::Other)] {
        let said = Kind::from_content_type(kind.content_type());
        let again = said.map(Kind::content_type);
        assert_eq!(again, Some(kind.content_type()), "{kind:?}");
    }
}
