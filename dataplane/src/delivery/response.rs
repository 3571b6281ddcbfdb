//! Response: what is answered, from its head to its last byte.
//!
//! One send is in flight at most, and what it carries is made only when the socket has
//! taken what went before. A response that cannot be finished is cut off with a reset and
//! never ends as if it were complete.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use zonecast_io::{Driver, Time};
use zonecast_numa::ZoneId;
use zonecast_proto::Status;
use zonecast_proto::date::HttpDate;
use zonecast_proto::etag::ETag;
use zonecast_proto::kind::Kind;
use zonecast_proto::range::ContentRange;
use zonecast_proto::response::{self, CacheControl, Connection, Cors, Origin, ResponseHead};
use zonecast_ring::{ChunkRef, Lease};

use super::Asked;
use super::answer::Refused;
use crate::egress::EgressZone;
use crate::loops::Loop;
use crate::peer::{How, Link, PeerId, Role, State};
use crate::stream::{Object, Pinned, Stream};

/// How often a response's rate is looked at.
const RATE_INTERVAL: Duration = Duration::from_secs(10);

/// Where a body comes from.
#[derive(Debug)]
pub(crate) enum Body {
    Nothing,
    Pinned(Arc<Pinned>),
    Object(Arc<Object>),
}

/// How far into a body a response is.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Position {
    /// Number of the chunk, of an object in a ring.
    pub(crate) part: usize,
    /// Bytes into the chunk, or into the pinned object.
    pub(crate) offset: u64,
    /// Bytes into the object.
    pub(crate) absolute: u64,
    /// Bytes still to send; `None` while the object is open.
    pub(crate) left: Option<u64>,
}

/// See the module's description.
pub(crate) struct Response {
    pub(crate) status: Status,
    pub(crate) framing: response::Body,
    pub(crate) etag: Option<ETag>,
    pub(crate) kind: Option<Kind>,
    pub(crate) cache: CacheControl,
    content_range: Option<ContentRange>,
    /// Where it should have been asked.
    location: Option<Box<str>>,
    refused: Refused,
    http10: bool,
    keep_alive: bool,
    /// No body is sent (HEAD), whatever the head says.
    pub(crate) head_only: bool,
    /// To be noticed when an open object grows.
    pub(crate) stream: Option<Arc<Stream>>,
    pub(crate) body: Body,
    /// First byte of the body to send.
    pub(crate) from: u64,
    pub(crate) at: Position,
    pub(crate) head_sent: bool,
    /// The last byte is in a send.
    pub(crate) ended: bool,
    /// Payload (head and body) in the send in flight.
    pub(crate) in_flight: u64,
    /// The chunk that a send in flight reads from, straight from the ring.
    pub(crate) reading: Option<(u64, ChunkRef)>,
    started: Option<Time>,
    /// Since when bytes are counted, without a rest.
    pub(crate) rate_since: Option<Time>,
    rate_bytes: u64,
}

impl Response {
    /// A response without a body.
    pub(crate) fn status(asked: Asked, refused: Refused) -> Self {
        let error = refused.status.is_error();
        Self {
            status: refused.status,
            framing: response::Body::Length(0),
            etag: None,
            kind: None,
            cache: if error {
                CacheControl::NoStore
            } else {
                CacheControl::Unsaid
            },
            content_range: None,
            location: None,
            refused,
            http10: asked.http10,
            keep_alive: asked.keep_alive && !refused.close,
            head_only: asked.head_only,
            stream: None,
            body: Body::Nothing,
            from: 0,
            at: Position {
                left: Some(0),
                ..Position::default()
            },
            head_sent: false,
            ended: false,
            in_flight: 0,
            reading: None,
            started: None,
            rate_since: None,
            rate_bytes: 0,
        }
    }

    /// It should have been asked there; which zone a stream is in may change at any time.
    pub(crate) fn set_location(&mut self, location: Box<str>) {
        self.location = Some(location);
        self.cache = CacheControl::NoStore;
    }

