//! Response heads: what they look like on the wire, that another parser reads each as it
//! was meant, and that no value breaks out of its line.

#![forbid(unsafe_code)]

mod common;

use proptest::prelude::*;

use common::check;
use zonecast_proto::date::HttpDate;
use zonecast_proto::etag::ETag;
use zonecast_proto::range::ContentRange;
use zonecast_proto::request::Version;
use zonecast_proto::response::{
    Body, CONTINUE, CacheControl, Connection, Cors, HEAD_BYTES_MAX, Origin, ResponseHead,
    VIEWER_METHODS,
};
use zonecast_proto::{BadRequest, HeadError, Status};

fn written(head: &ResponseHead<'_>) -> String {
    let mut out = [0; HEAD_BYTES_MAX];
    let len = head.write(&mut out).expect("it fits and is clean");
    String::from_utf8(out[..len].to_vec()).expect("heads are ASCII")
}

fn date() -> HttpDate {
    HttpDate::from_unix(784_111_777)
}

/// A range of an object that is still being filled, as a browser gets it.
#[test]
fn an_open_range() {
    let date = date();
    let head = ResponseHead {
        body: Body::Length(100),
        content_type: Some("video/iso.segment"),
        etag: Some(ETag::new(0x1f, 3)),
        cache: CacheControl::MaxAge {
            seconds: 30,
            immutable: true,
        },
        content_range: Some(ContentRange::of(&(100..200), None)),
        accept_ranges: true,
        cors: Cors::Allow(Origin::Any),
        ..ResponseHead::new(Status::PartialContent, &date)
    };
    let expected = "HTTP/1.1 206 Partial Content\r\n\
        Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n\
        Content-Length: 100\r\n\
        Content-Type: video/iso.segment\r\n\
        Content-Range: bytes 100-199/*\r\n\
        Accept-Ranges: bytes\r\n\
        ETag: \"1f-3\"\r\n\
        Cache-Control: max-age=30, immutable\r\n\
        Access-Control-Allow-Origin: *\r\n\
        Access-Control-Expose-Headers: Content-Length, Content-Range, ETag, Date, Retry-After\r\n\
        Timing-Allow-Origin: *\r\n\
        \r\n";
    assert_eq!(written(&head), expected);
}

/// A preflight is answered 204 without a length, with the methods and fields of a player.
#[test]
fn a_preflight() {
    let expected = "HTTP/1.1 204 No Content\r\n\
        Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n\
        Access-Control-Allow-Origin: https://a.example\r\n\
        Access-Control-Allow-Methods: GET, HEAD, OPTIONS\r\n\
        Access-Control-Allow-Headers: Range, If-Range, If-None-Match\r\n\
        Access-Control-Max-Age: 86400\r\n\
        Vary: Origin\r\n\
        \r\n";
    let date = date();
    let head = ResponseHead::preflight(Origin::Only("https://a.example"), &date);
    assert_eq!(written(&head), expected);
}

/// A refusal closes the connection, is not stored, and has an empty body.
#[test]
fn a_refusal() {
    let expected = "HTTP/1.1 431 Request Header Fields Too Large\r\n\
        Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n\
        Connection: close\r\n\
        Content-Length: 0\r\n\
        Cache-Control: no-store\r\n\
        \r\n";
    assert_eq!(
        written(&ResponseHead::refusal(BadRequest::HeadTooLong, &date())),
        expected
    );
}

/// The rest of the fields, each in its line.
#[test]
fn other_fields() {
    let date = date();
    let new = |status| ResponseHead::new(status, &date);
    let unauthorized = written(&ResponseHead {
        realm: Some("zonecast"),
        ..new(Status::Unauthorized)
    });
    assert!(
        unauthorized
            .contains("\r\nWWW-Authenticate: Basic realm=\"zonecast\", charset=\"UTF-8\"\r\n")
    );
    assert!(unauthorized.contains("\r\nWWW-Authenticate: Bearer realm=\"zonecast\"\r\n"));
    let method = ResponseHead {
        allow: Some(VIEWER_METHODS),
        ..new(Status::MethodNotAllowed)
    };
    assert!(written(&method).contains("\r\nAllow: GET, HEAD, OPTIONS\r\n"));
    let busy = ResponseHead {
        retry_after_seconds: Some(2),
        ..new(Status::ServiceUnavailable)
    };
    assert!(written(&busy).contains("\r\nRetry-After: 2\r\n"));
    let range = ContentRange::Unsatisfied { length: 7 };
    let range = ResponseHead {
        content_range: Some(range),
        ..new(Status::RangeNotSatisfiable)
    };
    assert!(written(&range).contains("\r\nContent-Range: bytes */7\r\n"));
    let chunked = written(&ResponseHead {
        body: Body::Chunked,
        ..new(Status::Ok)
    });
    assert!(chunked.contains("\r\nTransfer-Encoding: chunked\r\n"));
    assert!(!chunked.contains("Content-Length"));
    let old = written(&ResponseHead {
        body: Body::UntilClose,
        ..new(Status::Ok)
    });
    assert!(old.contains("\r\nConnection: close\r\n"));
    let kept = Connection::of(Version::Http10, true);
    assert!(
        written(&ResponseHead {
            connection: kept,
            ..new(Status::Ok)
        })
        .contains("keep-alive")
    );
    let playlist = ResponseHead {
        cache: CacheControl::NoCache,
        ..new(Status::Ok)
    };
    assert!(written(&playlist).contains("\r\nCache-Control: no-cache\r\n"));
    assert_eq!(CONTINUE, b"HTTP/1.1 100 Continue\r\n\r\n");
}

