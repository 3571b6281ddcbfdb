//! `/streams` as JSON: an array with one object a stream.

use serde::Serialize;
use zonecast_dataplane::{StreamStatus, TrackStatus};

/// One stream; field names are the interface.
#[derive(Debug, Serialize)]
pub(crate) struct StreamJson<'a> {
    id: &'a str,
    zone: u16,
    live: bool,
    window_short: bool,
    ingest: IngestJson<'a>,
    tracks: Vec<TrackJson<'a>>,
    pinned: &'a [String],
}

/// How uploads to a stream go.
#[derive(Debug, Serialize)]
struct IngestJson<'a> {
    uploads_open: u32,
    uploads_total: u64,
    errors: Vec<ErrorsJson<'a>>,
    last_error: Option<&'a str>,
}

/// Upload errors of one reason.
#[derive(Debug, Serialize)]
struct ErrorsJson<'a> {
    reason: &'a str,
    count: u64,
}

/// One track and its ring.
#[derive(Debug, Serialize)]
struct TrackJson<'a> {
    name: &'a str,
    ring_bytes: u64,
    bytes_live: u64,
    chunks: u64,
    chunks_total: u64,
    objects: u64,
    stepped_over: u64,
    refused: u64,
    interval_ms: u64,
}

impl<'a> From<&'a StreamStatus> for StreamJson<'a> {
    fn from(stream: &'a StreamStatus) -> Self {
        let errors = stream.refusals.iter();
        Self {
            id: &stream.id,
            zone: stream.zone,
            live: stream.live,
            window_short: stream.window_short,
            ingest: IngestJson {
                uploads_open: stream.uploads_open,
                uploads_total: stream.uploads_total,
                errors: errors
                    .map(|(reason, count)| ErrorsJson {
                        reason,
                        count: *count,
                    })
                    .collect(),
                last_error: stream.last_error.as_deref(),
            },
            tracks: stream.tracks.iter().map(TrackJson::from).collect(),
            pinned: &stream.pinned,
        }
    }
}

impl<'a> From<&'a TrackStatus> for TrackJson<'a> {
    fn from(track: &'a TrackStatus) -> Self {
        Self {
            name: &track.name,
            ring_bytes: track.ring_bytes,
            bytes_live: track.bytes_live,
            chunks: track.chunks,
            chunks_total: track.chunks_total,
            objects: track.objects,
            stepped_over: track.stepped_over,
            refused: track.refused,
            interval_ms: track.interval_ms,
        }
    }
}
