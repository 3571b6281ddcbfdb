//! Requests as encoders and players really send them, and what is made of each.

#![forbid(unsafe_code)]

use zonecast_proto::etag::ETag;
use zonecast_proto::path::{self, PathRoom};
use zonecast_proto::range::RangeSpec;
use zonecast_proto::request::{
    self, Authorization, BodyKind, HeadLimits, Method, Request, Version,
};

fn parse(head: &str) -> Request<'_> {
    let (request, used) = request::parse(head.as_bytes(), &HeadLimits::default())
        .expect("an acceptable head")
        .expect("a whole head");
    assert_eq!(used, head.len());
    request
}

fn get(fields: &str) -> String {
    format!("GET /live/s/a.ts HTTP/1.1\r\nHost: h\r\n{fields}\r\n")
}

/// ffmpeg's HLS muxer with a header of its own.
#[test]
fn an_upload_of_ffmpeg() {
    let head = "PUT /live/news/v0/index7.ts HTTP/1.1\r\n\
        Transfer-Encoding: chunked\r\n\
        User-Agent: Lavf/59.27.100\r\n\
        Accept: */*\r\n\
        Connection: close\r\n\
        Host: 127.0.0.1:8080\r\n\
        Icy-MetaData: 1\r\n\
        Authorization: Bearer s3same\r\n\
        \r\n";
    let request = parse(head);
    assert_eq!(request.method, Method::Put);
    assert_eq!(request.body, BodyKind::Chunked);
    assert_eq!(request.host, Some("127.0.0.1:8080"));
    assert_eq!(request.host_name(), Some("127.0.0.1"));
    assert!(!request.keep_alive && !request.expect_continue);
    assert_eq!(request.content_type, None);
    let token = request
        .authorization
        .and_then(|credentials| credentials.token());
    assert_eq!(token.as_deref(), Some("s3same"));
    let mut room = PathRoom::default();
    let name = path::parse(request.path, &mut room).expect("a good path");
    assert_eq!((name.stream, name.path), ("news", "v0/index7.ts"));
    assert_eq!((name.folder(), name.file_name()), (Some("v0"), "index7.ts"));
}

/// ffmpeg with `user:password@` in its URL: it asks first, then answers the challenge.
#[test]
fn an_upload_that_waits_for_leave() {
    let head = "PUT /live/s/a.m4s HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\
        Expect: 100-continue\r\nHost: h\r\nAuthorization: Basic dTpwdw==\r\n\r\n";
    let request = parse(head);
    assert!(request.expect_continue);
    let credentials = request.authorization.expect("there are some");
    assert!(matches!(credentials, Authorization::Basic(_)));
    assert_eq!(
        credentials.user_and_password(),
        Some(("u".to_owned(), "pw".to_owned()))
    );
    assert!(
        !parse(&get("Expect: 100-continue\r\n")).expect_continue,
        "nothing to wait for"
    );
}

/// A browser that fetches a part of a segment from another origin, and has an old copy.
#[test]
fn a_conditional_range_of_a_browser() {
    let head = get("Origin: https://p.example\r\nRange: bytes=0-99\r\nIf-None-Match: \"1-2\"\r\n");
    let request = parse(&head);
    assert_eq!(request.range, Some(RangeSpec::FromTo(0, 99)));
    assert_eq!(request.origin, Some("https://p.example"));
    assert!(request.has(&ETag::new(1, 2)) && !request.has(&ETag::new(1, 3)));
    assert!(request.keep_alive && !request.is_preflight());
}

/// `If-Range` keeps a range only for the object that the viewer already has a part of.
#[test]
fn a_resumed_download() {
    let head = get("Range: bytes=5-\r\nIf-Range: \"1-2\"\r\n");
    let request = parse(&head);
    assert_eq!(request.range_of(&ETag::new(1, 2)), Some(RangeSpec::From(5)));
    assert_eq!(request.range_of(&ETag::new(1, 3)), None);
    let head = get("Range: bytes=5-\r\n");
    assert_eq!(
        parse(&head).range_of(&ETag::new(1, 3)),
        Some(RangeSpec::From(5))
    );
}

