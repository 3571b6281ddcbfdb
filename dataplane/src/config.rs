//! What a data plane is told at its start and on a reload.
//!
//! Plain, already valid values: reading files, units and key names is the daemon's work,
//! which documents every key and its default. The defaults here are the same ones.

use std::net::{IpAddr, SocketAddr};
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use zonecast_numa::zones::Zone;

use crate::tls::CertificateStore;

/// Everything a [`crate::Dataplane`] needs to start.
pub struct Config {
    /// The zones, in the order of their ids; at least one, each with at least one loop CPU.
    pub zones: Vec<Zone>,
    /// Memory of each zone's rings.
    pub memory: MemoryConfig,
    /// Where viewers connect.
    pub listeners: Vec<ListenerConfig>,
    /// Where encoders connect, and what they may do.
    pub ingest: IngestConfig,
    /// Streams known from the start.
    pub streams: Vec<StreamConfig>,
    /// Limits and times of the whole data plane.
    pub limits: Limits,
    /// The certificates of every TLS listener; `None` where no listener has TLS.
    pub certificates: Option<CertificateStore>,
    /// Folder of the pinned objects that outlive a restart; `None` keeps nothing.
    pub state_dir: Option<PathBuf>,
    /// Hosts that lead to zones.
    pub redirects: Redirects,
    /// Listening sockets of an earlier daemon: those at an address of this one go on here, and who waits in
    /// their backlogs is accepted. Others are closed.
    pub inherited: Vec<OwnedFd>,
    /// What loops tell whoever steers viewers; `None`: nobody asks.
    pub steering_board: Option<Arc<dyn SteeringBoard>>,
}

/// Hosts that misplaced viewers are sent to, each with a port where that is not the scheme's own. Visible
/// ASCII without slashes; without any nobody is sent anywhere.
#[derive(Clone, Debug, Default)]
pub struct Redirects {
    /// By zone.
    pub zones: Vec<Option<String>>,
    /// What stands before and after a stream's id in the name of its host. Goes before the zone's, where
    /// the id is a label of a host name.
    pub stream: Option<(String, String)>,
}

impl Redirects {
    /// The host of a stream, where its id is a label of a host name: that is what a certificate's wildcard
    /// covers.
    #[must_use]
    pub fn stream_host(&self, id: &str) -> Option<String> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        let is_label =
            id.len() <= 63 && id.bytes().all(plain) && !id.starts_with('-') && !id.ends_with('-');
        let (before, after) = self.stream.as_ref().filter(|_| is_label)?;
        Some(format!("{before}{id}{after}"))
    }

    /// Whether nobody is sent anywhere.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.stream.is_none() && self.zones.iter().all(Option::is_none)
    }
}

/// What loops tell whoever steers new viewers to one of them.
pub trait SteeringBoard: Send + Sync {
    /// A loop has so many viewers now, and has had so many in all. Called by that loop alone, for every
    /// viewer that comes or goes.
    fn publish(&self, loop_id: u16, viewers: u32, accepted: u64);

    /// A viewer who came to an address asks for a stream of another zone than his loop's. Called by any
    /// loop, once a connection, where both ends of it are known.
    fn misplaced(&self, viewer: IpAddr, address: SocketAddr, home: u16);
}

/// Memory of one zone.
#[derive(Clone, Copy, Debug)]
pub struct MemoryConfig {
    /// Bytes of ring memory in each zone.
    pub arena_bytes: u64,
    /// The best page size to try.
    pub pages: zonecast_numa::PageKind,
}

/// The address of a listener.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ListenAddress {
    /// A TCP address; port 0 takes a free one.
    Tcp(SocketAddr),
    /// A Unix stream socket.
    Unix(PathBuf),
}

/// One place where viewers connect.
#[derive(Clone, Debug)]
pub struct ListenerConfig {
    /// Its name in logs and metrics.
    pub name: String,
    /// Where it listens.
    pub address: ListenAddress,
    /// Whether viewers speak TLS here.
    pub tls: bool,
    /// Whether the kernel seals what viewers are sent, where it can (kTLS).
    pub kernel_tls: bool,
    /// TLS 1.2 only, so that a network card can seal it: mainline kernels hand cards no TLS 1.3. Counts
    /// only with `kernel_tls`.
    pub nic_tls12: bool,
    /// Only this zone's loops accept here; `None`: all loops do.
    pub zone: Option<u16>,
    /// What a connection of this listener may take.
    pub limits: ConnectionLimits,
}

/// What the connections of one listener may take.
#[derive(Clone, Copy, Debug)]
pub struct ConnectionLimits {
    /// Connections at most, over all loops; one more is reset and counted.
    pub connections_max: u32,
    /// A TLS handshake may take this long.
    pub handshake_timeout: Duration,
    /// A request head may take this long from its first byte (408).
    pub header_timeout: Duration,
    /// A connection may be quiet this long between requests.
    pub idle_timeout: Duration,
    /// A whole response may take this long.
    pub request_timeout: Duration,
    /// A response that takes more than ten seconds must average this many bytes a second.
    pub rate_min: u64,
    /// Bytes of a request head at most (431).
    pub head_bytes_max: u32,
}

