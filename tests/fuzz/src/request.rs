//! Request heads.

use std::fmt::Write as _;

use zonecast_proto::BadRequest;
use zonecast_proto::path::{self, PathRoom};
use zonecast_proto::range::RangeSpec;
use zonecast_proto::request::{self, BodyKind, HeadLimits, Method, Request, Version};

use crate::cuts::Cuts;

/// Small enough that short inputs pass each of them.
const TIGHT: HeadLimits = HeadLimits {
    head_bytes_max: 200,
    request_line_bytes_max: 60,
    fields_max: 6,
};

/// What a parse comes to, in comparable form.
type Outcome = Result<Option<(String, usize)>, BadRequest>;

pub(crate) fn run(data: &[u8]) {
    for limits in [HeadLimits::default(), TIGHT] {
        one_piece_or_many(data, &limits);
        match request::parse(data, &limits) {
            Ok(Some((request, used))) => {
                clean(&data[..used], &request, &limits);
                written_again(&request);
            }
            Ok(None) => assert!(data.len() <= limits.head_bytes_max, "it waits for ever"),
            Err(error) => {
                for more in [&b"\r\n\r\n"[..], b"x", b"\n", b"\r\nHost: h\r\n\r\n"] {
                    let longer = outcome(&[data, more].concat(), &limits);
                    assert_eq!(longer, Err(error), "an error does not go away");
                }
                assert!(error.status().code() >= 400);
            }
        }
    }
    pipelined(data);
}

fn outcome(data: &[u8], limits: &HeadLimits) -> Outcome {
    let found = request::parse(data, limits)?;
    Ok(found.map(|(request, used)| (all_of(&request), used)))
}

/// Everything that a request says, credentials too.
fn all_of(request: &Request<'_>) -> String {
    let token = request.authorization.and_then(|a| a.token());
    format!(
        "{request:?} {:?} {:?} {:?} {token:?} {:?} {:?} {:?} {:?} {:?} {:?}",
        request.target,
        request.query,
        request.expect_continue,
        request.if_range,
        request.if_none_match,
        request.content_type,
        request.origin,
        request.access_control_request_method,
        request.is_preflight(),
    )
}

/// Whatever part of it has arrived, a head gets no verdict or that of the whole.
fn one_piece_or_many(data: &[u8], limits: &HeadLimits) {
    let whole = outcome(data, limits);
    let mut cuts = Cuts::of(data);
    let near = data.len().saturating_sub(8);
    for end in cuts
        .ends(data.len(), 12)
        .into_iter()
        .chain(near..data.len())
    {
        let part = outcome(&data[..end], limits);
        assert!(matches!(part, Ok(None)) || part == whole, "cut at {end}");
    }
    if let Ok(Some((_, used))) = whole {
        assert_eq!(outcome(&data[..used], limits), whole, "bytes behind it");
        assert_eq!(outcome(&data[..used - 1], limits), Ok(None));
    }
}

/// A head that is accepted has one reading, and is within the limits.
fn clean(head: &[u8], request: &Request<'_>, limits: &HeadLimits) {
    assert!(head.len() <= limits.head_bytes_max);
    assert!(head.ends_with(b"\r\n\r\n"));
    let text = String::from_utf8_lossy(head).to_ascii_lowercase();
    let lines: Vec<&str> = text.trim_start_matches("\r\n").split("\r\n").collect();
    assert!(!lines.iter().any(|line| line.contains(['\r', '\n', '\0'])));
    assert!(lines[0].len() <= limits.request_line_bytes_max);
    // The last two are the empty line and what follows it.
    assert!(lines.len() - 3 <= limits.fields_max);
    let count = |name: &str| lines.iter().filter(|line| line.starts_with(name)).count();
    let framing = (count("content-length"), count("transfer-encoding"));
    let strange = |line: &&&str| {
        let name = line.split(':').next().unwrap_or_default();
        name.ends_with([' ', '\t']) || line.starts_with([' ', '\t'])
    };
    assert_eq!(lines[1..].iter().find(strange), None);
    let fields = lines[1..].iter().filter_map(|line| line.split_once(':'));
    let named = |name: &str| fields.clone().filter(|(n, _)| *n == name).count();
    let framed = (named("content-length"), named("transfer-encoding"));
    assert!(framed.0 <= framing.0 && framed.1 <= framing.1);
    match request.body {
        BodyKind::None => assert_eq!(framed, (0, 0)),
        BodyKind::Length(_) => assert_eq!(framed, (1, 0)),
        BodyKind::Chunked => assert_eq!(framed, (0, 1)),
    }
    if request.version == Version::Http11 {
        assert!(request.host.is_some());
        assert_eq!(named("host"), 1);
    }
    assert!(request.path.starts_with('/') || request.path == "*");
    assert!(request.range.is_none() || request.method == Method::Get);
}