/// What is not understood and can be done without is as if it were not there.
#[test]
fn what_is_ignored() {
    for fields in [
        "Range: bytes=0-1,5-6\r\n",
        "Range: lines=1-2\r\n",
        "If-None-Match: \"1-1\"\r\nIf-None-Match: \"1-2\"\r\n",
        "Upgrade: h2c\r\nHTTP2-Settings: x\r\nConnection: Upgrade\r\n",
    ] {
        let head = get(fields);
        let request = parse(&head);
        assert_eq!(
            (request.range, request.if_none_match),
            (None, None),
            "{fields}"
        );
        assert!(request.keep_alive, "{fields}");
    }
    let head = "HEAD /live/s/a.ts HTTP/1.1\r\nHost: h\r\nRange: bytes=0-1\r\n\r\n";
    assert_eq!(parse(head).range, None, "ranges are for GET");
}

/// A preflight, and an OPTIONS that is none.
#[test]
fn preflights() {
    let options = |fields| format!("OPTIONS /live/s/a HTTP/1.1\r\nHost: h\r\n{fields}\r\n");
    let head = options("Origin: https://p\r\nAccess-Control-Request-Method: GET\r\n");
    assert!(parse(&head).is_preflight());
    assert!(!parse(&options("")).is_preflight());
    assert_eq!(parse("OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n").path, "*");
}

/// Which connections are kept (RFC 9112 section 9.3).
#[test]
fn kept_connections() {
    for (version, fields, kept) in [
        ("1.1", "", true),
        ("1.1", "Connection: close\r\n", false),
        ("1.1", "Connection: Keep-Alive, CLOSE\r\n", false),
        (
            "1.1",
            "Connection: keep-alive\r\nConnection: close\r\n",
            false,
        ),
        ("1.1", "Connection: closed\r\n", true),
        ("1.0", "", false),
        ("1.0", "Connection: Keep-Alive\r\n", true),
        ("1.0", "Connection: keep-alive, close\r\n", false),
    ] {
        let head = format!("GET / HTTP/{version}\r\nHost: h\r\n{fields}\r\n");
        assert_eq!(parse(&head).keep_alive, kept, "{version} {fields}");
    }
}

/// Targets: the absolute form's host counts, and queries are kept apart.
#[test]
fn targets() {
    let request = parse("GET http://A.example:81/live/s/a.ts?b=/c HTTP/1.1\r\nHost: z\r\n\r\n");
    assert_eq!(
        (request.host, request.host_name()),
        (Some("A.example:81"), Some("A.example"))
    );
    assert_eq!(
        (request.path, request.query),
        ("/live/s/a.ts", Some("b=/c"))
    );
    let old = parse("GET / HTTP/1.0\r\n\r\n");
    assert_eq!(
        (old.version, old.host, old.query),
        (Version::Http10, None, None)
    );
    assert_eq!(
        parse("PURGE / HTTP/1.1\r\nHost: h\r\n\r\n").method,
        Method::Other
    );
    assert_eq!(
        parse("get / HTTP/1.1\r\nHost: h\r\n\r\n").method,
        Method::Other
    );
}

/// A second request behind the first is left where it is.
#[test]
fn pipelined_requests() {
    let one = get("");
    let two = one.repeat(2);
    let found = request::parse(two.as_bytes(), &HeadLimits::default()).expect("good");
    assert_eq!(found.map(|(_, used)| used), Some(one.len()));
}

/// No form of printing shows a token, wherever it was put.
#[test]
fn printing_shows_no_token() {
    for head in [
        "PUT /ingest/s3same/news/a.ts HTTP/1.1\r\nHost: h\r\n\r\n",
        "PUT /ingest//s3same/news/a.ts HTTP/1.1\r\nHost: h\r\n\r\n",
        "PUT http://h/ingest/s3same/news/a.ts HTTP/1.1\r\nHost: h\r\n\r\n",
        "PUT //ingest/s3same/news/a.ts HTTP/1.1\r\nHost: h\r\n\r\n",
        "PUT /live/a.ts?token=s3same HTTP/1.1\r\nHost: h\r\n\r\n",
        "PUT /live/a HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer s3same\r\n\r\n",
    ] {
        let request = parse(head);
        let printed = format!("{request:?} {request:#?} {}", request.redacted());
        assert!(!printed.contains("s3same"), "{printed}");
    }
    let mut room = PathRoom::default();
    let name = path::parse("/ingest/s3same/news/a.ts", &mut room).expect("a good path");
    assert_eq!(name.to_string(), "/ingest/…/news/a.ts");
    assert!(!format!("{name:?} {:?}", name.token).contains("s3same"));
    assert_eq!(name.token.map(|token| token.expose()), Some("s3same"));
}
