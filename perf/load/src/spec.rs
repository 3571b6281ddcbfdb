//! What a load is to be.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;

use crate::content::Objects;

/// When a viewer asks for the next object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    /// As soon as it has one (a closed loop).
    Closed,
    /// At a fixed interval, the viewers' phases spread over it. A viewer that still waits asks
    /// late, and its delay counts from when it should have asked.
    Every(Duration),
    /// Once, and then it is quiet.
    Once,
    /// Once, and then it never reads.
    Stalled,
}

/// A load: so many viewers, of one server, at one pace.
#[derive(Debug, Clone)]
pub struct Spec {
    /// The server.
    pub target: SocketAddr,
    /// `None`: plain HTTP.
    pub tls: Option<Arc<ClientConfig>>,
    /// The folder of the objects' paths, e.g. `/live/bench/`.
    pub folder: String,
    /// What the objects must be.
    pub objects: Arc<Objects>,
    /// The server answers with any of the objects, whichever was asked for (the floor program).
    pub any_object: bool,
    /// A response takes the same on the wire each time: records are of the same length. Where
    /// they are not (a proxy seals whatever it has just read), every viewer compares all it gets.
    pub same_sizes: bool,
    /// Viewers.
    pub connections: usize,
    /// One of so many compares all that it gets; the others count.
    pub verify_every: usize,
    /// When they ask.
    pub pace: Pace,
    /// SO_RCVBUF; `None` leaves it to the kernel.
    pub receive_buffer: Option<usize>,
    /// Connections that are being opened at the same time, at most.
    pub open_at_once: usize,
    /// All must be open within this time.
    pub open_within: Duration,
    /// A broken connection is counted, instead of ending the load.
    pub may_break: bool,
}

impl Spec {
    /// A closed loop that verifies one connection of sixteen.
    #[must_use]
    pub fn new(target: SocketAddr, folder: &str, objects: Arc<Objects>) -> Spec {
        Spec {
            target,
            tls: None,
            folder: folder.to_owned(),
            objects,
            any_object: false,
            same_sizes: true,
            connections: 1,
            verify_every: 16,
            pace: Pace::Closed,
            receive_buffer: None,
            open_at_once: 64,
            open_within: Duration::from_secs(60),
            may_break: false,
        }
    }
}