/// What was understood, written as plainly as can be, is understood as the same.
fn written_again(request: &Request<'_>) {
    let method = match request.method {
        Method::Get => "GET",
        Method::Head => "HEAD",
        Method::Put => "PUT",
        Method::Post => "POST",
        Method::Delete => "DELETE",
        Method::Options => "OPTIONS",
        Method::Other => "BREW",
    };
    let version = match request.version {
        Version::Http10 => "HTTP/1.0",
        Version::Http11 => "HTTP/1.1",
    };
    let mut head = format!("{method} {} {version}\r\n", request.target);
    let mut field = |name: &str, value: Option<&str>| {
        if let Some(value) = value {
            // Writing to a String cannot fail.
            let _ = write!(head, "{name}:{value}\r\n");
        }
    };
    let length = match request.body {
        BodyKind::Length(length) => Some(length.to_string()),
        BodyKind::None | BodyKind::Chunked => None,
    };
    let token = request.authorization.and_then(|a| a.token());
    let token = token.map(|token| format!("Bearer {token}"));
    let range = request.range.map(|range| match range {
        RangeSpec::From(first) => format!("bytes={first}-"),
        RangeSpec::FromTo(first, last) => format!("bytes={first}-{last}"),
        RangeSpec::Suffix(count) => format!("bytes=-{count}"),
    });
    let kept = if request.keep_alive {
        "keep-alive"
    } else {
        "close"
    };
    field("Host", request.host);
    field("Connection", Some(kept));
    field("Content-Length", length.as_deref());
    field(
        "Transfer-Encoding",
        (request.body == BodyKind::Chunked).then_some("chunked"),
    );
    field("Expect", request.expect_continue.then_some("100-continue"));
    field("Range", range.as_deref());
    field("If-Range", request.if_range);
    field("If-None-Match", request.if_none_match);
    field("Content-Type", request.content_type);
    field("Origin", request.origin);
    field(
        "Access-Control-Request-Method",
        request.access_control_request_method,
    );
    // A password may hold what no Bearer can: then only the rest is compared.
    let plain = |token: &String| {
        token["Bearer ".len()..]
            .bytes()
            .all(|b| b.is_ascii_graphic())
    };
    let token = token
        .filter(plain)
        .filter(|token| token.len() > "Bearer ".len());
    field("Authorization", token.as_deref());
    head.push_str("\r\n");
    let roomy = HeadLimits {
        head_bytes_max: 64 << 10,
        request_line_bytes_max: 32 << 10,
        ..HeadLimits::default()
    };
    let again = request::parse(head.as_bytes(), &roomy);
    let Ok(Some((again, used))) = again else {
        panic!("not accepted when written again: {again:?}\n{head}");
    };
    assert_eq!(used, head.len());
    if token.is_some() || request.authorization.is_none_or(|a| a.token().is_none()) {
        assert_eq!(all_of(&again), all_of(request));
    }
}

/// One request behind the other, as on a connection: each is read where the last one ended.
fn pipelined(data: &[u8]) {
    let mut rest = data;
    let mut room = PathRoom::default();
    while let Ok(Some((request, used))) = request::parse(rest, &HeadLimits::default()) {
        assert!(used > 0);
        let _ = path::parse(request.path, &mut room);
        rest = &rest[used..];
    }
}