/// A text with a line end or a quote in it is refused wherever it could do harm.
#[test]
fn no_value_breaks_its_line() {
    let date = date();
    let ok = ResponseHead::new(Status::Ok, &date);
    for bad in ["a\r\nSet-Cookie: b", "a\nb", "a\0", "\u{e9}", "\t"] {
        let cors = Cors::Allow(Origin::Only(bad));
        for head in [
            ResponseHead {
                content_type: Some(bad),
                ..ok
            },
            ResponseHead {
                allow: Some(bad),
                ..ok
            },
            ResponseHead {
                location: Some(bad),
                ..ok
            },
            ResponseHead {
                realm: Some(bad),
                ..ok
            },
            ResponseHead { cors, ..ok },
        ] {
            assert_eq!(
                head.write(&mut [0; HEAD_BYTES_MAX]),
                Err(HeadError::BadText),
                "{head:?}"
            );
        }
    }
    let quote = ResponseHead {
        realm: Some("a\"b"),
        ..ok
    };
    assert_eq!(
        quote.write(&mut [0; HEAD_BYTES_MAX]),
        Err(HeadError::BadText)
    );
}

/// The largest heads that the documentation promises room for fit: those whose texts go
/// into a twice-written field.
#[test]
fn the_room_is_enough() {
    let date = date();
    let text = "a".repeat(512);
    let largest = ResponseHead {
        body: Body::Length(u64::MAX),
        content_type: Some(""),
        etag: Some(ETag::new(u64::MAX, u64::MAX)),
        cache: CacheControl::MaxAge {
            seconds: u32::MAX,
            immutable: true,
        },
        content_range: Some(ContentRange::of(&(u64::MAX - 1..u64::MAX), Some(u64::MAX))),
        accept_ranges: true,
        connection: Connection::KeepAlive,
        retry_after_seconds: Some(u32::MAX),
        allow: Some(""),
        location: Some(""),
        realm: Some(""),
        cors: Cors::Allow(Origin::Only("")),
        ..ResponseHead::new(Status::HeadTooLarge, &date)
    };
    let origin = ResponseHead {
        cors: Cors::Allow(Origin::Only(&text)),
        ..largest
    };
    let realm = ResponseHead {
        realm: Some(&text),
        ..largest
    };
    for head in [origin, realm] {
        assert!(written(&head).len() <= HEAD_BYTES_MAX);
    }
}

fn head_parts() -> impl Strategy<Value = (Status, Body, CacheControl, Cors<'static>, bool, u64)> {
    let body = prop_oneof![
        any::<u64>().prop_map(Body::Length),
        Just(Body::Chunked),
        Just(Body::Unsaid),
        Just(Body::UntilClose),
    ];
    let cache = prop_oneof![
        Just(CacheControl::Unsaid),
        Just(CacheControl::NoStore),
        (any::<u32>(), any::<bool>())
            .prop_map(|(seconds, immutable)| CacheControl::MaxAge { seconds, immutable }),
    ];
    let cors = prop_oneof![
        Just(Cors::Silent),
        Just(Cors::Allow(Origin::Any)),
        Just(Cors::Preflight(Origin::Only("https://a"))),
    ];
    (
        prop::sample::select(Status::ALL),
        body,
        cache,
        cors,
        any::<bool>(),
        any::<u64>(),
    )
}

/// Another parser finds the status, no field twice, and framing where there may be some;
/// every smaller room is refused without a panic.
#[test]
fn another_parser_agrees() {
    check(
        500,
        &head_parts(),
        |(status, body, cache, cors, flag, number)| {
            let date = HttpDate::from_unix(number);
            let head = ResponseHead {
                body,
                cache,
                cors,
                accept_ranges: flag,
                etag: flag.then(|| ETag::new(number, 1)),
                connection: if flag {
                    Connection::Close
                } else {
                    Connection::Kept
                },
                ..ResponseHead::new(status, &date)
            };
            let text = written(&head);
            let mut room = [httparse::EMPTY_HEADER; 32];
            let mut parsed = httparse::Response::new(&mut room);
            let whole = parsed
                .parse(text.as_bytes())
                .map(|status| status.is_complete());
            prop_assert_eq!(whole, Ok(true));
            prop_assert_eq!(parsed.code, Some(status.code()));
            prop_assert_eq!(parsed.reason, Some(status.reason()));
            let mut names: Vec<&str> = parsed.headers.iter().map(|field| field.name).collect();
            let framed = names.contains(&"Content-Length") || names.contains(&"Transfer-Encoding");
            let says = matches!(body, Body::Length(_) | Body::Chunked) && !status.is_bodiless();
            prop_assert_eq!(framed, says);
            let count = names.len();
            names.sort_unstable();
            names.dedup();
            prop_assert_eq!(names.len(), count);
            for size in 0..text.len() {
                prop_assert_eq!(head.write(&mut vec![0; size]), Err(HeadError::TooLong));
            }
            Ok(())
        },
    );
}
