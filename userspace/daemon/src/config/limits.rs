//! `[limits]`: limits and times of the whole data plane.

use zonecast_dataplane::Limits as DataplaneLimits;

use super::report::Report;
use super::streams::RING_MAX;
use crate::units::{Bytes, Time};

/// The table `[limits]`.
#[derive(Clone, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// A request for a segment that is not there yet waits this long for its upload to open.
    pub object_wait: Time,
    /// Viewers waiting for objects of one stream at most, on one loop.
    pub waiting_per_stream_max: u32,
    /// Viewers waiting in all at most, on one loop.
    pub waiting_max: u32,
    /// Bytes of a pinned object at most.
    pub pinned_bytes_max: Bytes,
    /// Pinned objects of one stream at most.
    pub pinned_max: u32,
    /// Bytes of an object at most.
    pub object_bytes_max: Bytes,
    /// Bytes of a chunk at most.
    pub part_bytes: Bytes,
    /// A stream without an upload for this long gives its rings back.
    pub stream_idle: Time,
    /// A deleted object stays readable for this many segments.
    pub delete_grace_segments: u32,
    /// Steps of viewers' handshakes that a loop does in one turn; fewer while others wait.
    pub handshakes_per_turn: u32,
    /// Send buffers of a loop, 64 KiB each.
    pub send_buffers: u32,
    /// Bytes that the kernel may hold for TCP sockets before new viewers are refused; 0: half of
    /// what it allows itself.
    pub socket_memory_max: Bytes,
    /// Ring memory that was lent to a network card is kept for this long after it was acknowledged.
    pub nic_drain: Time,
    /// A loop that is silent for this long is reported, and the process aborts.
    pub loop_stall: Time,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            object_wait: Time::seconds(1),
            waiting_per_stream_max: 10_000,
            waiting_max: 20_000,
            pinned_bytes_max: Bytes::mib(1),
            pinned_max: 64,
            object_bytes_max: Bytes::mib(32),
            part_bytes: Bytes::mib(1),
            stream_idle: Time::seconds(600),
            delete_grace_segments: 3,
            handshakes_per_turn: 8,
            send_buffers: 512,
            socket_memory_max: Bytes(0),
            nic_drain: Time::millis(500),
            loop_stall: Time::seconds(10),
        }
    }
}

impl Limits {
    /// As the data plane wants it; `open_ring` is that of `[ingest]`.
    pub fn resolve(&self, open_ring: Bytes, report: &mut Report<'_>) -> DataplaneLimits {
        self.check(report);
        DataplaneLimits {
            object_wait: self.object_wait.duration(),
            waiting_per_stream_max: self.waiting_per_stream_max,
            waiting_max: self.waiting_max,
            pinned_bytes_max: fitting(self.pinned_bytes_max),
            pinned_max: self.pinned_max,
            object_bytes_max: fitting(self.object_bytes_max),
            part_bytes: fitting(self.part_bytes),
            stream_idle: self.stream_idle.duration(),
            delete_grace_segments: self.delete_grace_segments,
            handshakes_per_turn: self.handshakes_per_turn,
            send_buffers: self.send_buffers,
            socket_memory_max: self.socket_memory_max.0,
            nic_drain: self.nic_drain.duration(),
            loop_stall: self.loop_stall.duration(),
            open_ring_bytes: fitting(open_ring),
        }
    }

    fn check(&self, report: &mut Report<'_>) {
        let most = self.object_bytes_max;
        report.between("limits.object_bytes_max", most, Bytes::kib(64), RING_MAX);
        report.between("limits.part_bytes", self.part_bytes, Bytes::kib(16), most);
        report.between(
            "limits.pinned_bytes_max",
            self.pinned_bytes_max,
            Bytes::kib(4),
            most,
        );
        report.between("limits.pinned_max", self.pinned_max, 1, 65_536);
        report.between(
            "limits.object_wait",
            self.object_wait,
            Time::millis(0),
            Time::seconds(60),
        );
        let day = Time::seconds(24 * 3600);
        report.between(
            "limits.stream_idle",
            self.stream_idle,
            Time::seconds(1),
            Time::seconds(30 * 24 * 3600),
        );
        let minute = Time::seconds(60);
        report.between("limits.nic_drain", self.nic_drain, Time::millis(0), minute);
        report.between("limits.loop_stall", self.loop_stall, Time::seconds(1), day);
        report.between(
            "limits.handshakes_per_turn",
            self.handshakes_per_turn,
            1,
            1024,
        );
        report.between("limits.send_buffers", self.send_buffers, 8, 16_384);
        report.between(
            "limits.delete_grace_segments",
            self.delete_grace_segments,
            0,
            1000,
        );
        report.between("limits.waiting_max", self.waiting_max, 1, 1 << 24);
        let (key, max) = ("limits.waiting_per_stream_max", self.waiting_max);
        report.between(key, self.waiting_per_stream_max, 1, max);
    }
}

/// What the checks keep below 4 GiB.
fn fitting(bytes: Bytes) -> u32 {
    u32::try_from(bytes.0).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The defaults of the file are the data plane's own, and allowed.
    #[test]
    fn defaults_agree_with_the_data_plane() {
        let document = crate::config::Document::new(String::new());
        let mut report = Report::new("x".as_ref(), &document);
        let open_ring = crate::config::Ingest::default().open_ring;
        let ours = Limits::default().resolve(open_ring, &mut report);
        assert_eq!(
            format!("{ours:?}"),
            format!("{:?}", DataplaneLimits::default())
        );
        assert!(report.finish().is_ok_and(|warnings| warnings.is_empty()));
    }
}
