//! What may go wrong, how often, and how slow everything is.

use std::time::Duration;

use super::random::Random;

/// The weather of a simulation. Numbers without a unit are times in a thousand.
///
/// [`Faults::none`] is a network with a latency and nothing else; [`Faults::from_seed`] makes some
/// kinds of fault frequent and leaves others out, differently for each seed, since a run that has
/// all of them at once seldom gets far enough to show the rare ones.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Faults {
    /// Sends that end, without an error, after a part of their bytes.
    pub short_sends: u32,
    /// Receives that bring less than there is.
    pub short_receives: u32,
    /// Sends that fail: ECONNRESET and EPIPE (the connection is broken then), ENOMEM, ENOBUFS.
    pub send_errors: u32,
    /// Receives that fail: ECONNRESET (the connection is broken then), ENOMEM; ENOBUFS too where
    /// the buffer is the caller's.
    pub receive_errors: u32,
    /// Shutdowns that find the connection broken: ENOTCONN.
    pub shutdown_errors: u32,
    /// Connections at which the accept ends: ENFILE, EMFILE, ENOMEM, ENOBUFS, ECONNABORTED. The
    /// connection is lost, or waits for the next accept.
    pub accept_errors: u32,
    /// Connections that the network breaks within `break_max`.
    pub breaks: u32,
    /// The latest time after its start at which the network breaks a connection.
    pub break_max: Duration,
    /// Operations whose completion comes late, by up to `delay_max`.
    pub delays: u32,
    /// Completions of one moment that come out of order.
    pub reorders: u32,
    /// Cancellations that take up to `delay_max` to reach their operation.
    pub late_cancels: u32,
    /// The longest delay of a completion, a cancellation, a withheld buffer or a stalled loop.
    pub delay_max: Duration,
    /// Receives that find no provided buffer although there is one, and wait in the driver.
    pub starved_receives: u32,
    /// Turns from which on the pipeline's pool looks empty for up to `delay_max`.
    pub buffers_withheld: u32,
    /// Connections whose peer reads a few bytes at a time.
    pub slow_peers: u32,
    /// The smallest window of a connection, in bytes; each direction draws one.
    pub window_min: usize,
    /// The largest window of a connection, in bytes.
    pub window_max: usize,
    /// Writes that arrive in several pieces.
    pub fragments: u32,
    /// The shortest way through the network.
    pub latency_min: Duration,
    /// The longest way through the network. The order of a connection's bytes is kept.
    pub latency_max: Duration,
    /// Steps of the world at which the clock leaps by up to `time_jump_max`.
    pub time_jumps: u32,
    /// The longest leap.
    pub time_jump_max: Duration,
    /// Times that a loop which could run is left waiting for up to `delay_max`.
    pub stalls: u32,
    /// Turns that hand out a few of the completions and leave the others behind.
    pub backlogs: u32,
}

impl Faults {
    /// Nothing goes wrong; the way through the network takes 50 to 500 µs.
    #[must_use]
    pub fn none() -> Faults {
        Faults {
            short_sends: 0,
            short_receives: 0,
            send_errors: 0,
            receive_errors: 0,
            shutdown_errors: 0,
            accept_errors: 0,
            breaks: 0,
            break_max: Duration::from_secs(2),
            delays: 0,
            reorders: 0,
            late_cancels: 0,
            delay_max: Duration::from_millis(20),
            starved_receives: 0,
            buffers_withheld: 0,
            slow_peers: 0,
            window_min: 64 << 10,
            window_max: 256 << 10,
            fragments: 0,
            latency_min: Duration::from_micros(50),
            latency_max: Duration::from_micros(500),
            time_jumps: 0,
            time_jump_max: Duration::from_secs(3),
            stalls: 0,
            backlogs: 0,
        }
    }

    /// Everything that slows down, splits and reorders, and nothing that loses a connection: what
    /// goes in must come out.
    #[must_use]
    pub fn lossless() -> Faults {
        Faults {
            short_sends: 100,
            short_receives: 200,
            delays: 200,
            reorders: 300,
            late_cancels: 300,
            starved_receives: 50,
            buffers_withheld: 10,
            slow_peers: 300,
            window_min: 1 << 10,
            fragments: 300,
            latency_max: Duration::from_millis(5),
            stalls: 20,
            backlogs: 200,
            ..Faults::none()
        }
    }

    /// A mixture that depends on the seed, from mild to hostile.
    #[must_use]
    pub fn from_seed(seed: u64) -> Faults {
        // Its own stream of numbers, so that the world's does not begin with the same ones.
        let mut random = Random::new(seed ^ 0xFA01_75ED_5EED_0001);
        let mut rate = |max: u32| match random.below(3) {
            0 => 0,
            1 => random.below(u64::from(max) / 10 + 1) as u32,
            _ => random.below(u64::from(max) + 1) as u32,
        };
        let faults = Faults {
            short_sends: rate(500),
            short_receives: rate(700),
            send_errors: rate(30),
            receive_errors: rate(30),
            shutdown_errors: rate(50),
            accept_errors: rate(200),
            breaks: rate(100),
            delays: rate(600),
            reorders: rate(800),
            late_cancels: rate(700),
            starved_receives: rate(300),
            buffers_withheld: rate(50),
            slow_peers: rate(500),
            fragments: rate(700),
            time_jumps: rate(5),
            stalls: rate(100),
            backlogs: rate(900),
            ..Faults::none()
        };
        Faults {
            window_min: 1 << (8 + random.below(8)),
            window_max: 1 << (16 + random.below(4)),
            latency_max: Duration::from_micros(100 << random.below(9)),
            delay_max: Duration::from_millis(1 << random.below(7)),
            time_jump_max: Duration::from_secs(random.pick(&[1, 3, 60, 5 * 3600])),
            ..faults
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Shows that seeds differ in their faults, and that one seed does not differ from itself.
    #[test]
    fn seeds_differ_and_repeat() {
        assert_eq!(Faults::from_seed(3), Faults::from_seed(3));
        assert_ne!(Faults::from_seed(3), Faults::from_seed(4));
        let without_errors = (0..100).filter(|seed| Faults::from_seed(*seed).send_errors == 0);
        assert!((20..80).contains(&without_errors.count()));
    }
}
