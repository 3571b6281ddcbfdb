//! What is counted at one moment, and what has changed between two.

use std::time::Instant;

use zonecast_ebpf::{Counters, Error, Live, ZoneSums};

/// One moment.
pub(super) struct Sample {
    at: Instant,
    zones: Vec<ZoneSums>,
    live: Vec<Live>,
}

impl Sample {
    pub(super) fn take(counters: &Counters) -> Result<Self, Error> {
        Ok(Self {
            live: counters.live()?.unwrap_or_default(),
            zones: counters.zones()?,
            at: Instant::now(),
        })
    }

    /// Bytes that viewers of a zone have ever acknowledged.
    fn bytes(&self, zone: usize) -> u64 {
        let live: u64 = self.of(zone).map(|live| live.bytes_acked).sum();
        self.zones[zone].bytes_acked + live
    }

    fn of(&self, zone: usize) -> impl Iterator<Item = &Live> {
        self.live
            .iter()
            .filter(move |l| usize::from(l.zone) == zone)
    }

    /// The median round trip of a zone's connections.
    fn rtt_us(&self, zone: usize) -> Option<u32> {
        let mut all: Vec<u32> = self.of(zone).map(|live| live.rtt_us).collect();
        all.sort_unstable();
        all.get(all.len() / 2).copied()
    }
}

/// One zone, as it changes.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Row {
    /// Connections now.
    pub(super) viewers: u64,
    /// Bits a second.
    pub(super) bits: f64,
    /// Connections that were accepted, a second.
    pub(super) accepted: f64,
    /// Packets that were sent again, a second.
    pub(super) retransmits: f64,
    pub(super) rtt_us: Option<u32>,
    /// Connections by the rule that decided, in all.
    pub(super) steered: [u64; ZoneSums::RULES.len()],
    /// Connections that were left to the kernel, in all.
    pub(super) missed: u64,
}

/// All zones; the last row of `missed` alone is of connections that no zone was found for.
#[derive(Debug, PartialEq)]
pub(super) struct Rates {
    pub(super) zones: Vec<Row>,
    pub(super) unsteered: u64,
}

impl Rates {
    pub(super) fn between(before: &Sample, now: &Sample) -> Self {
        let seconds = (now.at - before.at).as_secs_f64().max(0.001);
        let a_second = |before: u64, now: u64| now.saturating_sub(before) as f64 / seconds;
        let zones = now.zones.len().saturating_sub(1).min(before.zones.len());
        let row = |zone: usize| {
            let (old, new) = (&before.zones[zone], &now.zones[zone]);
            Row {
                viewers: new.established.saturating_sub(new.closed),
                bits: 8.0 * a_second(before.bytes(zone), now.bytes(zone)),
                accepted: a_second(old.established, new.established),
                retransmits: a_second(old.retransmits, new.retransmits),
                rtt_us: now.rtt_us(zone),
                steered: new.steered,
                missed: new.missed.iter().sum(),
            }
        };
        let none = now.zones.last().map_or(0, |none| none.missed.iter().sum());
        Self {
            zones: (0..zones).map(row).collect(),
            unsteered: none,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// Rates are by what has changed, of live connections too; what is now is as it is.
    #[test]
    fn rates_of_a_zone() {
        let at = Instant::now();
        let live = |bytes_acked, rtt_us| Live {
            zone: 0,
            loop_id: 0,
            established: true,
            bytes_acked,
            retransmits: 0,
            rtt_us,
        };
        let sums = |established, closed, bytes_acked| ZoneSums {
            established,
            closed,
            bytes_acked,
            ..ZoneSums::default()
        };
        let mut none = ZoneSums::default();
        none.missed[0] = 5;
        let before = Sample {
            at,
            zones: vec![sums(4, 1, 1000), none],
            live: vec![live(500, 100)],
        };
        let now = Sample {
            at: at + Duration::from_secs(2),
            zones: vec![sums(10, 3, 2000), none],
            live: vec![live(1500, 300), live(0, 100), live(0, 200)],
        };
        let rates = Rates::between(&before, &now);
        assert_eq!(rates.unsteered, 5);
        let [zone] = &rates.zones[..] else {
            panic!("one zone: {rates:?}")
        };
        assert_eq!((zone.viewers, zone.accepted), (7, 3.0));
        assert_eq!((zone.bits, zone.rtt_us), (8000.0, Some(200)));
    }
}
