//! What every loop counts, and the sums by zone that the control plane shows.
//!
//! Each loop owns one [`LoopCounters`] and is the only one that adds to it, so adding is a
//! plain load and store on a cache line of its own; readers sum over the loops.

mod ledger;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use zonecast_numa::ZoneId;

use crate::egress::EgressZone;
pub use ledger::BytesRow;
use ledger::Ledger;

/// The way a delivered byte took, best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum BytePath {
    /// Records sealed by the network card.
    NicKtls,
    /// Records sealed by the kernel.
    Ktls,
    /// Set up on the network card, sealed by the kernel since.
    KtlsFallback,
    /// Records sealed by our own record layer.
    UserspaceTls,
    /// No TLS.
    Plain,
}

impl BytePath {
    /// Every path, best first.
    pub const ALL: [Self; 5] = [
        Self::NicKtls,
        Self::Ktls,
        Self::KtlsFallback,
        Self::UserspaceTls,
        Self::Plain,
    ];

    /// The name in metrics and logs.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NicKtls => "nic_ktls",
            Self::Ktls => "ktls",
            Self::KtlsFallback => "ktls_fallback",
            Self::UserspaceTls => "userspace_tls",
            Self::Plain => "plain",
        }
    }
}

/// Why an upload (or a part of one) was not taken, or taken with a complaint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum IngestError {
    /// No credentials, or wrong ones.
    Unauthorised,
    /// The stream is not configured and the listener does not create streams.
    UnknownStream,
    /// One stream, track or pinned object more than allowed.
    TooMany,
    /// A Content-Type that is present and not allowed.
    ContentType,
    /// A body larger than allowed.
    TooLarge,
    /// A segment whose init segment is not known (taken all the same).
    NoInit,
    /// The ring has no room that is free.
    NoRoom,
    /// The connection ended, or was reset, before the final chunk.
    Cut,
    /// Silent for longer than `ingest_idle`.
    Idle,
    /// Not HTTP, or framing that is not allowed.
    BadRequest,
    /// The TLS handshake or a record failed.
    Tls,
}

impl IngestError {
    /// Every reason.
    pub const ALL: [Self; 11] = [
        Self::Unauthorised,
        Self::UnknownStream,
        Self::TooMany,
        Self::ContentType,
        Self::TooLarge,
        Self::NoInit,
        Self::NoRoom,
        Self::Cut,
        Self::Idle,
        Self::BadRequest,
        Self::Tls,
    ];

    /// The name in metrics, logs and `/streams`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unauthorised => "unauthorised",
            Self::UnknownStream => "unknown_stream",
            Self::TooMany => "too_many",
            Self::ContentType => "content_type",
            Self::TooLarge => "too_large",
            Self::NoInit => "no_init",
            Self::NoRoom => "no_room",
            Self::Cut => "cut",
            Self::Idle => "idle",
            Self::BadRequest => "bad_request",
            Self::Tls => "tls",
        }
    }
}

/// The statuses that responses are counted by; any other is counted as the last.
pub const STATUSES: [u16; 25] = [
    200, 201, 204, 206, 304, 307, 400, 401, 403, 404, 405, 408, 410, 411, 412, 413, 414, 415, 416,
    417, 431, 501, 503, 505, 500,
];

/// A counter with one writer.
#[derive(Debug, Default)]
pub struct Count(AtomicU64);

impl Count {
    /// Adds `n`; only the owning loop may call it.
    pub fn add(&self, n: u64) {
        self.0.store(
            self.0.load(Ordering::Relaxed).wrapping_add(n),
            Ordering::Relaxed,
        );
    }

    /// Takes `n` off (a gauge); only the owning loop may call it.
    pub fn subtract(&self, n: u64) {
        self.add(n.wrapping_neg());
    }

    /// Replaces the value (a gauge); only the owning loop may call it.
    pub fn set(&self, n: u64) {
        self.0.store(n, Ordering::Relaxed);
    }

