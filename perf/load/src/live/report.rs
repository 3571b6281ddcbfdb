//! What a live load came to, for programs (JSON) and for people.

use std::fmt;

use hdrhistogram::Histogram;
use serde::Serialize;

use super::encoders::Uploaded;
use super::run::Own;
use super::tally::{Amounts, Fault, Tally};
use crate::Latency;

/// A generator that is busier than this may be what is measured.
const BUSY_MAX: f64 = 0.9;

/// Faults by kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Faults {
    /// See [`Fault::Late`].
    pub late: u64,
    /// See [`Fault::Expired`].
    pub expired: u64,
    /// See [`Fault::Wrong`].
    pub wrong: u64,
    /// See [`Fault::Broken`].
    pub broken: u64,
}

impl Faults {
    fn of(faults: [u64; 4]) -> Faults {
        let of = |fault: Fault| faults[fault as usize];
        Faults {
            late: of(Fault::Late),
            expired: of(Fault::Expired),
            wrong: of(Fault::Wrong),
            broken: of(Fault::Broken),
        }
    }
}

/// A delay by its name.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Delay {
    /// What was timed.
    pub name: &'static str,
    /// How long it took.
    #[serde(flatten)]
    pub latency: Latency,
}

/// See the module's description.
#[derive(Debug, Clone, Serialize)]
pub struct LiveReport {
    /// Seconds that were measured.
    pub seconds: f64,
    /// Viewers at the end.
    pub viewers: usize,
    /// Of viewers that stay and of those that leave after some segments.
    pub errors: u64,
    /// Of viewers that stay.
    pub watchers: Faults,
    /// Of viewers that leave after some segments.
    pub crowd: Faults,
    /// Of slow readers, for whom faults are due: no errors.
    pub slow: Faults,
    /// A few of the errors in words.
    pub examples: Vec<String>,
    /// What came while it was measured.
    #[serde(flatten)]
    pub amounts: Amounts,
    /// All delays of which there are any.
    pub delays: Vec<Delay>,
    /// What the producers sent while it was measured.
    pub uploaded_bytes: u64,
    /// Slices that producers could not send in time.
    pub uploads_behind: u64,
    /// Producers' connections that broke or were refused.
    pub uploads_broken: u64,
    /// The busiest of the generator's CPUs, in percent.
    pub cpu_busy_percent: f64,
    /// The busiest of the generator's threads, in percent.
    pub thread_busy_percent: f64,
    /// The generator was not what was measured: neither was over 90 % busy.
    pub counts: bool,
}

impl LiveReport {
    pub(crate) fn new(tally: &Tally, uploaded: Option<&Uploaded>, own: &Own) -> LiveReport {
        let none = Uploaded::default();
        let uploaded = uploaded.unwrap_or(&none);
        let examples = tally.examples.iter();
        let mut examples: Vec<_> = examples
            .map(|(fault, what)| format!("{}: {what}", fault.name()))
            .collect();
        if let Some(how) = &uploaded.broken_how {
            examples.push(format!("a producer: {how}"));
        }
        LiveReport {
            seconds: own.seconds,
            viewers: own.viewers,
            errors: tally.errors(),
            watchers: Faults::of(tally.faults),
            crowd: Faults::of(tally.crowd_faults),
            slow: Faults::of(tally.slow_faults),
            examples,
            amounts: tally.amounts,
            delays: delays(tally),
            uploaded_bytes: uploaded.bytes,
            uploads_behind: uploaded.behind,
            uploads_broken: uploaded.broken,
            cpu_busy_percent: own.cpu_busy * 100.0,
            thread_busy_percent: own.thread_busy * 100.0,
            counts: own.cpu_busy <= BUSY_MAX && own.thread_busy <= BUSY_MAX,
        }
    }

    /// The delay of this name, if there was any.
    #[must_use]
    pub fn delay(&self, name: &str) -> Option<Latency> {
        let found = self.delays.iter().find(|delay| delay.name == name)?;
        Some(found.latency)
    }

    /// Megabits of segments a second.
    #[must_use]
    pub fn megabits(&self) -> f64 {
        match self.seconds > 0.0 {
            true => self.amounts.body_bytes as f64 * 8e-6 / self.seconds,
            false => 0.0,
        }
    }
}

fn delays(tally: &Tally) -> Vec<Delay> {
    let all: [(&'static str, &Histogram<u64>); 8] = [
        ("handshake", &tally.handshake),
        ("join", &tally.join),
        ("playlist", &tally.playlist),
        ("first_byte", &tally.first_byte),
        ("last_byte", &tally.last_byte),
        ("stall", &tally.stall),
        ("live_first", &tally.live_first),
        ("live_last", &tally.live_last),
    ];
    let any = all
        .into_iter()
        .filter(|(_, histogram)| !histogram.is_empty());
    any.map(|(name, histogram)| Delay {
        name,
        latency: Latency::of(histogram),
    })
    .collect()
}

impl fmt::Display for LiveReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{:.0} s, {} viewers ({} came, {} left), {} segments ({} verified), {} playlists, \
             {:.0} Mb/s",
            self.seconds,
            self.viewers,
            self.amounts.came,
            self.amounts.left,
            self.amounts.segments,
            self.amounts.verified,
            self.amounts.playlists,
            self.megabits()
        )?;
        for (who, faults) in [
            ("errors of those who stay", self.watchers),
            ("errors of the crowd", self.crowd),
            ("faults of slow readers", self.slow),
        ] {
            let Faults {
                late,
                expired,
                wrong,
                broken,
            } = faults;
            writeln!(
                f,
                "{who:<26}late {late}, expired {expired}, wrong {wrong}, broken {broken}"
            )?;
        }
        for example in &self.examples {
            writeln!(f, "  {example}")?;
        }
        writeln!(
            f,
            "{:<14}{:>10}{:>10}{:>10}{:>10}{:>10}",
            "ms", "p50", "p99", "p99.9", "max", "count"
        )?;
        for Delay { name, latency } in &self.delays {
            writeln!(
                f,
                "{name:<14}{:>10.2}{:>10.2}{:>10.2}{:>10.2}{:>10}",
                latency.p50_ms, latency.p99_ms, latency.p999_ms, latency.max_ms, latency.count
            )?;
        }
        writeln!(
            f,
            "handshakes {} ({} resumed); uploaded {:.1} MB, {} slices behind, {} broken",
            self.amounts.handshakes,
            self.amounts.resumed,
            self.uploaded_bytes as f64 / 1e6,
            self.uploads_behind,
            self.uploads_broken
        )?;
        write!(
            f,
            "generator: CPU {:.0} % busy, its thread {:.0} %",
            self.cpu_busy_percent, self.thread_busy_percent
        )?;
        match self.counts {
            true => writeln!(f),
            false => writeln!(f, ": over 90 %, this does not count"),
        }
    }
}
