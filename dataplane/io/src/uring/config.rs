//! How big a driver is, and what it counts.

use std::io;
use std::time::Instant;

use zonecast_numa::Regions;

use super::buffer_ring::BUFFERS_MAX;

/// How big a driver is. All memory is set aside when it is made.
#[derive(Debug, Clone)]
pub struct UringConfig {
    /// Connections open at once, of each kind of descriptor; one more ends the accept.
    pub connections_max: u32,
    /// Buffers of [`BUFFER_BYTES`](crate::BUFFER_BYTES) for the pipeline.
    pub send_buffers: u32,
    /// Buffers that receives draw from; 32768 at most.
    pub receive_buffers: u32,
    /// The size of each of those.
    pub receive_buffer_bytes: u32,
    /// Entries submitted with one system call; more of them in one turn cost another call.
    pub sq_entries: u32,
    /// Where the spans that are sent lie. Without it, a send of a span fails.
    pub regions: Option<Regions>,
    /// Where the driver's [`Time`](crate::Time) starts.
    pub epoch: Instant,
}

/// What a driver has done so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct UringStats {
    /// Calls of [`Driver::turn`](crate::Driver::turn).
    pub turns: u64,
    /// `io_uring_enter` system calls.
    pub enters: u64,
    /// Receives that found no buffer, and had to wait for one.
    pub starved: u64,
}

impl UringConfig {
    /// Refuses what no ring could be made of.
    pub(super) fn check(&self) -> io::Result<()> {
        let fits = (1..1 << 31).contains(&self.connections_max)
            && self.send_buffers > 0
            && (1..=BUFFERS_MAX).contains(&self.receive_buffers)
            && self.receive_buffer_bytes > 0
            && self.sq_entries > 0;
        if fits {
            return Ok(());
        }
        let message = format!(
            "a driver needs connections, entries and buffers, and at most {BUFFERS_MAX} receive buffers"
        );
        Err(io::Error::new(io::ErrorKind::InvalidInput, message))
    }
}
