//! Producers: each makes one track in real time and uploads it as it is made.
//!
//! A segment is sent in equal slices over its duration, and its playlist behind it; the tracks'
//! phases are spread over a segment's duration, so that they do not all end at once.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::ClientConfig;

use super::spec::{ProduceSpec, Sink};
use super::upload::Wire;
use crate::LoadError;
use crate::channel::{Came, Channel, Room};
use crate::poll::{Poll, Ready, Wait};
use crate::socket;

const TURN_MAX: Duration = Duration::from_millis(50);

/// What producers came to.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Uploaded {
    /// Segments that were handed over whole.
    pub segments: u64,
    /// Segments and playlists that the server has confirmed.
    pub answers: u64,
    /// Bytes of segments.
    pub bytes: u64,
    /// Slices that were due while the connection had not taken all of the one before.
    pub behind: u64,
    /// Connections that broke or were refused, with one of the reasons.
    pub broken: u64,
    /// Why one of them broke.
    pub broken_how: Option<String>,
}

struct Connection {
    channel: Channel,
    connected: bool,
    answers: Vec<u8>,
    watched: Wait,
}

/// The producer of a track.
struct Feed {
    track: usize,
    connection: Option<Connection>,
    /// The segment and the slice of it that are next.
    number: u64,
    slice: u32,
}

/// See the module's description.
pub struct Encoders {
    spec: ProduceSpec,
    wire: Wire,
    poll: Poll,
    feeds: Vec<Feed>,
    /// When each feed's next slice is due.
    due: BinaryHeap<Reverse<(Instant, usize)>>,
    began: Instant,
    room: Room,
    uploaded: Uploaded,
}

impl Encoders {
    /// Producers whose time begins now; what is preloaded is sent as soon as they run.
    ///
    /// # Errors
    /// The system has no epoll left.
    pub fn new(spec: ProduceSpec) -> Result<Encoders, LoadError> {
        let began = Instant::now();
        let count = spec.media.tracks.len();
        let wire = match &spec.sink {
            Sink::Http { token, .. } => Wire::http(token.as_deref()),
            Sink::Redis { .. } | Sink::Files(_) => Wire::Redis,
        };
        let feed = |track| Feed {
            track,
            connection: None,
            number: spec.first,
            slice: 0,
        };
        Ok(Encoders {
            wire,
            poll: Poll::new()?,
            feeds: (0..count).map(feed).collect(),
            due: (0..count).map(|feed| Reverse((began, feed))).collect(),
            began,
            room: Room::new(),
            uploaded: Uploaded::default(),
            spec,
        })
    }

    /// Goes on until then.
    ///
    /// # Errors
    /// Files cannot be written, or the system refuses something that is not one producer's.
    pub fn run(&mut self, until: Instant) -> Result<(), LoadError> {
        let mut ready = Vec::new();
        loop {
            let now = Instant::now();
            if now >= until {
                return Ok(());
            }
            let next = self.produce(now)?;
            let next = next.min(until).min(now + TURN_MAX);
            ready.clear();
            let patience = next.saturating_duration_since(Instant::now());
            self.poll.wait(patience, &mut ready)?;
            for &event in &ready {
                if let Err(error) = self.further(event) {
                    self.broke(event.token, &error);
                }
            }
        }
    }

    /// What came since this was last called.
    pub fn take(&mut self) -> Uploaded {
        std::mem::take(&mut self.uploaded)
    }

    /// Sends every slice that is due; when the next one is.
    fn produce(&mut self, now: Instant) -> Result<Instant, LoadError> {
        while let Some(&Reverse((due, feed))) = self.due.peek() {
            if due > now {
                return Ok(due);
            }
            self.due.pop();
            match self.slice(feed) {
                Ok(()) => {}
                Err(error) if matches!(self.spec.sink, Sink::Files(_)) => {
                    let what = "a segment's file";
                    return Err(LoadError::System { what, error });
                }
                Err(error) => self.broke(feed, &error),
            }
            let next = self.next_due(feed);
            self.due.push(Reverse((next, feed)));
        }
        Ok(now + TURN_MAX)
    }

    /// When a feed's next slice is complete.
    fn next_due(&self, feed: usize) -> Instant {
        let Feed { number, slice, .. } = self.feeds[feed];
        let spec = &self.spec;
        let Some(live) = number.checked_sub(spec.first + spec.preload) else {
            return self.began;
        };
        let each = spec.media.duration;
        let phase = each.mul_f64(feed as f64 / self.feeds.len().max(1) as f64);
        let within = each.mul_f64(f64::from(slice + 1) / f64::from(spec.slices.max(1)));
        self.began + phase + each.mul_f64(live as f64) + within
    }

