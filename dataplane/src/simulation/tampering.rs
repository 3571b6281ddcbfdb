//! Flaws of what the pipeline knows, made between two steps.

use std::sync::Arc;

use zonecast_io::Time;
use zonecast_proto::kind::Kind;

use super::{Flaw, Simulation};
use crate::counters::BytePath;
use crate::egress::EgressZone;
use crate::loops::{Message, Order, Reply};
use crate::stream::{Entry, Pinned};

/// More than any bound.
const MANY: u32 = 5000;

/// What is left to be broken.
pub(super) struct Tampering {
    flaw: Flaw,
    kept: Option<(Arc<str>, Entry)>,
}

impl Tampering {
    pub(super) fn of(flaw: Flaw) -> Self {
        Self { flaw, kept: None }
    }
}

impl Simulation {
    /// Breaks what is to be broken, as soon as that can be done.
    pub(super) fn tamper(&mut self) {
        let broken = match self.tampering.flaw {
            Flaw::Forgotten => self.lose_an_object(),
            Flaw::Outdated => self.bring_an_object_back(),
            Flaw::CountedTwice => self.count_a_byte(),
            Flaw::LostMessage => self.lose_a_message(),
            Flaw::KeptTimers => self.keep_timers(),
            Flaw::KeptMessages => self.keep_messages(),
            Flaw::KeptObjects => self.keep_objects(),
            _ => true,
        };
        if broken {
            self.tampering.flaw = Flaw::None;
        }
    }

    fn lose_an_object(&mut self) -> bool {
        let loops = self.life.loops.iter_mut().flatten();
        loops.into_iter().any(|this| {
            let mut owners = this.owned.values_mut();
            owners.any(|owner| owner.lose_one(&this.post))
        })
    }

    fn bring_an_object_back(&mut self) -> bool {
        let kept = &mut self.tampering.kept;
        let loops = self.life.loops.iter_mut().flatten();
        loops.into_iter().any(|this| {
            let mut owners = this.owned.values_mut();
            owners.any(|owner| owner.bring_back(kept, &this.post))
        })
    }

    fn count_a_byte(&mut self) -> bool {
        self.life.shared.counters[0].add_bytes(None, EgressZone::Any, BytePath::Plain, 1);
        true
    }

    /// The order that commits an upload, or the answer to it, is lost on its way.
    fn lose_a_message(&mut self) -> bool {
        let decisive = |message: &Message| {
            matches!(
                message,
                Message::ToOwner {
                    order: Order::Finish { .. } | Order::Pin { .. },
                    ..
                } | Message::ToUpload {
                    reply: Reply::Done { .. },
                    ..
                }
            )
        };
        self.life.boxes.iter().any(|mail| {
            let late = mail.is_late();
            mail.set_late(false);
            let mut messages: Vec<Message> = std::iter::from_fn(|| mail.take_message()).collect();
            let lost = messages.iter().position(decisive);
            if let Some(at) = lost {
                drop(messages.remove(at));
            }
            let back = messages.into_iter().filter_map(|message| mail.put(message));
            assert_eq!(back.count(), 0, "there was room for them");
            mail.set_late(late);
            lost.is_some()
        })
    }

    fn keep_timers(&mut self) -> bool {
        let Some(this) = self.life.loops.iter_mut().flatten().next() else {
            return false;
        };
        let Some(id) = this.peers.ids().into_iter().next() else {
            return false;
        };
        let Some(peer) = this.peers.get_mut(id) else {
            return false;
        };
        let deadline = peer.deadline;
        peer.timer = None;
        for at in (0..u64::from(MANY)).rev() {
            this.timers
                .set(id, peer, Some(Time(u64::MAX - 1 - u64::from(MANY) + at)));
            peer.timer = peer.timer.filter(|_| at > 0);
        }
        this.timers.set(id, peer, deadline);
        true
    }

    fn keep_messages(&mut self) -> bool {
        let Some(this) = self.life.loops.iter_mut().flatten().next() else {
            return false;
        };
        let streams = this.shared.registry.streams();
        let Some(stream) = streams.values().next().cloned() else {
            return false;
        };
        drop(streams);
        for number in 0..u64::from(MANY) {
            let upload = crate::stream::UploadId {
                reader: this.id,
                slot: u32::MAX,
                number,
            };
            let writers = [None, None];
            let why = crate::counters::IngestError::Cut;
            let order = Order::Abort { writers, why };
            let stream = stream.clone();
            let message = Message::ToOwner {
                upload,
                stream,
                order,
            };
            this.post.send(this.id, message);
        }
        true
    }

    fn keep_objects(&mut self) -> bool {
        let streams = self.life.shared.registry.streams();
        let Some(stream) = streams.values().next() else {
            return false;
        };
        let pinned = |n: u32| {
            let pinned = Pinned {
                kind: Kind::HlsPlaylist,
                generation: 1,
                body: Arc::default(),
                max_age_ms: 0,
            };
            let path: Arc<str> = format!("kept{n}.m3u8").into();
            (path, Entry::Pinned(Arc::new(pinned)))
        };
        let mut index = crate::stream::Index::clone(&stream.index.load());
        for (path, entry) in (0..MANY).map(pinned) {
            index.put(&path, entry);
        }
        stream.index.store(Arc::new(index));
        true
    }
}
