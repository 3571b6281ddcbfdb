//! What a running data plane tells about its streams, as plain values for the control plane.

/// One stream as it stands.
#[derive(Clone, Debug, Default)]
pub struct StreamStatus {
    /// Its id.
    pub id: String,
    /// Its home zone.
    pub zone: u16,
    /// Whether it holds any object.
    pub live: bool,
    /// Its tracks, by name.
    pub tracks: Vec<TrackStatus>,
    /// Paths of its pinned objects (init segments, playlists, manifests).
    pub pinned: Vec<String>,
    /// Uploads in flight.
    pub uploads_open: u32,
    /// Uploads that were committed.
    pub uploads_total: u64,
    /// Upload errors by reason, zeroes left out.
    pub refusals: Vec<(String, u64)>,
    /// The latest upload error, with the peer and the path where they are known.
    pub last_error: Option<String>,
    /// A ring holds less than the playlist still lists: viewers get 410 for listed segments.
    pub window_short: bool,
}

/// One track as it stands.
#[derive(Clone, Debug, Default)]
pub struct TrackStatus {
    /// Its name.
    pub name: String,
    /// Bytes of its ring.
    pub ring_bytes: u64,
    /// Of these, in chunks that can be read.
    pub bytes_live: u64,
    /// Chunks that can be read.
    pub chunks: u64,
    /// Chunks ever completed.
    pub chunks_total: u64,
    /// Objects that can be asked for.
    pub objects: u64,
    /// Times that the writer stepped over a chunk that was still being read or written.
    pub stepped_over: u64,
    /// Chunks that found no room.
    pub refused: u64,
    /// Time between segments as measured, in milliseconds; 0 before the second one.
    pub interval_ms: u64,
}