    /// The value as any thread sees it.
    #[must_use]
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// What one loop counts.
#[derive(Debug)]
#[repr(align(128))]
pub struct LoopCounters {
    /// The zone of the loop.
    pub zone: ZoneId,
    /// Viewer connections now.
    pub viewers: Count,
    /// Encoder connections now.
    pub encoders: Count,
    /// Viewers cut off, or answered 410, because the ring had passed them.
    pub viewers_lapped: Count,
    /// Full handshakes.
    pub handshakes_full: Count,
    /// Resumed handshakes.
    pub handshakes_resumed: Count,
    /// Handshakes that failed.
    pub handshakes_failed: Count,
    /// Connections reset because their listener was full.
    pub accepts_refused: Count,
    /// Viewers sent to a host of the zone that they should have asked.
    pub viewers_redirected: Count,
    /// Requests that were answered in another zone than their stream's.
    pub requests_misplaced: Count,
    /// Viewers waiting for an object, or for more of one, now.
    pub waiting: Count,
    /// Viewers cut for being too slow or silent.
    pub timeouts: Count,
    /// Send buffers in the pool now.
    pub buffers_free: Count,
    /// Sends of which the socket took only a part.
    pub sends_short: Count,
    /// Connections that the kernel has taken the sending side of.
    pub kernel_handovers: Count,
    /// Connections that it has refused, or would not give another key.
    pub kernel_refusals: Count,
    /// Connections that a network card has taken the sealing of.
    pub card_handovers: Count,
    /// Connections that were meant for a card and did not get onto one.
    pub card_refusals: Count,
    /// Connections that have left their card.
    pub card_fallbacks: Count,
    /// Bytes of rings that were lent to cards.
    pub card_lent_bytes: Count,
    /// Bytes that sockets left of their last sends, kept now.
    pub rest_bytes: Count,
    /// Turns of the loop (each at most one system call).
    pub turns: Count,
    /// Nanoseconds since the process's epoch at the last turn: the watchdog's pulse.
    pub pulse: Count,
    /// Responses by [`STATUSES`].
    pub responses: [Count; STATUSES.len()],
    /// Upload errors by [`IngestError::ALL`].
    pub ingest_errors: [Count; IngestError::ALL.len()],
    /// Body bytes taken from encoders.
    pub ingest_bytes: Count,
    /// Bytes to viewers.
    bytes: Ledger,
}

impl LoopCounters {
    /// Zeroes, for a loop of `zone` on a machine of `zones` zones, whose bytes should leave by `egress`.
    #[must_use]
    pub fn new(zone: ZoneId, zones: usize, egress: EgressZone) -> Arc<Self> {
        Arc::new(Self {
            zone,
            viewers: Count::default(),
            encoders: Count::default(),
            viewers_lapped: Count::default(),
            handshakes_full: Count::default(),
            handshakes_resumed: Count::default(),
            handshakes_failed: Count::default(),
            accepts_refused: Count::default(),
            viewers_redirected: Count::default(),
            requests_misplaced: Count::default(),
            waiting: Count::default(),
            timeouts: Count::default(),
            buffers_free: Count::default(),
            sends_short: Count::default(),
            kernel_handovers: Count::default(),
            kernel_refusals: Count::default(),
            card_handovers: Count::default(),
            card_refusals: Count::default(),
            card_fallbacks: Count::default(),
            card_lent_bytes: Count::default(),
            rest_bytes: Count::default(),
            turns: Count::default(),
            pulse: Count::default(),
            responses: Default::default(),
            ingest_errors: Default::default(),
            ingest_bytes: Count::default(),
            bytes: Ledger::new(zone, zones, egress),
        })
    }

    /// Counts `n` bytes handed to a viewer's socket; `ring` is the zone they lay in, and `egress` where
    /// they leave.
    pub fn add_bytes(&self, ring: Option<ZoneId>, egress: EgressZone, path: BytePath, n: u64) {
        self.bytes.add(ring, egress, path, n);
    }

    /// Counts one response.
    pub fn add_response(&self, status: u16) {
        let at = STATUSES
            .iter()
            .position(|s| *s == status)
            .unwrap_or(STATUSES.len() - 1);
        self.responses[at].add(1);
    }