impl Default for ConnectionLimits {
    fn default() -> Self {
        Self {
            connections_max: 10_000,
            handshake_timeout: Duration::from_secs(10),
            header_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(60),
            request_timeout: Duration::from_secs(120),
            rate_min: 8 << 10,
            head_bytes_max: 8 << 10,
        }
    }
}

/// SHA-256 of a token; the token itself is never kept.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct TokenHash(pub [u8; 32]);

impl std::fmt::Debug for TokenHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TokenHash(..)")
    }
}

/// Where encoders connect, and what they may do.
#[derive(Clone, Debug)]
pub struct IngestConfig {
    /// Where it listens; several addresses may be given.
    pub addresses: Vec<ListenAddress>,
    /// Whether encoders speak TLS.
    pub tls: bool,
    /// `Some`: whoever has this token creates a stream by its first PUT.
    pub open_token: Option<TokenHash>,
    /// Streams at most, configured ones included.
    pub streams_max: u32,
    /// An upload that is silent for this long is aborted.
    pub ingest_idle: Duration,
    /// What an encoder's connection may take.
    pub limits: ConnectionLimits,
}

/// One stream.
#[derive(Clone, Debug)]
pub struct StreamConfig {
    /// Its id: 1 to 64 of `A-Z a-z 0-9 . _ -`.
    pub id: String,
    /// Who may upload to it; `None` leaves it to the open token.
    pub token: Option<TokenHash>,
    /// Its home zone; `None` takes the least loaded one.
    pub zone: Option<u16>,
    /// Bytes of ring memory of each track.
    pub ring_bytes: u32,
    /// Tracks at most (503 for one more).
    pub tracks_max: u16,
    /// The encoder never uses a segment's name twice: segments may be cached as immutable.
    pub unique_names: bool,
}

impl StreamConfig {
    /// A stream called `id` with the defaults.
    #[must_use]
    pub fn named(id: &str) -> Self {
        Self {
            id: id.to_owned(),
            token: None,
            zone: None,
            ring_bytes: 64 << 20,
            tracks_max: 16,
            unique_names: false,
        }
    }
}

/// Limits and times of the whole data plane.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// A request for a segment that is not there yet waits this long for its upload to open.
    pub object_wait: Duration,
    /// Viewers waiting for objects of one stream at most, on one loop (503).
    pub waiting_per_stream_max: u32,
    /// Viewers waiting in all at most, on one loop (503).
    pub waiting_max: u32,
    /// Bytes of a pinned object at most (413).
    pub pinned_bytes_max: u32,
    /// Pinned objects of one stream at most (503).
    pub pinned_max: u32,
    /// Bytes of an object at most (413).
    pub object_bytes_max: u32,
    /// Bytes of a chunk at most.
    pub part_bytes: u32,
    /// A stream without an upload for this long gives its rings back.
    pub stream_idle: Duration,
    /// A deleted object stays readable for this many of its track's segment intervals.
    pub delete_grace_segments: u32,
    /// Steps of viewers' handshakes that a loop does in one turn; fewer while others wait.
    pub handshakes_per_turn: u32,
    /// Send buffers of a loop (64 KiB each).
    pub send_buffers: u32,
    /// Bytes that the kernel may hold for TCP sockets, of all processes, before new viewers are
    /// refused; 0: half of what it allows itself.
    pub socket_memory_max: u64,
    /// Ring memory that was lent to a network card is kept for this long after it was acknowledged;
    /// zero: nothing is lent, bytes are copied.
    pub nic_drain: Duration,
    /// A loop that is silent for this long is reported, and the process aborts.
    pub loop_stall: Duration,
    /// Ring memory of a stream that an encoder creates by its first PUT, a track.
    pub open_ring_bytes: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            object_wait: Duration::from_secs(1),
            waiting_per_stream_max: 10_000,
            waiting_max: 20_000,
            pinned_bytes_max: 1 << 20,
            pinned_max: 64,
            object_bytes_max: 32 << 20,
            part_bytes: 1 << 20,
            stream_idle: Duration::from_secs(600),
            delete_grace_segments: 3,
            handshakes_per_turn: 8,
            send_buffers: 512,
            socket_memory_max: 0,
            nic_drain: Duration::from_millis(500),
            loop_stall: Duration::from_secs(10),
            open_ring_bytes: 64 << 20,
        }
    }
}

/// What a running data plane takes over without a restart, all of it or nothing.
pub struct Reload {
    /// The streams as they are to be; one that is missing here is closed.
    pub streams: Vec<StreamConfig>,
    /// As [`IngestConfig::open_token`].
    pub open_token: Option<TokenHash>,
    /// As [`IngestConfig::streams_max`].
    pub streams_max: u32,
    /// As [`Config::certificates`].
    pub certificates: Option<CertificateStore>,
}
