//! What a run came to: one line, and the reasons where it failed.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use crate::ledger::Totals;
use crate::summary::megabytes;
use crate::tally::Counts;
use crate::viewer::Followed;

/// Segments that a stream may be short of what its time would make: the encoder's
/// start-up, and a last one that is not whole.
const SEGMENTS_SHORT_MAX: u64 = 3;

/// All that the verdict rests on.
#[derive(Debug, Clone, Default)]
pub struct Evidence {
    /// From the encoders' start to their stop.
    pub ran: Duration,
    /// A segment's nominal length.
    pub segment: Duration,
    /// Viewers that were to watch.
    pub viewers: u64,
    /// By stream: segments that the tee saw listed.
    pub streams: BTreeMap<String, u64>,
    /// What each viewer came to, playlist by playlist.
    pub followed: Vec<Followed>,
    /// What viewers found.
    pub counts: Counts,
    /// What the tee saw.
    pub totals: Totals,
    /// Zones that there must be.
    pub zones: u64,
    /// Bytes sent by zone.
    pub zone_bytes: BTreeMap<u64, u64>,
    /// What went wrong outside of all this: a child that ended, a status that is not 0.
    pub troubles: Vec<String>,
}

impl Evidence {
    /// Why the run failed; empty when it passed.
    #[must_use]
    pub fn reasons(&self) -> Vec<String> {
        let mut reasons = self.troubles.clone();
        let Counts {
            corrupt,
            stale,
            missing,
            late,
            ..
        } = self.counts;
        for (count, what) in [
            (corrupt, "objects were corrupt"),
            (stale, "objects were of an older generation"),
            (missing, "segments were missing"),
            (late, "segments were late"),
            (self.totals.refused, "uploads were refused"),
            (self.totals.lost, "uploads were lost without an answer"),
            (self.totals.aborted, "uploads were cut off"),
            (
                self.totals.unreadable,
                "encoder connections could not be read",
            ),
        ] {
            if count > 0 {
                reasons.push(format!("{count} {what}"));
            }
        }
        let wanted = (self.ran.as_secs_f64() / self.segment.as_secs_f64().max(0.001)) as u64;
        let wanted = wanted.saturating_sub(SEGMENTS_SHORT_MAX).max(1);
        for (stream, listed) in &self.streams {
            if *listed < wanted {
                reasons.push(format!(
                    "stream {stream} made {listed} segments, not {wanted}"
                ));
            }
        }
        self.viewers_reasons(&mut reasons);
        for zone in 0..self.zones {
            if self.zone_bytes.get(&zone).copied().unwrap_or_default() == 0 {
                reasons.push(format!("zone {zone} carried no bytes"));
            }
        }
        reasons
    }

    fn viewers_reasons(&self, reasons: &mut Vec<String>) {
        let wanted = self.viewers * self.streams.len() as u64;
        if self.followed.len() as u64 != wanted {
            let count = self.followed.len();
            reasons.push(format!(
                "{count} of {wanted} followed playlists were reported"
            ));
        }
        let short = self
            .followed
            .iter()
            .filter(|one| !one.ended || one.segments == 0);
        let short: Vec<String> = short
            .map(|one| format!("{} by viewer {}", one.playlist, one.viewer))
            .collect();
        if let Some(first) = short.first() {
            let count = short.len();
            reasons.push(format!(
                "{count} playlists were not followed to their end: {first} …"
            ));
        }
    }

    /// Whether it passed, and the line that says so.
    #[must_use]
    pub fn line(&self) -> (bool, String) {
        let reasons = self.reasons();
        let passed = reasons.is_empty();
        let mut line = format!(
            "demo: {} {} s, {} streams, {} viewers, {} segments, {} corrupt, {} missing, {} late",
            if passed { "PASS" } else { "FAIL" },
            self.ran.as_secs(),
            self.streams.len(),
            self.viewers,
            self.counts.segments,
            self.counts.corrupt + self.counts.stale,
            self.counts.missing,
            self.counts.late,
        );
        for (zone, bytes) in &self.zone_bytes {
            // Writing to a String cannot fail.
            let _ = write!(line, ", zone {zone} {:.1} MB", megabytes(*bytes));
        }
        (passed, line)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn good() -> Evidence {
        let followed = |viewer, playlist: &str| Followed {
            viewer,
            playlist: playlist.to_owned(),
            segments: 14,
            ended: true,
        };
        Evidence {
            ran: Duration::from_secs(30),
            segment: Duration::from_secs(2),
            viewers: 1,
            streams: [("fmp4".to_owned(), 15), ("ts".to_owned(), 14)].into(),
            followed: vec![followed(0, "a"), followed(0, "b")],
            counts: Counts {
                segments: 28,
                ..Counts::default()
            },
            zones: 2,
            zone_bytes: [(0, 1_500_000), (1, 2_000_000)].into(),
            ..Evidence::default()
        }
    }

    /// The line of a run in which all is well.
    #[test]
    fn passes() {
        let line = "demo: PASS 30 s, 2 streams, 1 viewers, 28 segments, 0 corrupt, 0 missing, \
                    0 late, zone 0 1.5 MB, zone 1 2.0 MB";
        assert_eq!(good().line(), (true, line.to_owned()));
    }

    /// Each thing that must hold fails the run alone, and is named.
    #[test]
    fn fails_for_each_reason() {
        type Harm = fn(&mut Evidence);
        let cases: [(&str, Harm); 9] = [
            ("corrupt", |e| e.counts.corrupt = 1),
            ("older generation", |e| e.counts.stale = 1),
            ("missing", |e| e.counts.missing = 1),
            ("late", |e| e.counts.late = 1),
            ("stream ts made 3", |e| {
                e.streams.insert("ts".to_owned(), 3);
            }),
            ("zone 1 carried no bytes", |e| {
                e.zone_bytes.remove(&1);
            }),
            ("not followed to their end: b by viewer 0", |e| {
                e.followed[1].ended = false
            }),
            ("1 of 2 followed", |e| e.followed.truncate(1)),
            ("died", |e| e.troubles.push("ffmpeg died".to_owned())),
        ];
        for (named, harm) in cases {
            let mut evidence = good();
            harm(&mut evidence);
            let reasons = evidence.reasons();
            assert_eq!(reasons.len(), 1, "{reasons:?}");
            assert!(reasons[0].contains(named), "{reasons:?}");
            assert!(evidence.line().1.starts_with("demo: FAIL 30 s"));
        }
    }
}
