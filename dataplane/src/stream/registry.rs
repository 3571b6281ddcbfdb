//! Which streams there are, who may upload to them, and in which zone each one lives.
//!
//! Read by every request through a snapshot; changed only when a stream is made, closed or
//! configured anew, under a lock that no viewer's request takes.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::{ArcSwap, Guard};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use zonecast_numa::{LoopId, ZoneId};

use super::{Saved, Stream};
use crate::config::{Reload, StreamConfig, TokenHash};
use crate::counters::IngestError;

/// All streams by id.
pub(crate) type Streams = HashMap<Arc<str>, Arc<Stream>>;

/// Why an encoder is turned away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// No credentials came: ask for them (401).
    NoCredentials,
    /// They are wrong (403).
    WrongToken,
    /// No such stream, and this token makes none (403: what exists is nobody's business).
    UnknownStream,
    /// One stream more than allowed (503).
    TooMany,
}

impl Refusal {
    /// As an upload error.
    pub(crate) fn error(self) -> IngestError {
        match self {
            Self::NoCredentials | Self::WrongToken => IngestError::Unauthorised,
            Self::UnknownStream => IngestError::UnknownStream,
            Self::TooMany => IngestError::TooMany,
        }
    }
}

/// Encoders without a known stream that are logged at most.
const STRANGERS_LOGGED_MAX: u64 = 64;

/// What the registry is made of.
pub(crate) struct RegistryConfig {
    /// Each loop's zone, by loop id.
    pub(crate) loops: Vec<ZoneId>,
    pub(crate) open_token: Option<TokenHash>,
    pub(crate) streams_max: u32,
    /// Ring memory of a track of a stream that an encoder makes.
    pub(crate) open_ring_bytes: u32,
    /// Tells this run of the daemon from others in every ETag.
    pub(crate) epoch: u64,
}

/// What a change did: the streams that are to be closed by their owners.
pub(crate) struct Changed {
    pub(crate) closed: Vec<Arc<Stream>>,
    pub(crate) added: usize,
}

/// Where streams live.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Homes {
    /// Another one after any change of which streams there are.
    pub version: u64,
    /// Streams' ids and their home zones, unordered.
    pub zones: Vec<(Arc<str>, u16)>,
}

/// See the module's description.
pub(crate) struct Registry {
    streams: ArcSwap<Streams>,
    /// Counts changes of `streams`.
    version: AtomicU64,
    inner: Mutex<Inner>,
    /// Encoders turned away that asked for no known stream.
    strangers: AtomicU64,
}

struct Inner {
    config: RegistryConfig,
    /// Of objects, in all streams.
    generations: Arc<AtomicU64>,
    saved: Saved,
}

impl Registry {
    pub(crate) fn new(config: RegistryConfig, streams: &[StreamConfig], saved: Saved) -> Self {
        let registry = Self {
            streams: ArcSwap::default(),
            version: AtomicU64::new(0),
            inner: Mutex::new(Inner {
                config,
                generations: Arc::default(),
                saved,
            }),
            strangers: AtomicU64::new(0),
        };
        let inner = registry.lock();
        let mut made = Streams::new();
        for settings in streams {
            inner.make(&mut made, settings.clone(), false);
        }
        registry.publish(made);
        drop(inner);
        registry
    }

    /// The streams just now.
    pub(crate) fn streams(&self) -> Guard<Arc<Streams>> {
        self.streams.load()
    }

    /// Counts changes of which streams there are.
    pub(crate) fn version(&self) -> u64 {
        self.version.load(Ordering::Acquire)
    }

    /// Where every stream lives.
    pub(crate) fn homes(&self) -> Homes {
        // Before the streams are looked at: who finds this version again has seen at least these.
        let version = self.version();
        let streams = self.streams.load();
        let zones = streams
            .iter()
            .map(|(id, stream)| (id.clone(), stream.zone.0));
        Homes {
            version,
            zones: zones.collect(),
        }
    }

    fn publish(&self, streams: Streams) {
        self.streams.store(Arc::new(streams));
        self.version.fetch_add(1, Ordering::Release);
    }

    /// Notes that an encoder was turned away: with its stream, or in the log where there is
    /// none (a few times; anybody can ask for streams that do not exist).
    pub(crate) fn complain(&self, id: &str, refusal: Refusal, path: &str) {
        if let Some(stream) = self.streams.load().get(id) {
            return stream.complain(refusal.error(), path);
        }
        let told = self.strangers.fetch_add(1, Ordering::Relaxed);
        if told < STRANGERS_LOGGED_MAX {
            let reason = refusal.error().as_str();
            tracing::warn!(stream = id, path, reason, "an encoder was turned away");
        }
    }

