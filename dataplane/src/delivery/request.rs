//! Request: a head is awaited, read, and turned into what is to be done.

use std::sync::Arc;

use zonecast_io::Driver;
use zonecast_numa::ZoneId;
use zonecast_proto::path::{self, PathRoom};
use zonecast_proto::request::{self, BodyKind, HeadLimits, Method, Request};
use zonecast_proto::response::{ENCODER_METHODS, VIEWER_METHODS};
use zonecast_proto::{BadRequest, Status};
use zonecast_ring::Lease;

use super::answer::{Asked, Found, Refused};
use super::redirect::location;
use crate::counters::IngestError;
use crate::ingest::{self, Delete, Upload};
use crate::loops::Loop;
use crate::peer::{How, Link, PeerId, Plaintext, Role, Step};
use crate::shared::Shared;
use crate::stream::Stream;

/// What a request asks for, in values that need nothing of the request any more.
pub(crate) enum Verdict {
    /// An answer without an object.
    Refuse(Asked, Refused),
    /// May this origin ask? It may.
    Preflight(Asked),
    /// It should have gone there.
    Redirect(Asked, Box<str>),
    /// An object of a stream, as it stands.
    Get(Asked, Arc<Stream>, Found),
    /// A body for a stream.
    Upload(Asked, Box<Upload>),
    /// A name to delete.
    Delete(Asked, Delete),
}

impl<D: Driver<Hold = Lease>> Loop<D> {
    /// A request may come: the previous one, or the handshake, is over.
    pub(crate) fn begin_request(&mut self, id: PeerId) {
        let Some(peer) = self.peers.get_mut(id) else {
            return;
        };
        let limits = &self.shared.listeners[peer.listener].limits;
        peer.in_head = peer.has_begun_a_request();
        let wait = if peer.in_head {
            limits.header_timeout
        } else {
            limits.idle_timeout
        };
        let until = self.driver.now() + wait;
        self.set_deadline(id, Some(until));
    }

    /// Reads a head from what has come, if it is complete.
    pub(crate) fn request_step(&mut self, id: PeerId) -> Step {
        match self.plaintext(id) {
            _ if self.must_release(id) => {
                self.release_held(id);
                Step::Stop
            }
            // A KeyUpdate that cannot be answered: nothing more may be sent under this key.
            Some(_) if self.key_is_stuck(id) => {
                self.say_goodbye(id);
                Step::Stop
            }
            Some(Plaintext::Some) => self.read_head(id),
            Some(_) => {
                self.await_head(id);
                Step::Stop
            }
            None => Step::Stop,
        }
    }

    fn key_is_stuck(&self, id: PeerId) -> bool {
        let link = self.peers.get(id).map(|peer| &peer.link);
        matches!(link, Some(Link::Tls(session)) if session.close_due())
    }

    /// The head is not complete and nothing more is there.
    fn await_head(&mut self, id: PeerId) {
        let Some(peer) = self.peers.get_mut(id) else {
            return;
        };
        if peer.finished {
            return self.terminate(id, How::Close);
        }
        if self.draining.is_some() && !peer.has_begun_a_request() {
            return self.end_unless_asked(id);
        }
        if peer.has_begun_a_request() && !std::mem::replace(&mut peer.in_head, true) {
            let header = self.shared.listeners[peer.listener].limits.header_timeout;
            let until = self.driver.now() + header;
            self.set_deadline(id, Some(until));
        }
    }

    fn read_head(&mut self, id: PeerId) -> Step {
        let Some(peer) = self.peers.get_mut(id) else {
            return Step::Stop;
        };
        let most = self.shared.listeners[peer.listener].limits.head_bytes_max as usize;
        let limits = HeadLimits {
            head_bytes_max: most,
            ..HeadLimits::default()
        };
        let earlier = peer.head.len();
        let fresh = peer.inbox.plain().len();
        if earlier > 0 {
            peer.head.extend_from_slice(peer.inbox.plain());
        }
        let head = if earlier > 0 {
            &peer.head[..]
        } else {
            peer.inbox.plain()
        };
        let at = Place {
            role: peer.role,
            zone: self.zone,
            tls: self.shared.listeners[peer.listener].acceptor.is_some(),
        };
        let (taken, verdict) = match request::parse(head, &limits) {
            Ok(None) => {
                if earlier == 0 {
                    peer.head.extend_from_slice(peer.inbox.plain());
                }
                peer.inbox.take_plain(fresh);
                return Step::Again;
            }
            Ok(Some((request, taken))) => (
                taken,
                decide(&self.shared, &mut self.path_room, at, &request),
            ),
            Err(error) => (
                head.len(),
                Verdict::Refuse(Asked::unreadable(), error.into()),
            ),
        };
        peer.inbox.take_plain(taken - earlier.min(taken));
        peer.head = Vec::new();
        self.carry_out(id, verdict);
        Step::Again
    }

