//! From what was asked and what there is to the response that answers it.

use std::sync::Arc;

use zonecast_io::Driver;
use zonecast_proto::etag::ETag;
use zonecast_proto::kind::Kind;
use zonecast_proto::range::{OpenResolved, RangeSpec, Resolved};
use zonecast_proto::request::{Method, Request, Version};
use zonecast_proto::response::CacheControl;
use zonecast_proto::{BadRequest, Status};
use zonecast_ring::Lease;

use super::response::{Body, Response};
use super::waiting::{Wait, WaitFor};
use crate::loops::Loop;
use crate::peer::PeerId;
use crate::stream::{Entry, Object, ObjectState, Pinned, Stream};

/// What of a request shapes its answer, whatever is answered.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked {
    /// HEAD: the head of the answer only.
    pub(crate) head_only: bool,
    pub(crate) http10: bool,
    pub(crate) keep_alive: bool,
    pub(crate) range: Option<RangeSpec>,
    /// The peer waits for 100 Continue.
    pub(crate) expects: bool,
}

impl Asked {
    /// By this request; its range is taken once the object's tag is known.
    pub(crate) fn by(request: &Request<'_>) -> Self {
        Self {
            head_only: request.method == Method::Head,
            http10: request.version == Version::Http10,
            keep_alive: request.keep_alive,
            range: request.range,
            expects: request.expect_continue,
        }
    }

    /// By something that was no request: the connection ends with the answer.
    pub(crate) fn unreadable() -> Self {
        Self {
            head_only: false,
            http10: false,
            keep_alive: false,
            range: None,
            expects: false,
        }
    }

    /// The same, but the connection ends with the answer.
    pub(crate) fn and_close(self) -> Self {
        Self {
            keep_alive: false,
            ..self
        }
    }
}

/// An answer without an object.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Refused {
    pub(crate) status: Status,
    pub(crate) allow: Option<&'static str>,
    /// Ask for credentials.
    pub(crate) challenge: bool,
    pub(crate) preflight: bool,
    pub(crate) close: bool,
}

impl From<Status> for Refused {
    fn from(status: Status) -> Self {
        Self {
            status,
            allow: None,
            challenge: false,
            preflight: false,
            close: false,
        }
    }
}

impl From<BadRequest> for Refused {
    fn from(error: BadRequest) -> Self {
        Self {
            close: true,
            ..error.status().into()
        }
    }
}

/// What a path is, for one request.
pub(crate) enum Found {
    Object(Arc<Object>),
    Pinned(Arc<Pinned>),
    /// The peer has this generation already.
    NotModified(Kind, u64),
    /// It was there.
    Gone,
    /// A segment that may come: the request waits for this path.
    NotYet(Arc<str>),
    /// A playlist or manifest that is not there.
    Missing,
}

impl Found {
    /// What `path` is just now, with the range that the request may have of it.
    pub(crate) fn look_up(
        asked: Asked,
        request: &Request<'_>,
        stream: &Stream,
        path: &str,
    ) -> (Asked, Self) {
        let index = stream.index.load();
        let (kind, generation, found) = match index.get(path) {
            Some(Entry::Object(o)) => (o.kind, o.generation, Self::Object(o.clone())),
            Some(Entry::Pinned(p)) => (p.kind, p.generation, Self::Pinned(p.clone())),
            Some(Entry::Gone) => return (asked, Self::Gone),
            None if Kind::from_path(path).is_pinned_by_name() => return (asked, Self::Missing),
            None => return (asked, Self::NotYet(path.into())),
        };
        let tag = ETag::new(stream.epoch, generation);
        let asked = Asked {
            range: request.range_of(&tag),
            ..asked
        };
        let found = if request.has(&tag) {
            Self::NotModified(kind, generation)
        } else {
            found
        };
        (asked, found)
    }
}