    /// All of `length` bytes.
    pub(crate) fn set_whole(&mut self, length: u64) {
        self.framing = response::Body::Length(length);
        self.at.left = Some(length);
    }

    /// A part of an object of `length` bytes (`None`: still open).
    pub(crate) fn resolve_part(&mut self, part: Range<u64>, length: Option<u64>) {
        self.status = Status::PartialContent;
        self.content_range = Some(ContentRange::of(&part, length));
        self.framing = response::Body::Length(part.end - part.start);
        self.from = part.start;
        self.at.left = Some(part.end - part.start);
    }

    /// An object that is still being filled, to its end.
    pub(crate) fn resolve_open(&mut self, asked: Asked) {
        self.at.left = None;
        self.framing = if asked.head_only {
            response::Body::Unsaid
        } else if asked.http10 {
            self.keep_alive = false;
            response::Body::UntilClose
        } else {
            response::Body::Chunked
        };
    }

    /// A range outside of the object.
    pub(crate) fn set_unsatisfiable(&mut self, length: u64) {
        self.status = Status::RangeNotSatisfiable;
        self.content_range = Some(ContentRange::Unsatisfied { length });
        self.cache = CacheControl::NoStore;
        self.head_only = true;
    }

    /// Whether another request may follow on the connection.
    pub(crate) fn keeps_the_connection(&self) -> bool {
        self.keep_alive
    }

    /// Whether the body is framed in chunks.
    pub(crate) fn is_chunked(&self) -> bool {
        self.framing == response::Body::Chunked
    }

    /// What was asked, for an answer that takes the place of this one.
    pub(crate) fn asked_again(&self) -> Asked {
        Asked {
            head_only: self.head_only,
            http10: self.http10,
            keep_alive: self.keep_alive,
            range: None,
            expects: false,
        }
    }

    /// The zone whose ring the body lies in.
    pub(crate) fn ring_zone(&self) -> Option<ZoneId> {
        match &self.body {
            Body::Object(object) => Some(object.track.zone),
            Body::Pinned(_) | Body::Nothing => None,
        }
    }

    /// Writes the head into `out`; returns its length.
    pub(crate) fn write_head(&self, date: &HttpDate, out: &mut [u8]) -> usize {
        let mut head = ResponseHead::new(self.status, date);
        if self.refused.preflight {
            head = ResponseHead::preflight(Origin::Any, date);
        } else {
            head.cors = Cors::Allow(Origin::Any);
        }
        head.body = self.framing;
        head.content_type = self.kind.map(Kind::content_type);
        head.etag = self.etag;
        head.cache = self.cache;
        head.content_range = self.content_range;
        head.accept_ranges = self.kind.is_some();
        head.allow = self.refused.allow;
        head.location = self.location.as_deref();
        head.realm = self.refused.challenge.then_some("zonecast ingest");
        head.retry_after_seconds = (self.status == Status::ServiceUnavailable).then_some(1);
        head.connection = match (self.keep_alive, self.http10) {
            (false, _) => Connection::Close,
            (true, true) => Connection::KeepAlive,
            (true, false) => Connection::Kept,
        };
        head.write(out)
            .expect("a head of our own texts fits in a buffer")
    }
}

impl<D: Driver<Hold = Lease>> Loop<D> {
    /// Begins to send `response`.
    pub(crate) fn respond(&mut self, id: PeerId, mut response: Response) {
        let now = self.driver.now();
        let Some(peer) = self.peers.get_mut(id) else {
            return;
        };
        response.keep_alive &= self.draining.is_none();
        response.started = Some(now);
        peer.state.go(State::Response);
        peer.response = Some(response);
        self.find_way_out(id);
        let look = self.request_timeout(id).min(RATE_INTERVAL);
        self.set_deadline(id, Some(now + look));
        self.pump(id);
    }

