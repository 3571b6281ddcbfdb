//! What a live load is to be.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;

use super::arrivals::Arrivals;
use super::board::Board;
use super::media::Media;

/// How segments are verified.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verify {
    /// They are those of the media: one viewer of so many compares every byte of all it gets,
    /// the others what they open (heads and what comes with them) and the length.
    Media(usize),
    /// Nobody knows them: one viewer of so many hashes all it gets, and the hashes of a path
    /// must be the same.
    Agreement(usize),
}

/// Viewers of a live origin.
#[derive(Debug, Clone)]
pub struct LiveSpec {
    /// The server.
    pub target: SocketAddr,
    /// What those who do not resume offer, and those who do (see [`super::clients`]). `None`:
    /// plain HTTP.
    pub tls: Option<[Arc<ClientConfig>; 2]>,
    /// What is watched.
    pub media: Arc<Media>,
    /// How it is verified.
    pub verify: Verify,
    /// Who comes when.
    pub arrivals: Vec<Arrivals>,
    /// A viewer begins with the segment that is so many from the end of its first playlist.
    pub behind: usize,
    /// A viewer plays so long after its first segment is there.
    pub cushion: Duration,
    /// A viewer that has no segment yet is late after this time.
    pub start_within: Duration,
    /// Ask for the next segment before it is listed, and again so long after a 404.
    pub ahead: Option<Duration>,
    /// So many percent of the viewers leave in a minute, and others come.
    pub churn: f64,
    /// So many percent of those that stay read at [`LiveSpec::slow_rate`].
    pub slow: f64,
    /// Bits a second of a slow reader.
    pub slow_rate: f64,
    /// Addresses of this machine to connect from, in turn; none: the system chooses.
    pub from: Vec<IpAddr>,
    /// When producers sent what, where they are in this process.
    pub board: Option<Arc<Board>>,
}

impl LiveSpec {
    /// Viewers over plain HTTP, one of sixteen verifying, three segments behind the end.
    #[must_use]
    pub fn new(target: SocketAddr, media: Arc<Media>, arrivals: Vec<Arrivals>) -> LiveSpec {
        LiveSpec {
            target,
            tls: None,
            media,
            verify: Verify::Media(16),
            arrivals,
            behind: 3,
            cushion: Duration::ZERO,
            start_within: Duration::from_secs(10),
            ahead: None,
            churn: 0.0,
            slow: 0.0,
            slow_rate: 0.0,
            from: Vec::new(),
            board: None,
        }
    }
}

/// Where producers put what they make.
#[derive(Debug, Clone)]
pub enum Sink {
    /// PUT on one kept connection for each track.
    Http {
        /// The servers: a track's is the one with its number, in turn.
        targets: Vec<SocketAddr>,
        /// `None`: plain.
        tls: Option<Arc<ClientConfig>>,
        /// A bearer token.
        token: Option<String>,
    },
    /// PUBLISH to Redis, on one connection for each track; the channel is the path.
    Redis {
        /// Redis, or what speaks TLS for it: a track's is the one with its number, in turn.
        targets: Vec<SocketAddr>,
        /// `None`: plain.
        tls: Option<Arc<ClientConfig>>,
    },
    /// Files below a folder, each there at once with its whole content.
    Files(PathBuf),
}

/// Producers: one for each track of the media.
#[derive(Debug, Clone)]
pub struct ProduceSpec {
    /// Where to.
    pub sink: Sink,
    /// What.
    pub media: Arc<Media>,
    /// Each segment is sent in so many equal parts, evenly over its duration.
    pub slices: u32,
    /// Segments that a playlist lists.
    pub listed: u64,
    /// The number of the first segment. Names that a server has had before are best not used again.
    pub first: u64,
    /// Segments that are sent at once in the beginning, so that viewers need not wait.
    pub preload: u64,
    /// Noted here.
    pub board: Option<Arc<Board>>,
}