    /// Counts one upload error.
    pub fn add_ingest_error(&self, error: IngestError) {
        self.ingest_errors[error as usize].add(1);
    }
}

/// The sums of one zone.
#[derive(Clone, Debug, Default)]
pub struct ZoneCounters {
    /// The zone.
    pub zone: u16,
    /// Loops of the zone.
    pub loops: u16,
    /// See [`LoopCounters::viewers`].
    pub viewers: u64,
    /// See [`LoopCounters::encoders`].
    pub encoders: u64,
    /// See [`LoopCounters::viewers_lapped`].
    pub viewers_lapped: u64,
    /// See [`LoopCounters::handshakes_full`].
    pub handshakes_full: u64,
    /// See [`LoopCounters::handshakes_resumed`].
    pub handshakes_resumed: u64,
    /// See [`LoopCounters::handshakes_failed`].
    pub handshakes_failed: u64,
    /// See [`LoopCounters::accepts_refused`].
    pub accepts_refused: u64,
    /// See [`LoopCounters::viewers_redirected`].
    pub viewers_redirected: u64,
    /// See [`LoopCounters::requests_misplaced`].
    pub requests_misplaced: u64,
    /// See [`LoopCounters::waiting`].
    pub waiting: u64,
    /// See [`LoopCounters::timeouts`].
    pub timeouts: u64,
    /// See [`LoopCounters::buffers_free`].
    pub send_buffers_free: u64,
    /// See [`LoopCounters::sends_short`].
    pub sends_short: u64,
    /// See [`LoopCounters::kernel_handovers`].
    pub kernel_handovers: u64,
    /// See [`LoopCounters::kernel_refusals`].
    pub kernel_refusals: u64,
    /// See [`LoopCounters::card_handovers`].
    pub card_handovers: u64,
    /// See [`LoopCounters::card_refusals`].
    pub card_refusals: u64,
    /// See [`LoopCounters::card_fallbacks`].
    pub card_fallbacks: u64,
    /// See [`LoopCounters::card_lent_bytes`].
    pub card_lent_bytes: u64,
    /// See [`LoopCounters::rest_bytes`].
    pub rest_bytes: u64,
    /// See [`LoopCounters::turns`].
    pub turns: u64,
    /// See [`LoopCounters::ingest_bytes`].
    pub ingest_bytes: u64,
    /// Whether a loop of the zone has no send buffer left, or the kernel holds too much for sockets.
    pub overloaded: bool,
    /// Bytes of the zone's arena.
    pub arena_bytes: u64,
    /// Of these, free.
    pub arena_free: u64,
    /// The arena's pages: `1GiB`, `2MiB`, `transparent` or `plain`.
    pub pages: String,
    /// Responses by status, zeroes left out.
    pub responses: Vec<(u16, u64)>,
}

/// All counters at one moment.
#[derive(Clone, Debug, Default)]
pub struct CounterSnapshot {
    /// By zone, in order.
    pub zones: Vec<ZoneCounters>,
    /// The byte-path ledger.
    pub bytes: Vec<BytesRow>,
    /// Upload errors by reason.
    pub ingest_errors: Vec<(&'static str, u64)>,
    /// What the kernel holds for TCP sockets, of all processes.
    pub socket_memory_bytes: u64,
    /// How much of it ends the taking of new viewers; 0: no limit.
    pub socket_memory_max: u64,
}

/// Sums `loops` by zone; the arena's figures are the caller's to add.
#[must_use]
pub fn snapshot(loops: &[Arc<LoopCounters>], zones: usize) -> CounterSnapshot {
    let mut sum = CounterSnapshot {
        zones: (0..zones)
            .map(|z| ZoneCounters {
                zone: z as u16,
                ..Default::default()
            })
            .collect(),
        ingest_errors: IngestError::ALL.iter().map(|e| (e.as_str(), 0)).collect(),
        ..CounterSnapshot::default()
    };
    for counters in loops {
        add_loop(&mut sum, counters);
    }
    sum
}

fn add_loop(sum: &mut CounterSnapshot, from: &LoopCounters) {
    for (total, count) in sum.ingest_errors.iter_mut().zip(&from.ingest_errors) {
        total.1 += count.get();
    }
    ledger::sum(&mut sum.bytes, from.bytes.rows());
    let zone = &mut sum.zones[usize::from(from.zone.0)];
    zone.loops += 1;
    zone.viewers += from.viewers.get();
    zone.encoders += from.encoders.get();
    zone.viewers_lapped += from.viewers_lapped.get();
    zone.handshakes_full += from.handshakes_full.get();
    zone.handshakes_resumed += from.handshakes_resumed.get();
    zone.handshakes_failed += from.handshakes_failed.get();
    zone.accepts_refused += from.accepts_refused.get();
    zone.viewers_redirected += from.viewers_redirected.get();
    zone.requests_misplaced += from.requests_misplaced.get();
    zone.waiting += from.waiting.get();
    zone.timeouts += from.timeouts.get();
    zone.send_buffers_free += from.buffers_free.get();
    zone.sends_short += from.sends_short.get();
    zone.kernel_handovers += from.kernel_handovers.get();
    zone.kernel_refusals += from.kernel_refusals.get();
    zone.card_handovers += from.card_handovers.get();
    zone.card_refusals += from.card_refusals.get();
    zone.card_fallbacks += from.card_fallbacks.get();
    zone.card_lent_bytes += from.card_lent_bytes.get();
    zone.rest_bytes += from.rest_bytes.get();
    zone.turns += from.turns.get();
    zone.ingest_bytes += from.ingest_bytes.get();
    zone.overloaded |= from.buffers_free.get() == 0 && from.turns.get() > 0;
    for (status, count) in STATUSES.iter().zip(&from.responses) {
        if count.get() > 0 {
            match zone.responses.iter_mut().find(|(s, _)| s == status) {
                Some(total) => total.1 += count.get(),
                None => zone.responses.push((*status, count.get())),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two loops of one zone and one of another add up by zone and by triple; of what leaves elsewhere
    /// than it should there are no zeroes.
    #[test]
    fn sums_by_zone_and_triple() {
        let loops = [0, 0, 1].map(|z| LoopCounters::new(ZoneId(z), 2, EgressZone::Zone(z)));
        let (own, other) = (EgressZone::Zone(0), EgressZone::Unknown);
        for (n, counters) in loops.iter().enumerate() {
            counters.viewers.add(1 + n as u64);
            counters.add_bytes(Some(ZoneId(1)), own, BytePath::Plain, 10);
            counters.add_bytes(Some(ZoneId(1)), other, BytePath::Plain, 1);
            counters.add_response(999);
        }
        loops[2].add_bytes(None, own, BytePath::UserspaceTls, 5);
        let sum = snapshot(&loops, 2);
        assert_eq!((sum.zones[0].viewers, sum.zones[1].viewers), (3, 3));
        assert_eq!((sum.zones[0].loops, sum.zones[1].loops), (2, 1));
        let bytes = |ring, zone, out, path| {
            let key = |r: &&BytesRow| (r.ring_zone, r.loop_zone, r.egress_zone, r.path);
            let row = sum.bytes.iter().find(|r| key(r) == (ring, zone, out, path));
            row.map(|row| row.bytes)
        };
        assert_eq!(bytes(Some(1), 0, own, BytePath::Plain), Some(20));
        assert_eq!(bytes(Some(1), 0, other, BytePath::Plain), Some(2));
        assert_eq!(bytes(Some(1), 1, own, BytePath::Plain), Some(10));
        assert_eq!(bytes(None, 1, own, BytePath::UserspaceTls), Some(5));
        assert_eq!(bytes(Some(0), 0, own, BytePath::Ktls), Some(0));
        assert_eq!(bytes(Some(0), 0, other, BytePath::Ktls), None);
        let all: u64 = sum.bytes.iter().map(|row| row.bytes).sum();
        assert_eq!(all, 38);
        assert_eq!(sum.zones[1].responses, [(500, 1)]);
    }
}