    /// A send of the response is over: counts it, and goes on.
    pub(crate) fn response_sent(&mut self, id: PeerId) {
        let Some(peer) = self.peers.get_mut(id) else {
            return;
        };
        peer.took_whole();
        let ended = peer.response.as_ref().is_some_and(|r| r.ended);
        if self.count_sent(id) > 0 && ended {
            self.response_done(id);
        } else {
            self.pump(id);
        }
    }

    /// Counts the bytes of a send that is over, and says how many they are.
    pub(super) fn count_sent(&mut self, id: PeerId) -> u64 {
        let Some(peer) = self.peers.get_mut(id) else {
            return 0;
        };
        let (path, egress) = (peer.path(), peer.egress);
        let Some(response) = &mut peer.response else {
            return 0;
        };
        let sent = std::mem::take(&mut response.in_flight);
        if let Link::Tls(session) = &mut peer.link {
            session.add_kernel_bytes(sent);
        }
        response.reading = None;
        response.rate_bytes += sent;
        if peer.role == Role::Viewer {
            let egress = egress.or(self.shared.nodes.unasked());
            let egress = egress.unwrap_or(EgressZone::Unknown);
            let ring = response.ring_zone();
            self.counters.add_bytes(ring, egress, path, sent);
        }
        sent
    }

    pub(crate) fn response_done(&mut self, id: PeerId) {
        self.stop_waiting(id);
        let Some(peer) = self.peers.get_mut(id) else {
            return;
        };
        peer.answered = true;
        let keep = peer.response.take().is_some_and(|r| r.keep_alive);
        let worn = matches!(&peer.link, Link::Tls(s) if s.close_due());
        if keep && !worn && self.draining.is_none() {
            peer.state.go(State::Request);
            if !self.release_held(id) {
                self.begin_request(id);
                self.advance(id);
            }
        } else {
            self.say_goodbye(id);
        }
    }

    /// Cuts a response off: the viewer sees that it is not complete.
    pub(crate) fn cut(&mut self, id: PeerId) {
        self.terminate(id, How::Abort);
    }

    /// The viewer is behind the ring. Before the head is sent it is told so.
    pub(crate) fn lapped(&mut self, id: PeerId) {
        self.counters.viewers_lapped.add(1);
        self.cut(id);
    }

    /// How long a request of this connection's listener may take.
    pub(crate) fn request_timeout(&self, id: PeerId) -> Duration {
        let listener = self.peers.get(id).map_or(0, |peer| peer.listener);
        self.shared.listeners[listener].limits.request_timeout
    }

    /// A send begins: its bytes count from now on, if they did not already.
    pub(crate) fn measure(&mut self, id: PeerId) {
        let now = self.driver.now();
        if let Some(response) = self.peers.get_mut(id).and_then(|p| p.response.as_mut())
            && response.rate_since.is_none()
        {
            (response.rate_since, response.rate_bytes) = (Some(now), 0);
        }
    }

    /// Looks at the response's rate and at its age.
    pub(crate) fn response_timed_out(&mut self, id: PeerId) {
        let now = self.driver.now();
        let Some(peer) = self.peers.get_mut(id) else {
            return;
        };
        let limits = self.shared.listeners[peer.listener].limits;
        let Some(response) = &mut peer.response else {
            return;
        };
        let age = response.started.map_or(Duration::ZERO, |s| now - s);
        let (mut slow, mut begin_anew) = (false, false);
        if let Some(since) = response.rate_since {
            // What is in flight may be all but sent, or not at all: where that decides, the
            // bytes of a longer time are looked at.
            let wanted = limits.rate_min.saturating_mul((now - since).as_secs());
            let long = now - since >= RATE_INTERVAL;
            slow = long && response.rate_bytes + response.in_flight < wanted;
            begin_anew = long && response.rate_bytes >= wanted;
        }
        if slow || age >= limits.request_timeout {
            self.counters.timeouts.add(1);
            return self.cut(id);
        }
        if begin_anew {
            (response.rate_since, response.rate_bytes) = (Some(now), 0);
        }
        let left = limits.request_timeout - age;
        self.set_deadline(id, Some(now + left.min(RATE_INTERVAL)));
    }
}
