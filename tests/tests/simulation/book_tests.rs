//! That the checker sees what a run of a pipeline without mistakes never shows it.

use std::rc::Rc;

use zonecast_io::Time;

use super::book::Book;
use super::request::Request;
use super::response::Response;
use super::response::{take_body, take_head};
use super::wire::Ended;

fn request(path: &Rc<str>, asked: u64) -> Request {
    Request {
        path: path.clone(),
        asked: Time(asked),
        head_only: false,
        http10: false,
        range: None,
        tag: None,
    }
}

fn response(body: &str, tag: &str) -> Response {
    let length = body.len();
    let text = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nETag: {tag}\r\n\r\n{body}");
    let mut incoming = text.into_bytes();
    let head = take_head(&mut incoming, false).expect("a head");
    let mut response = head.expect("a head");
    take_body(&mut response, &mut incoming, Some(Ended::Complete)).expect("a body");
    response
}

/// Two generations of `path`: one from 0 to 10, another from 20 to 30.
fn book(path: &Rc<str>) -> Book {
    let mut book = Book::default();
    for (body, begun) in [("first", 0), ("second", 20)] {
        let number = book.begin(path.clone(), body.into(), Time(begun));
        let upload = book.upload_mut(number);
        upload.ended = Some(Time(begun + 9));
        upload.answer = Some((Time(begun + 10), 201));
    }
    book
}

/// An old generation may be had until the new one is known to have replaced it.
#[test]
fn a_stale_body_is_seen() {
    let path: Rc<str> = "/live/a/x.ts".into();
    let judge = |asked, body| {
        let (request, response) = (request(&path, asked), response(body, "t"));
        book(&path).judge(&request, &response, Time(100), || false)
    };
    assert_eq!(judge(25, "first"), Ok(()));
    assert_eq!(judge(35, "second"), Ok(()));
    let why = judge(35, "first").expect_err("it is stale");
    assert!(why.contains("replaced before it was asked for"), "{why}");
}

/// A body of an upload that has not ended is never complete.
#[test]
fn a_body_that_has_no_end_is_seen() {
    let path: Rc<str> = "/live/a/x.ts".into();
    let mut book = Book::default();
    book.begin(path.clone(), b"third".to_vec(), Time(0));
    let judged = book.judge(
        &request(&path, 1),
        &response("third", "t"),
        Time(100),
        || false,
    );
    assert!(judged.expect_err("no end").contains("looks complete"));
}

/// A tag stands for one body.
#[test]
fn a_tag_of_two_bodies_is_seen() {
    let path: Rc<str> = "/live/a/x.ts".into();
    let mut book = book(&path);
    let mut judge = |body| {
        book.judge(&request(&path, 25), &response(body, "t"), Time(100), || {
            false
        })
    };
    assert_eq!(judge("first"), Ok(()));
    assert!(judge("second").expect_err("one tag").contains("two bodies"));
}
