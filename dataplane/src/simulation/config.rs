//! What a simulation is made of.

use std::path::PathBuf;
use std::time::Duration;

use zonecast_io::sim::{Faults, SimConfig};

use super::Flaw;
use crate::config::{ConnectionLimits, Limits, StreamConfig, TokenHash};
use crate::tls::CertificateStore;

/// What a simulation is made of.
pub struct SimulationConfig {
    /// The seed of the whole run.
    pub seed: u64,
    /// What goes wrong, and how often.
    pub faults: Faults,
    /// Each loop's zone, by loop.
    pub loops: Vec<u16>,
    /// Bytes of ring memory of each zone.
    pub arena_bytes: u32,
    /// How big a loop's driver is; its send buffers are those of `limits`.
    pub driver: SimConfig,
    /// Limits and times of the data plane.
    pub limits: Limits,
    /// What a viewer's connection may take.
    pub viewers: ConnectionLimits,
    /// What an encoder's connection may take.
    pub encoders: ConnectionLimits,
    /// An upload that is silent for this long is aborted.
    pub ingest_idle: Duration,
    /// Whoever has this token creates a stream by its first PUT.
    pub open_token: Option<TokenHash>,
    /// The streams from the start.
    pub streams: Vec<StreamConfig>,
    /// `None`: no TLS.
    pub certificates: Option<CertificateStore>,
    /// Records that one TLS key may seal.
    pub records_per_key: u64,
    /// Messages, and notices, that a loop's mailbox holds.
    pub mail_max: usize,
    /// Turns, in a thousand, from which on a loop's mail is under way for up to `mail_delay_max`.
    pub late_mail: u32,
    /// The longest time that mail is under way.
    pub mail_delay_max: Duration,
    /// Folder of what outlives a kill; `None` keeps nothing.
    pub state_dir: Option<PathBuf>,
    /// What is broken on purpose.
    pub flaw: Flaw,
}

/// Where a peer connects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Door {
    /// Viewers, plain.
    Viewer,
    /// Encoders, plain.
    Encoder,
    /// Viewers, TLS.
    ViewerTls,
    /// Encoders, TLS.
    EncoderTls,
}

impl SimulationConfig {
    pub(super) fn zones(&self) -> usize {
        1 + self.loops.iter().copied().max().map_or(0, usize::from)
    }
}
