//! Shows that a viewer's hot path does not allocate: reading a GET as browsers send it,
//! finding what it names, and writing the heads of the answers.

#![forbid(unsafe_code)]

use std::hint::black_box;

use zonecast_proto::chunked::{Decoder, SIZE_LINE_BYTES_MAX, encode_size};
use zonecast_proto::date::HttpDate;
use zonecast_proto::etag::ETag;
use zonecast_proto::kind::Kind;
use zonecast_proto::path::{self, PathRoom};
use zonecast_proto::range::{ContentRange, Resolved};
use zonecast_proto::request::{self, HeadLimits};
use zonecast_proto::response::{Body, CacheControl, Cors, HEAD_BYTES_MAX, Origin, ResponseHead};
use zonecast_proto::track::TrackPatterns;
use zonecast_proto::{BadRequest, Status};

const GET: &[u8] = b"GET /live/news/chunk-stream0-00%2D17.m4s?_=1 HTTP/1.1\r\n\
    Host: cdn.example:8443\r\n\
    User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko)\r\n\
    Accept: */*\r\n\
    Accept-Encoding: gzip, deflate, br, zstd\r\n\
    Accept-Language: en-GB,en;q=0.9\r\n\
    Connection: keep-alive\r\n\
    Origin: https://player.example\r\n\
    Range: bytes=100-199\r\n\
    If-None-Match: \"1-1\", W/\"1-2\"\r\n\
    Sec-Fetch-Mode: cors\r\n\
    \r\n";

fn serve(room: &mut PathRoom, patterns: &TrackPatterns, out: &mut [u8]) -> (usize, usize) {
    let (request, used) = request::parse(GET, &HeadLimits::default())
        .expect("a good request")
        .expect("a whole request");
    assert_eq!(used, GET.len());
    let name = path::parse(request.path, room).expect("a good path");
    assert_eq!(patterns.track_of(name.path), "0");
    let date = HttpDate::from_unix(1_700_000_000);
    let tag = ETag::new(7, 9);
    assert!(!request.has(&tag));
    let Some(Resolved::Part(part)) = request.range_of(&tag).map(|range| range.resolve(1000)) else {
        panic!("the range is within the object");
    };
    let partial = ResponseHead {
        content_type: Some(Kind::from_path(name.path).content_type()),
        etag: Some(tag),
        cache: CacheControl::MaxAge {
            seconds: 12,
            immutable: true,
        },
        body: Body::Length(part.end - part.start),
        content_range: Some(ContentRange::of(&part, Some(1000))),
        accept_ranges: true,
        cors: Cors::Allow(Origin::Any),
        ..ResponseHead::new(Status::PartialContent, &date)
    };
    let partial = partial.write(out).expect("it fits");
    let refusal = ResponseHead::refusal(BadRequest::Target, &date)
        .write(out)
        .expect("it fits");
    (partial, refusal)
}

#[test]
fn a_get_and_its_answers_allocate_nothing() {
    let mut room = PathRoom::default();
    let patterns = TrackPatterns::default();
    let mut out = [0; HEAD_BYTES_MAX];
    let counted = allocation_counter::measure(|| {
        for _ in 0..100 {
            black_box(serve(&mut room, &patterns, &mut out));
        }
    });
    assert_eq!(counted.count_total, 0, "{counted:?}");
}

#[test]
fn chunk_framing_allocates_nothing() {
    let body = b"5;x=y\r\nhello\r\n1000\r\n";
    let counted = allocation_counter::measure(|| {
        let mut decoder = Decoder::new();
        let first = decoder.decode(body).expect("good framing");
        let second = decoder
            .decode(&body[first.consumed..])
            .expect("good framing");
        black_box((first, second));
        let mut room = [0; SIZE_LINE_BYTES_MAX];
        black_box(encode_size(0xbeef, &mut room));
    });
    assert_eq!(counted.count_total, 0, "{counted:?}");
}

/// The counter itself works: what does allocate is seen.
#[test]
fn an_allocation_would_be_counted() {
    let counted = allocation_counter::measure(|| {
        black_box(vec![0u8; 100]);
    });
    assert_eq!(counted.count_total, 1, "{counted:?}");
}