    /// Hands over one slice of a segment; behind the last one, the playlist.
    fn slice(&mut self, index: usize) -> io::Result<()> {
        self.connect(index)?;
        let Encoders {
            spec,
            wire,
            feeds,
            uploaded,
            poll,
            ..
        } = self;
        let feed = &mut feeds[index];
        let (track, number) = (feed.track, feed.number);
        let (size, slices) = (spec.media.size(track), u64::from(spec.slices.max(1)));
        let whole = number < spec.first + spec.preload;
        let place = |slice: u64| (size as u64 * slice / slices) as usize;
        let (from, to) = match whole {
            true => (0, size),
            false => (place(feed.slice.into()), place(u64::from(feed.slice) + 1)),
        };
        let ends = to == size;
        let mut bytes = Vec::new();
        let files = matches!(spec.sink, Sink::Files(_));
        if from == 0 && !files {
            wire.begin(&spec.media.path(track, number), size, &mut bytes);
        }
        // A file is written at its end, as a whole.
        match (files, ends) {
            (true, false) => {}
            (true, true) => spec.media.append(track, number, 0, size, &mut bytes),
            (false, _) => spec.media.append(track, number, from, to, &mut bytes),
        }
        if ends && !files {
            wire.end(&mut bytes);
        }
        let now = Instant::now();
        if let Some(board) = &spec.board {
            if from == 0 {
                board.began(track, number, now);
            }
            if ends {
                board.ends(track, number, now);
            }
        }
        (feed.number, feed.slice) = match ends {
            true => (number + 1, 0),
            false => (number, feed.slice + 1),
        };
        let mut text = Vec::new();
        if ends {
            uploaded.segments += 1;
            uploaded.bytes += size as u64;
            let oldest = (number + 1).saturating_sub(spec.listed).max(spec.first);
            let listed = spec.media.playlist(oldest, number);
            let path = &spec.media.tracks[track].playlist;
            match &spec.sink {
                Sink::Files(folder) => {
                    appear(folder, &spec.media.path(track, number), &bytes)?;
                    appear(folder, path, listed.as_bytes())?;
                    forget(folder, &spec.media, track, number, spec.listed);
                    return Ok(());
                }
                Sink::Http { .. } | Sink::Redis { .. } => {
                    wire.begin(path, listed.len(), &mut text);
                    text.extend_from_slice(listed.as_bytes());
                    wire.end(&mut text);
                }
            }
        }
        if let Some(connection) = &mut feed.connection {
            if connection.channel.wants_write() && connection.connected {
                uploaded.behind += 1;
            }
            bytes.extend_from_slice(&text);
            if connection.connected && !connection.channel.is_shaking() {
                connection.channel.send(&bytes)?;
            } else {
                connection.channel.hold(&bytes)?;
            }
            watch(poll, connection, index)?;
        }
        Ok(())
    }

    /// Makes sure that there is a connection, at the beginning of a segment.
    fn connect(&mut self, index: usize) -> io::Result<()> {
        let (target, tls): (SocketAddr, &Option<Arc<ClientConfig>>) = match &self.spec.sink {
            Sink::Files(_) => return Ok(()),
            Sink::Http { targets, tls, .. } | Sink::Redis { targets, tls } => {
                (targets[index % targets.len().max(1)], tls)
            }
        };
        let feed = &mut self.feeds[index];
        if feed.connection.is_some() {
            return Ok(());
        }
        let channel = Channel::start(target, tls.as_ref(), None)?;
        let added = self.poll.add(channel.socket(), index, Wait::Writable);
        added.map_err(io::Error::other)?;
        feed.connection = Some(Connection {
            channel,
            connected: false,
            answers: Vec::new(),
            watched: Wait::Writable,
        });
        Ok(())
    }

    fn further(&mut self, event: Ready) -> io::Result<()> {
        let Some(connection) = &mut self.feeds[event.token].connection else {
            return Ok(());
        };
        if !connection.connected {
            if !event.writable {
                return Ok(());
            }
            socket::connected(connection.channel.socket())?;
            connection.connected = true;
        }
        connection.channel.flush()?;
        if event.readable {
            let answers = &mut connection.answers;
            let came = connection.channel.receive(&mut self.room, |came| {
                answers.extend_from_slice(came);
                Ok(())
            })?;
            if came == Came::End {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            let answered = self.wire.answers(&mut connection.answers);
            self.uploaded.answers += answered.map_err(io::Error::other)?;
            connection.channel.flush()?;
        }
        watch(&self.poll, connection, event.token)
    }

    /// A producer whose connection broke begins its next segment on a new one.
    fn broke(&mut self, index: usize, error: &io::Error) {
        let uploaded = &mut self.uploaded;
        uploaded.broken += 1;
        uploaded.broken_how.get_or_insert(error.to_string());
        let feed = &mut self.feeds[index];
        feed.connection = None;
        if feed.slice > 0 {
            (feed.number, feed.slice) = (feed.number + 1, 0);
        }
    }
}

/// Waits for what a connection needs.
fn watch(poll: &Poll, connection: &mut Connection, token: usize) -> io::Result<()> {
    let wait = match connection.channel.wants_write() || !connection.connected {
        true => Wait::Writable,
        false => Wait::Readable,
    };
    if wait != connection.watched {
        let modified = poll.modify(connection.channel.socket(), token, wait);
        modified.map_err(io::Error::other)?;
        connection.watched = wait;
    }
    Ok(())
}

/// Writes a file so that it is there at once with its whole content.
fn appear(folder: &Path, path: &str, bytes: &[u8]) -> io::Result<()> {
    let path = folder.join(path.trim_start_matches('/'));
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let new = path.with_extension("new");
    fs::write(&new, bytes)?;
    fs::rename(new, path)
}

/// Removes the file of a segment that has not been listed for long.
fn forget(folder: &Path, media: &super::Media, track: usize, number: u64, listed: u64) {
    if let Some(old) = number.checked_sub(listed + 3) {
        let path = media.path(track, old);
        // It may never have been written.
        let _ = fs::remove_file(folder.join(path.trim_start_matches('/')));
    }
}