    /// The stream that the holder of `token` may upload to, made if the token makes streams.
    pub(crate) fn authorise(&self, id: &str, token: Option<&[u8]>) -> Result<Arc<Stream>, Refusal> {
        let token = token.ok_or(Refusal::NoCredentials)?;
        let inner = self.lock();
        let streams = self.streams.load_full();
        let stream = streams.get(id);
        let wanted = stream
            .and_then(|s| s.settings.load().token)
            .or(inner.config.open_token);
        let wanted = wanted.ok_or(if stream.is_some() {
            Refusal::WrongToken
        } else {
            Refusal::UnknownStream
        })?;
        let given: [u8; 32] = Sha256::digest(token).into();
        if !bool::from(given.ct_eq(&wanted.0)) {
            return Err(if stream.is_some() {
                Refusal::WrongToken
            } else {
                Refusal::UnknownStream
            });
        }
        if let Some(stream) = stream {
            return Ok(stream.clone());
        }
        if streams.len() >= inner.config.streams_max as usize {
            return Err(Refusal::TooMany);
        }
        let mut streams = Streams::clone(&streams);
        let ring_bytes = inner.config.open_ring_bytes;
        let settings = StreamConfig {
            ring_bytes,
            ..StreamConfig::named(id)
        };
        let stream = inner.make(&mut streams, settings, true);
        self.publish(streams);
        Ok(stream)
    }

    /// Takes a stream that an encoder made, and left, out.
    pub(crate) fn remove(&self, stream: &Arc<Stream>) {
        let mut inner = self.lock();
        inner.saved.replace(&stream.id, Vec::new());
        let mut streams = Streams::clone(&self.streams.load());
        if streams
            .get(&stream.id)
            .is_some_and(|s| Arc::ptr_eq(s, stream))
        {
            streams.remove(&stream.id);
            self.publish(streams);
        }
    }

    /// Takes a new configuration over: streams that stay keep their rings, unless their home
    /// zone changes.
    pub(crate) fn reload(&self, reload: &Reload) -> Changed {
        let mut inner = self.lock();
        inner.config.open_token = reload.open_token;
        inner.config.streams_max = reload.streams_max;
        let old = self.streams.load_full();
        let mut streams = Streams::new();
        let mut added = 0;
        for (id, stream) in old
            .iter()
            .filter(|(_, s)| s.by_encoder && reload.open_token.is_some())
        {
            streams.insert(id.clone(), stream.clone());
        }
        inner.keep_of(&old, reload);
        for settings in &reload.streams {
            match old.get(settings.id.as_str()) {
                Some(stream) if stream.stays_in(settings.zone) => {
                    stream.settings.store(Arc::new(settings.clone()));
                    streams.insert(stream.id.clone(), stream.clone());
                }
                _ => {
                    inner.make(&mut streams, settings.clone(), false);
                    added += 1;
                }
            }
        }
        let stays = |s: &Arc<Stream>| streams.get(&s.id).is_some_and(|n| Arc::ptr_eq(n, s));
        let mut closed: Vec<_> = old.values().filter(|s| !stays(s)).cloned().collect();
        closed.sort_unstable_by_key(|stream| stream.number);
        self.publish(streams);
        Changed { closed, added }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    /// What encoders sent only once to a stream that is closed now, or moves, is what it has when
    /// it is made again.
    fn keep_of(&mut self, old: &Streams, reload: &Reload) {
        for (id, stream) in old {
            let settings = reload.streams.iter().find(|settings| **id == *settings.id);
            let stays = match settings {
                Some(settings) => stream.stays_in(settings.zone),
                None => stream.by_encoder && reload.open_token.is_some(),
            };
            if stays {
                continue;
            }
            let kept = if stream.by_encoder {
                // Anybody with the token makes as many as he likes, one after another.
                Vec::new()
            } else {
                stream.sent_once()
            };
            self.saved.replace(id, kept);
        }
    }

    fn make(&self, streams: &mut Streams, settings: StreamConfig, by_encoder: bool) -> Arc<Stream> {
        let owner = self.place(streams, settings.zone.map(ZoneId));
        let zone = self.config.loops[usize::from(owner.0)];
        let loops = self.config.loops.len();
        let pinned = self.saved.of(&settings.id);
        let tags = (self.config.epoch, self.generations.clone());
        let stream = Stream::new(settings, by_encoder, zone, owner, loops, tags);
        stream.take_over(pinned);
        let stream = Arc::new(stream);
        streams.insert(stream.id.clone(), stream.clone());
        stream
    }

    /// The loop with the fewest streams in the wanted, or the least loaded, zone.
    fn place(&self, streams: &Streams, wanted: Option<ZoneId>) -> LoopId {
        let owned = |id: usize| {
            streams
                .values()
                .filter(|s| usize::from(s.owner.0) == id)
                .count()
        };
        let in_zone = |zone: ZoneId| streams.values().filter(|s| s.zone == zone).count();
        let loops = self.config.loops.iter().enumerate();
        let allowed = loops.filter(|(_, zone)| wanted.is_none_or(|w| w == **zone));
        let best = allowed.min_by_key(|(id, zone)| (in_zone(**zone), owned(*id), *id));
        LoopId(best.map_or(0, |(id, _)| id as u16))
    }
}

#[cfg(test)]
mod tests {
    use zonecast_proto::kind::Kind;

