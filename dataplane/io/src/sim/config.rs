//! How big a simulated driver is.

/// How big a simulated driver is.
#[derive(Debug, Clone)]
pub struct SimConfig {
    /// Connections open at once; one more ends the accept.
    pub connections_max: u16,
    /// Buffers of [`BUFFER_BYTES`](crate::BUFFER_BYTES) for the pipeline.
    pub send_buffers: u32,
    /// Buffers that receives draw from.
    pub receive_buffers: u32,
    /// The size of each of those.
    pub receive_buffer_bytes: usize,
    /// Whether connections know their peers' addresses, as those with plain descriptors do.
    pub addresses: bool,
}

impl Default for SimConfig {
    fn default() -> SimConfig {
        SimConfig {
            connections_max: 64,
            send_buffers: 16,
            receive_buffers: 16,
            receive_buffer_bytes: 4096,
            addresses: false,
        }
    }
}
