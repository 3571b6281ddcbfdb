//! Waiting: a request is parked until what it asks for is there; no thread waits with it.

use std::sync::Arc;

use zonecast_io::Driver;
use zonecast_proto::Status;
use zonecast_ring::Lease;

use super::Asked;
use crate::loops::Loop;
use crate::peer::{PeerId, State};
use crate::stream::{Entry, Object, ObjectState, Stream};

/// A parked request.
pub(crate) struct Wait {
    pub(crate) asked: Asked,
    pub(crate) stream: Arc<Stream>,
    pub(crate) what: WaitFor,
}

/// What it waits for.
#[derive(Clone)]
pub(crate) enum WaitFor {
    /// An upload of this name to open.
    Path(Arc<str>),
    /// So many bytes of an open object, or its end.
    Bytes(Arc<Object>, u64),
}

impl<D: Driver<Hold = Lease>> Loop<D> {
    /// Parks the request, or answers it at once if what it waits for came meanwhile.
    pub(crate) fn wait(&mut self, id: PeerId, wait: Wait) {
        let limits = &self.shared.limits;
        let crowded = self.waiting.len() >= limits.waiting_max as usize
            || self.waiting.of(&wait.stream) >= limits.waiting_per_stream_max as usize;
        if crowded {
            return self.refuse(id, wait.asked, Status::ServiceUnavailable.into());
        }
        let patience = match wait.what {
            WaitFor::Path(_) => limits.object_wait,
            // An upload that is silent for too long ends by itself.
            WaitFor::Bytes(..) => self.request_timeout(id),
        };
        let until = self.driver.now() + patience;
        let stream = wait.stream.clone();
        let Some(peer) = self.peers.get_mut(id) else {
            return;
        };
        if peer.state != State::Waiting {
            peer.state.go(State::Waiting);
        }
        peer.wait = Some(wait);
        self.start_waiting(id, &stream);
        self.set_deadline(id, Some(until));
        self.look_again(id);
    }

    /// Something has changed that `id` may be waiting for.
    pub(crate) fn look_again(&mut self, id: PeerId) {
        match self.peers.get(id).map(|peer| peer.state) {
            Some(State::Waiting) => self.look_for_object(id),
            Some(State::Response) => self.pump(id),
            _ => self.stop_waiting(id),
        }
    }

    fn look_for_object(&mut self, id: PeerId) {
        let Some(wait) = self.peers.get(id).and_then(|peer| peer.wait.as_ref()) else {
            return;
        };
        let (asked, stream, what) = (wait.asked, wait.stream.clone(), wait.what.clone());
        match what {
            WaitFor::Path(path) => {
                let index = stream.index.load();
                match index.get(&path) {
                    Some(Entry::Object(object)) => {
                        self.stop_parking(id);
                        self.answer_object(id, asked, &stream, object);
                    }
                    Some(Entry::Pinned(pinned)) => {
                        self.stop_parking(id);
                        let found = super::answer::Found::Pinned(pinned.clone());
                        self.answer(id, asked, &stream, found);
                    }
                    Some(Entry::Gone) => {
                        self.stop_parking(id);
                        self.refuse(id, asked, Status::Gone.into());
                    }
                    None if stream.is_closed() => {
                        self.stop_parking(id);
                        self.refuse(id, asked, Status::NotFound.into());
                    }
                    None => {}
                }
            }
            WaitFor::Bytes(object, until) => {
                let open = object.state() == ObjectState::Open;
                if !open || self.bytes_there(&object) >= until {
                    self.stop_parking(id);
                    self.answer_object(id, asked, &stream, &object);
                }
            }
        }
    }

    /// The wait is over, one way or the other: the request is answered next.
    fn stop_parking(&mut self, id: PeerId) {
        self.stop_waiting(id);
        if let Some(peer) = self.peers.get_mut(id) {
            peer.wait = None;
        }
    }

    pub(crate) fn wait_timed_out(&mut self, id: PeerId) {
        let Some(wait) = self.peers.get(id).and_then(|peer| peer.wait.as_ref()) else {
            return;
        };
        let status = match wait.what {
            WaitFor::Path(_) => Status::NotFound,
            WaitFor::Bytes(..) => Status::ServiceUnavailable,
        };
        let asked = wait.asked;
        self.stop_parking(id);
        self.refuse(id, asked, status.into());
    }
}
