//! By which device a simulated connection leaves: a rule without chance, so that asking changes nothing
//! else of a run.
//!
//! There are two cards, on the nodes 0 and 1, and a device without a node. Every [`ROUTES_STAY`] all
//! connections move on to the next one.

use std::time::Duration;

use crate::driver::{Leaving, Time};
use crate::egress::Epoch;

use super::socket::SocketId;

const ROUTES_STAY: Duration = Duration::from_secs(3);
/// The node of each device.
const NODES: [Option<u32>; 3] = [Some(0), Some(1), None];

/// How often routes have moved by `now`.
pub(super) fn moved(now: Time) -> u64 {
    now.0 / ROUTES_STAY.as_nanos() as u64
}

pub(super) fn leaving(socket: SocketId, now: Time) -> Leaving {
    let device = (socket as u64 + moved(now)) % NODES.len() as u64;
    Leaving {
        device: device as u32,
        node: NODES[device as usize],
        seen: Epoch::default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Shows that connections differ in where they leave, and that each moves with the time.
    #[test]
    fn routes_differ_and_move() {
        let node = |socket, seconds| leaving(socket, Time(seconds * 1_000_000_000_u64)).node;
        assert_eq!(
            [0, 1, 2, 3].map(|s| node(s, 0)),
            [NODES[0], NODES[1], None, NODES[0]]
        );
        assert_eq!(
            [0, 2, 3, 6].map(|t| node(0, t)),
            [NODES[0], NODES[0], NODES[1], None]
        );
        assert_eq!(moved(Time(2_999_999_999)), 0);
    }
}
