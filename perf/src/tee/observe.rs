//! Reads what passes through one relayed connection: requests in one direction, their
//! answers in the other, and what that means for the ledger.
//!
//! It only looks: whatever it cannot read is relayed all the same, counted, and from then
//! on this connection is not looked at. Requests are entered before their bytes are
//! relayed, answers as soon as they are read.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use crate::ledger::{Answer, Ledger, Upload, key_of};
use crate::wire::{self, Body, Framing, HEAD_BYTES_MAX, WireError};

/// Requests of one connection that may wait for their answer; an encoder that pipelines
/// deeper is relayed, but no longer looked at.
const UNANSWERED_MAX: usize = 1024;

/// Both directions of one connection.
pub(super) struct Observer {
    ledger: Arc<Ledger>,
    readable: bool,
    head: Vec<u8>,
    body: Option<Body>,
    upload: Option<Upload>,
    answer_head: Vec<u8>,
    answer_body: Option<Body>,
    unanswered: VecDeque<Request>,
}

/// A request whose answer has not come.
struct Request {
    method: String,
    /// The key and generation that it uploads, if it is an upload.
    upload: Option<(Arc<str>, u64)>,
}

impl Observer {
    pub(super) fn new(ledger: Arc<Ledger>) -> Observer {
        Observer {
            ledger,
            readable: true,
            head: Vec::new(),
            body: None,
            upload: None,
            answer_head: Vec::new(),
            answer_body: None,
            unanswered: VecDeque::new(),
        }
    }

    /// Bytes of the encoder, before they are relayed.
    pub(super) fn request_bytes(&mut self, input: &[u8]) {
        if self.readable && self.read_requests(input).is_err() {
            self.give_up();
        }
    }

    /// Bytes of the daemon.
    pub(super) fn answer_bytes(&mut self, input: &[u8]) {
        if self.readable && self.read_answers(input).is_err() {
            self.give_up();
        }
    }

    /// The encoder is between two requests, as far as one can read.
    pub(super) fn between_requests(&self) -> bool {
        self.readable && self.head.is_empty() && self.body.is_none()
    }

    /// The encoder sends nothing more: an object that is still open was cut off.
    pub(super) fn requests_ended(&mut self) {
        self.upload = None;
    }

    fn give_up(&mut self) {
        self.readable = false;
        self.upload = None;
        self.ledger.unreadable();
    }

    fn read_requests(&mut self, mut input: &[u8]) -> Result<(), WireError> {
        while !input.is_empty() {
            if let Some(body) = &mut self.body {
                let piece = body.decode(input)?;
                if let Some(upload) = &mut self.upload {
                    upload.data(&input[piece.data]);
                }
                input = &input[piece.consumed..];
            } else {
                let (parsed, used) = grow(&mut self.head, input, wire::request_head)?;
                input = &input[used..];
                let Some(head) = parsed else { continue };
                self.begin(head)?;
            }
            if self.body.as_ref().is_some_and(Body::done) {
                self.body = None;
                if let Some(upload) = self.upload.take() {
                    upload.finish(Instant::now());
                }
            }
        }
        Ok(())
    }

    fn begin(&mut self, head: wire::RequestHead) -> Result<(), WireError> {
        if self.unanswered.len() == UNANSWERED_MAX {
            return Err(WireError::Head(
                "too many requests without an answer".to_owned(),
            ));
        }
        let key = key_of(&head.target);
        let now = Instant::now();
        self.upload = match (head.method.as_str(), key) {
            ("PUT" | "POST", Some(key)) => Some(self.ledger.begin(key, now)),
            ("DELETE", Some(key)) => {
                self.ledger.deleted(key, now);
                None
            }
            _ => None,
        };
        self.body = Some(Body::new(head.framing));
        self.unanswered.push_back(Request {
            method: head.method,
            upload: self
                .upload
                .as_ref()
                .map(|upload| (upload.key().clone(), upload.generation())),
        });
        Ok(())
    }