    use super::*;
    use crate::stream::Entry;

    fn registry(open: bool) -> Registry {
        let config = RegistryConfig {
            loops: vec![ZoneId(0), ZoneId(0), ZoneId(1)],
            open_token: open.then(|| TokenHash(Sha256::digest(b"open").into())),
            streams_max: 4,
            open_ring_bytes: 1 << 20,
            epoch: 7,
        };
        let mut news = StreamConfig::named("news");
        news.token = Some(TokenHash(Sha256::digest(b"secret").into()));
        let mut sport = StreamConfig::named("sport");
        sport.zone = Some(0);
        Registry::new(config, &[news, sport], Saved::default())
    }

    /// Each stream has its own token; the open one makes streams, up to the limit.
    #[test]
    fn tokens_decide() {
        let registry = registry(true);
        let verdict = |id, token: Option<&str>| {
            registry
                .authorise(id, token.map(str::as_bytes))
                .map(|s| s.id.to_string())
        };
        assert_eq!(verdict("news", Some("secret")), Ok("news".into()));
        assert_eq!(verdict("news", Some("open")), Err(Refusal::WrongToken));
        assert_eq!(verdict("news", None), Err(Refusal::NoCredentials));
        assert_eq!(verdict("sport", Some("open")), Ok("sport".into()));
        assert_eq!(verdict("a", Some("secret")), Err(Refusal::UnknownStream));
        assert_eq!(verdict("a", Some("open")), Ok("a".into()));
        assert_eq!(verdict("b", Some("open")), Ok("b".into()));
        assert_eq!(verdict("c", Some("open")), Err(Refusal::TooMany));
        assert_eq!(verdict("b", Some("open")), Ok("b".into()));
    }

    /// Without an open token nobody makes a stream.
    #[test]
    fn a_closed_listener_makes_none() {
        let refusal = registry(false).authorise("a", Some(b"open")).err();
        assert_eq!(refusal, Some(Refusal::UnknownStream));
    }

    /// Streams spread over zones first, then over the loops of a zone.
    #[test]
    fn streams_spread() {
        let registry = registry(true);
        for id in ["a", "b"] {
            registry.authorise(id, Some(b"open")).expect("allowed");
        }
        let streams = registry.streams();
        let mut owners: Vec<u16> = streams.values().map(|s| s.owner.0).collect();
        owners.sort_unstable();
        assert_eq!(owners.iter().filter(|o| **o == 2).count(), 2);
        assert_eq!(owners[..2], [0, 1]);
    }

    /// A stream that moves, or is closed and comes back, has what was pinned last: neither what
    /// an earlier run of the daemon saved, nor nothing.
    #[test]
    fn what_is_sent_once_moves_along() {
        let init = |body: &str| {
            let body: Arc<[u8]> = body.as_bytes().into();
            vec![(Arc::from("init.mp4"), Kind::Mp4, body)]
        };
        let registry = registry(true);
        registry.lock().saved.replace("sport", init("old"));
        let reload = |streams| {
            drop(registry.reload(&Reload {
                streams,
                open_token: None,
                streams_max: 4,
                certificates: None,
            }));
        };
        let body = || {
            let streams = registry.streams();
            let index = streams["sport"].index.load();
            let Some(Entry::Pinned(pinned)) = index.get("init.mp4") else {
                return None;
            };
            Some(String::from_utf8_lossy(&pinned.body).into_owned())
        };
        let sport = |zone| StreamConfig {
            zone: Some(zone),
            ..StreamConfig::named("sport")
        };
        reload(vec![sport(1)]);
        registry.streams()["sport"].take_over(init("\0\0\0\x10ftypnew"));
        reload(vec![sport(0)]);
        assert_eq!(body().as_deref(), Some("\0\0\0\x10ftypnew"));
        reload(Vec::new());
        reload(vec![sport(0)]);
        assert_eq!(body().as_deref(), Some("\0\0\0\x10ftypnew"));
    }

    /// A reload keeps what stays, closes what is gone, and moves what changes its zone.
    #[test]
    fn reload_keeps_and_closes() {
        let registry = registry(true);
        let made = registry.authorise("made", Some(b"open")).expect("allowed");
        let news = registry.streams()["news"].clone();
        let mut moved = StreamConfig::named("sport");
        moved.zone = Some(1);
        let changed = registry.reload(&Reload {
            streams: vec![StreamConfig::named("news"), moved],
            open_token: Some(TokenHash([0; 32])),
            streams_max: 4,
            certificates: None,
        });
        assert_eq!(
            changed.closed.iter().map(|s| &*s.id).collect::<Vec<_>>(),
            ["sport"]
        );
        assert_eq!(changed.added, 1);
        let streams = registry.streams();
        assert!(Arc::ptr_eq(&streams["news"], &news) && Arc::ptr_eq(&streams["made"], &made));
        assert_eq!(streams["sport"].zone, ZoneId(1));
    }
}