impl<D: Driver<Hold = Lease>> Loop<D> {
    /// Answers with what was found, or lets the request wait.
    pub(crate) fn answer(&mut self, id: PeerId, asked: Asked, stream: &Arc<Stream>, found: Found) {
        match found {
            Found::Object(object) => self.answer_object(id, asked, stream, &object),
            Found::Pinned(pinned) => self.answer_pinned(id, asked, stream, pinned),
            Found::NotModified(kind, generation) => {
                let mut response = Response::status(asked, Status::NotModified.into());
                response.etag = Some(ETag::new(stream.epoch, generation));
                response.kind = Some(kind);
                response.cache = CacheControl::NoCache;
                self.respond(id, response);
            }
            Found::Gone => {
                self.counters.viewers_lapped.add(1);
                self.refuse(id, asked, Status::Gone.into());
            }
            Found::Missing => self.refuse(id, asked, Status::NotFound.into()),
            Found::NotYet(path) => {
                let wait = Wait {
                    asked,
                    stream: stream.clone(),
                    what: WaitFor::Path(path),
                };
                self.wait(id, wait);
            }
        }
    }

    fn answer_pinned(
        &mut self,
        id: PeerId,
        asked: Asked,
        stream: &Arc<Stream>,
        pinned: Arc<Pinned>,
    ) {
        let length = pinned.body.len() as u64;
        let mut response = Response::status(asked, Status::Ok.into());
        response.etag = Some(ETag::new(stream.epoch, pinned.generation));
        response.kind = Some(pinned.kind);
        response.cache = cache_for_ms(pinned.max_age_ms, false);
        response.resolve(asked, length);
        response.at.offset = response.from;
        response.body = Body::Pinned(pinned);
        self.respond(id, response);
    }

    /// Answers with an object of a ring, complete or open.
    pub(crate) fn answer_object(
        &mut self,
        id: PeerId,
        asked: Asked,
        stream: &Arc<Stream>,
        object: &Arc<Object>,
    ) {
        let mut response = Response::status(asked, Status::Ok.into());
        response.etag = Some(ETag::new(stream.epoch, object.generation));
        response.kind = Some(object.kind);
        let left = object.track.window_left_s(object.place) * 1000;
        response.cache = cache_for_ms(left, stream.settings.load().unique_names);
        response.stream = Some(stream.clone());
        match object.state() {
            ObjectState::Complete => response.resolve(asked, object.length()),
            ObjectState::Open => match asked.range.map(RangeSpec::resolve_open) {
                None | Some(OpenResolved::Whole) => response.resolve_open(asked),
                Some(OpenResolved::Part(part)) => {
                    if self.bytes_there(object) < part.end {
                        return self.wait_for_bytes(id, asked, stream, object, part.end);
                    }
                    response.resolve_part(part, None);
                }
                Some(OpenResolved::From(_)) => {
                    return self.wait_for_bytes(id, asked, stream, object, u64::MAX);
                }
            },
            ObjectState::Aborted => {
                return self.refuse(id, asked, Status::ServiceUnavailable.into());
            }
            ObjectState::Gone => {
                self.counters.viewers_lapped.add(1);
                return self.refuse(id, asked, Status::Gone.into());
            }
        }
        response.body = Body::Object(object.clone());
        if let Err(refused) = self.seek(&mut response) {
            self.counters.viewers_lapped.add(1);
            return self.refuse(id, asked, refused.into());
        }
        self.respond(id, response);
    }

    fn wait_for_bytes(
        &mut self,
        id: PeerId,
        asked: Asked,
        stream: &Arc<Stream>,
        object: &Arc<Object>,
        until: u64,
    ) {
        let what = WaitFor::Bytes(object.clone(), until);
        self.wait(
            id,
            Wait {
                asked,
                stream: stream.clone(),
                what,
            },
        );
    }
}

fn cache_for_ms(ms: u64, immutable: bool) -> CacheControl {
    CacheControl::MaxAge {
        seconds: (ms / 1000).min(u64::from(u32::MAX)) as u32,
        immutable,
    }
}

impl Response {
    /// The whole of `length` bytes, or the range of them that was asked for.
    fn resolve(&mut self, asked: Asked, length: u64) {
        match asked
            .range
            .map_or(Resolved::Whole, |range| range.resolve(length))
        {
            Resolved::Whole => self.set_whole(length),
            Resolved::Part(part) => self.resolve_part(part, Some(length)),
            Resolved::Unsatisfiable => self.set_unsatisfiable(length),
        }
    }
}