    fn read_answers(&mut self, mut input: &[u8]) -> Result<(), WireError> {
        while !input.is_empty() {
            if let Some(body) = &mut self.answer_body {
                let piece = body.decode(input)?;
                input = &input[piece.consumed..];
            } else {
                let (parsed, used) = grow(&mut self.answer_head, input, wire::response_head)?;
                input = &input[used..];
                let Some(head) = parsed else { continue };
                if head.status < 200 {
                    continue;
                }
                let framing = self.answered(&head);
                self.answer_body = Some(Body::new(framing));
            }
            if self.answer_body.as_ref().is_some_and(Body::done) {
                self.answer_body = None;
            }
        }
        Ok(())
    }

    fn answered(&mut self, head: &wire::ResponseHead) -> Framing {
        let Some(request) = self.unanswered.pop_front() else {
            return head.framing;
        };
        if let Some((key, generation)) = request.upload {
            let answer = Answer::Status(head.status, Instant::now());
            self.ledger.answered(&key, generation, answer);
        }
        head.framing_for(&request.method)
    }
}

impl Drop for Observer {
    /// The connection is over: what has no answer by now is lost.
    fn drop(&mut self) {
        self.upload = None;
        for request in self.unanswered.drain(..) {
            if let Some((key, generation)) = request.upload {
                self.ledger
                    .answered(&key, generation, Answer::Lost(Instant::now()));
            }
        }
    }
}

/// Adds `input` to a head that may have begun earlier: the head once it is whole, and how
/// many bytes of `input` belong to it.
fn grow<H>(
    head: &mut Vec<u8>,
    input: &[u8],
    parse: impl Fn(&[u8]) -> Result<Option<(H, usize)>, WireError>,
) -> Result<(Option<H>, usize), WireError> {
    let before = head.len();
    let room = (HEAD_BYTES_MAX + 1).saturating_sub(before);
    head.extend_from_slice(&input[..input.len().min(room)]);
    match parse(head)? {
        Some((parsed, bytes)) => {
            head.clear();
            Ok((Some(parsed), bytes - before))
        }
        None => Ok((None, head.len() - before)),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::ledger::State;

    const REQUESTS: &[u8] = b"PUT /live/s/i0.ts HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n\
        3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n\
        PUT /live/s/i1.ts HTTP/1.1\r\nContent-Length: 2\r\n\r\nxy\
        DELETE /live/s/i0.ts HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n\
        PUT /live/s/i2.ts HTTP/1.1\r\nContent-Length: 9\r\n\r\ncut";
    const ANSWERS: &[u8] =
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n\
        HTTP/1.1 503 No\r\nContent-Length: 4\r\n\r\nfull\
        HTTP/1.1 204 No Content\r\n\r\n";

    /// Pipelined requests and answers, cut everywhere, leave the same ledger: objects with
    /// their answers, a DELETE, and a last object that was cut off.
    #[test]
    fn any_cut_leaves_the_same_ledger() {
        for step in 1..REQUESTS.len() {
            let ledger = Ledger::new();
            let mut observer = Observer::new(ledger.clone());
            REQUESTS
                .chunks(step)
                .for_each(|bytes| observer.request_bytes(bytes));
            ANSWERS
                .chunks(step)
                .for_each(|bytes| observer.answer_bytes(bytes));
            drop(observer);
            let totals = ledger.totals();
            assert_eq!(totals.unreadable, 0, "step {step}");
            assert_eq!((totals.begun, totals.complete, totals.aborted), (3, 2, 1));
            assert_eq!((totals.refused, totals.deletes, totals.bytes), (1, 1, 10));
            assert_eq!(totals.lost, 0);
            assert!(ledger.deleted_at("s/i0.ts").is_some());
            let versions = ledger.versions("s/i0.ts");
            assert!(matches!(
                versions[0].state,
                State::Complete { length: 5, .. }
            ));
            assert!(matches!(versions[0].answer, Answer::Status(201, _)));
            assert!(matches!(
                ledger.versions("s/i2.ts")[0].state,
                State::Aborted { .. }
            ));
        }
    }

    /// What is not HTTP is counted once, and ends the looking.
    #[test]
    fn rubbish_is_counted() {
        let ledger = Ledger::new();
        let mut observer = Observer::new(ledger.clone());
        observer.request_bytes(b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n");
        observer.request_bytes(b"more");
        drop(observer);
        assert_eq!(ledger.totals().unreadable, 1);
    }
}