    fn carry_out(&mut self, id: PeerId, verdict: Verdict) {
        if matches!(&verdict, Verdict::Refuse(..)) {
            self.count_refusal(id);
        }
        match verdict {
            Verdict::Refuse(asked, refused) => self.refuse(id, asked, refused),
            Verdict::Preflight(asked) => self.answer_preflight(id, asked),
            Verdict::Redirect(asked, location) => {
                self.counters.viewers_redirected.add(1);
                let mut response = super::Response::status(asked, Status::TemporaryRedirect.into());
                response.set_location(location);
                self.respond(id, response);
            }
            Verdict::Get(asked, stream, found) => {
                self.count_misplaced(id, &stream);
                self.answer(id, asked, &stream, found);
            }
            Verdict::Upload(asked, upload) => self.begin_upload(id, asked, upload),
            Verdict::Delete(asked, delete) => self.begin_delete(id, asked, delete),
        }
    }

    /// The answer comes from another zone's memory: counts that, and tells whoever steers where this viewer
    /// had better come to, once.
    fn count_misplaced(&mut self, id: PeerId, stream: &Stream) {
        let Some(peer) = self.peers.get_mut(id) else {
            return;
        };
        if stream.zone == self.zone || peer.role != Role::Viewer {
            return;
        }
        self.counters.requests_misplaced.add(1);
        let Some(board) = &self.shared.steering_board else {
            return;
        };
        if !std::mem::replace(&mut peer.told_misplaced, true)
            && let Some(viewer) = self.driver.peer(peer.conn)
            && let Some(address) = self.driver.local(peer.conn)
        {
            board.misplaced(viewer.ip(), address, stream.zone.0);
        }
    }

    fn count_refusal(&self, id: PeerId) {
        if self
            .peers
            .get(id)
            .is_some_and(|peer| peer.role == Role::Encoder)
        {
            self.counters.add_ingest_error(IngestError::BadRequest);
        }
    }

    /// The head did not come in time, or the connection was idle for too long.
    pub(crate) fn request_timed_out(&mut self, id: PeerId) {
        if self.release_held(id) {
            return;
        }
        let Some(peer) = self.peers.get(id) else {
            return;
        };
        if peer.has_begun_a_request() {
            self.counters.timeouts.add(1);
            self.refuse(id, Asked::unreadable(), Status::RequestTimeout.into());
        } else if peer.send.is_some() {
            self.terminate(id, How::Abort);
        } else {
            self.say_goodbye(id);
        }
    }
}

/// Where a request came in.
#[derive(Clone, Copy)]
struct Place {
    role: Role,
    zone: ZoneId,
    tls: bool,
}

/// What `request` asks for.
fn decide(shared: &Shared, room: &mut PathRoom, at: Place, request: &Request<'_>) -> Verdict {
    let role = at.role;
    let asked = Asked::by(request);
    let has_body = !matches!(request.body, BodyKind::None | BodyKind::Length(0));
    match (request.method, role) {
        (Method::Put | Method::Post, Role::Encoder) => {
            return ingest::decide_upload(shared, room, asked, request);
        }
        (Method::Delete, Role::Encoder) => {
            return ingest::decide_delete(shared, room, asked, request);
        }
        _ if has_body => return Verdict::Refuse(asked.and_close(), Status::ContentTooLarge.into()),
        (Method::Get | Method::Head, Role::Encoder) => {
            if let Err(refused) = ingest::authorise(shared, room, request) {
                return Verdict::Refuse(asked, refused);
            }
        }
        (Method::Get | Method::Head, Role::Viewer) => {}
        (Method::Options, _) if request.is_preflight() => return Verdict::Preflight(asked),
        (Method::Options, _) => {
            return Verdict::Refuse(asked, Refused::methods(Status::NoContent, role));
        }
        (Method::Put | Method::Post | Method::Delete, Role::Viewer) => {
            return Verdict::Refuse(
                asked.and_close(),
                Refused::methods(Status::MethodNotAllowed, role),
            );
        }
        (Method::Other, _) => {
            return Verdict::Refuse(asked.and_close(), Status::NotImplemented.into());
        }
    }
    let live = match path::parse(request.path, room) {
        Ok(live) if live.token.is_none() || role == Role::Encoder => live,
        Ok(_) => return Verdict::Refuse(asked, BadRequest::NotServed.status().into()),
        Err(error) => return Verdict::Refuse(asked, error.status().into()),
    };
    let streams = shared.registry.streams();
    let Some(stream) = streams.get(live.stream) else {
        return Verdict::Refuse(asked, Status::NotFound.into());
    };
    if role == Role::Viewer
        && let Some(redirects) = &shared.redirects
        && let Some(to) = location(redirects, at.zone, at.tls, request, stream, live.path)
    {
        return Verdict::Redirect(asked, to);
    }
    let (asked, found) = Found::look_up(asked, request, stream, live.path);
    Verdict::Get(asked, stream.clone(), found)
}

impl Refused {
    /// A status that says which methods there are.
    fn methods(status: Status, role: Role) -> Self {
        let allow = if role == Role::Viewer {
            VIEWER_METHODS
        } else {
            ENCODER_METHODS
        };
        Self {
            allow: Some(allow),
            ..status.into()
        }
    }
}

impl<D: Driver<Hold = Lease>> Loop<D> {
    /// Answers without an object.
    pub(crate) fn refuse(&mut self, id: PeerId, asked: Asked, refused: Refused) {
        let response = super::Response::status(asked, refused);
        self.respond(id, response);
    }

    fn answer_preflight(&mut self, id: PeerId, asked: Asked) {
        let refused = Refused {
            preflight: true,
            ..Status::NoContent.into()
        };
        self.refuse(id, asked, refused);
    }
}
