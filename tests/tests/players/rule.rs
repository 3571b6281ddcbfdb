//! What is asked of every play.
//!
//! A player *stands* while its video's clock does, for 0.4 s or longer. It has *run dry* if
//! there was nothing left to play when it stopped; with seconds in hand it is the machine that
//! is too busy for it. The *outage* of a stream lasts from the end of the last segment that its
//! encoder uploaded before it was killed to the end of the first one after: in between nothing
//! new existed to play.
//!
//! 1. Until the outage begins, no player runs dry or jumps, nor stands long for any reason.
//! 2. From then on it stands no longer, all in all, than the outage lasts, and it plays at
//!    the end.
//! 3. All the other time the clock goes at its speed, and pictures are decoded.
//! 4. Where the stream goes on behind a discontinuity, the player follows it: the page does
//!    not load it again.
//!
//! Waits that the browser itself counts, and dropped frames, are told but not judged: they
//! depend on the machine.

use std::fmt;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};
use serde_json::Value;
use zonecast_perf::ledger::{Ledger, State};
use zonecast_tests::encoder::FRAMES;

use crate::browser::of_kind;
use crate::plays::{Again, Play};

/// Of the time that it does not stand, so much a clock must go; it may lose some at each step.
const PLAYED_MIN: f64 = 0.95;
/// Of the frames of the time played, so many must have been decoded: what a page counts is
/// a little short where it loads a player again.
const DECODED_MIN: f64 = 0.75;
/// So long before the end a player must have gone on.
const PLAYS_MS: f64 = 500.0;
/// With less in hand a player that stands has run dry, in seconds.
const DRY_SECONDS: f64 = 0.5;
/// So long a player may stand with something in hand.
const BUSY_MS: f64 = 2000.0;

/// When each of a stream's segments was complete, in order.
pub(crate) fn segments(ledger: &Ledger, stream: &str) -> Vec<Instant> {
    let is_segment = |key: &str| {
        let name = key.strip_prefix(stream).and_then(|k| k.strip_prefix('/'));
        name.is_some_and(|name| {
            let is_media = name.ends_with(".ts") || name.ends_with(".m4s");
            is_media && !name.starts_with("init")
        })
    };
    let keys = ledger.keys();
    let versions = keys
        .iter()
        .filter(|key| is_segment(key))
        .flat_map(|key| ledger.versions(key));
    let mut ends: Vec<Instant> = versions
        .filter_map(|version| match version.state {
            State::Complete { at, .. } => Some(at),
            State::Open | State::Aborted { .. } => None,
        })
        .collect();
    ends.sort_unstable();
    ends
}

/// The time in which there was nothing new; in milliseconds since 1970.
#[derive(Debug)]
pub(crate) struct Outage {
    from: f64,
    to: f64,
}

impl Outage {
    /// Of a stream with these ends of segments, whose encoder was dead at `killed`.
    pub(crate) fn of(ends: &[Instant], killed: Instant) -> Result<Outage> {
        let (now, date) = (
            Instant::now(),
            SystemTime::now().duration_since(UNIX_EPOCH)?,
        );
        let since_1970 = |at: Instant| millis(date.saturating_sub(now - at));
        let before = ends.iter().rev().find(|end| **end <= killed);
        let after = ends.iter().find(|end| **end > killed);
        Ok(Outage {
            from: since_1970(*before.context("no segment before the outage")?),
            to: since_1970(*after.context("no segment after the outage")?),
        })
    }
}

impl fmt::Display for Outage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "nothing new for {:.1} s", (self.to - self.from) / 1000.0)
    }
}

fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}

/// A player stood.
#[derive(Debug, Clone, Copy)]
struct Stood {
    from: f64,
    to: f64,
    /// Seconds that it could have played.
    ahead: f64,
}

/// What a page has seen; times as in [`Outage`].
#[derive(Debug)]
pub(crate) struct Watched {
    since: f64,
    until: f64,
    played: f64,
    stood: Vec<Stood>,
    /// When the clock jumped.
    jumps: Vec<f64>,
    loads: u64,
    decoded: f64,
    dropped: f64,
    waits: u64,
    errors: Vec<String>,
}

impl Watched {
    /// The report about the play of this name.
    pub(crate) fn of(events: &[Value], name: &str) -> Result<Watched> {
        let report = of_kind(events, "report").find(|report| report["play"] == name);
        let report = report.with_context(|| format!("no report about {name}"))?;
        let number = |of: &Value, key: &str| {
            let number = of[key].as_f64();
            number.with_context(|| format!("no number {key} in {report}"))
        };
        let list = |key: &str| report[key].as_array().into_iter().flatten();
        Ok(Watched {
            since: number(report, "since")?,
            until: number(report, "until")?,
            played: number(report, "played")?,
            stood: list("gaps")
                .map(|gap| {
                    Ok(Stood {
                        from: number(gap, "from")?,
                        to: number(gap, "to")?,
                        ahead: number(gap, "ahead")?,
                    })
                })
                .collect::<Result<_>>()?,
            jumps: list("jumps")
                .map(|jump| number(jump, "at"))
                .collect::<Result<_>>()?,
            loads: number(report, "loads")? as u64,
            decoded: number(report, "decoded")?,
            dropped: number(report, "dropped")?,
            waits: number(report, "waits")? as u64,
            errors: list("errors")
                .map(|error| error["text"].to_string())
                .collect(),
        })
    }

    fn seconds(&self) -> f64 {
        (self.until - self.since) / 1000.0
    }

    /// For how long it stood from `start` on, in seconds.
    fn stood_since(&self, start: f64) -> f64 {
        let stood = self.stood.iter().filter(|stood| stood.to > start);
        let stood = stood.map(|Stood { from, to, .. }| to - from);
        stood.fold(0.0, |sum, ms| sum + ms) / 1000.0
    }

    /// When the player stood, in seconds of the time watched.
    fn stood_when(&self) -> String {
        let at = |time: f64| (time - self.since) / 1000.0;
        let when = self.stood.iter();
        let when: Vec<String> = when
            .map(|Stood { from, to, ahead }| {
                format!("{:.1}–{:.1} with {ahead:.1} s in hand", at(*from), at(*to))
            })
            .collect();
        when.join(", ")
    }
}

impl fmt::Display for Watched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:.1} s watched, {:.1} s played, stood for {:.1} s [{}], {} jumps, {} loads, \
             {} waits, {} frames decoded, {} dropped, {} errors",
            self.seconds(),
            self.played,
            self.stood_since(0.0),
            self.stood_when(),
            self.jumps.len(),
            self.loads,
            self.waits,
            self.decoded,
            self.dropped,
            self.errors.len(),
        )
    }
}

/// What breaks the rule, one line each.
pub(crate) fn broken(play: &Play, watched: &Watched, outage: &Outage) -> Vec<String> {
    let stood = watched.stood_since(outage.from);
    let away = (outage.to - outage.from) / 1000.0;
    let going = watched.seconds() - watched.stood_since(0.0);
    let early = watched.stood.iter().filter(|stood| stood.to <= outage.from);
    let too_early = |stood: &Stood| stood.ahead < DRY_SECONDS || stood.to - stood.from > BUSY_MS;
    let last = watched.stood.last();
    let rules = [
        (
            !early.copied().any(|stood| too_early(&stood)),
            "it stood before its encoder died".to_owned(),
        ),
        (
            !watched.jumps.iter().any(|at| *at < outage.from),
            "it jumped before its encoder died".to_owned(),
        ),
        (
            stood <= away,
            format!("it stood for {stood:.1} s, the outage was {away:.1} s"),
        ),
        (
            !last.is_some_and(|last| watched.until - last.to < PLAYS_MS),
            "it did not play at the end".to_owned(),
        ),
        (
            watched.played >= going * PLAYED_MIN,
            "its clock was slow".to_owned(),
        ),
        (
            watched.decoded >= watched.played * FRAMES as f64 * DECODED_MIN,
            "too few frames were decoded".to_owned(),
        ),
        (
            watched.loads == 1 || play.again == Again::Begins,
            format!("it was loaded {} times", watched.loads),
        ),
    ];
    let broken = rules.into_iter().filter(|(held, _)| !held);
    broken
        .map(|(_, what)| {
            let errors = watched.errors.iter().map(|error| format!("\n  {error}"));
            let errors: String = errors.collect();
            format!("{}: {what}: {watched}; {outage}{errors}", play.name())
        })
        .collect()
}

/// What breaks the rules of other origins, one line each: a page may read objects and parts
/// of them, with conditions that need a preflight, and may not ask for anything else.
pub(crate) fn cors_broken(events: &[Value]) -> Result<Vec<String>> {
    let seen = of_kind(events, "cors").next().context("no word on CORS")?;
    let whole = &seen["whole"];
    let part: Option<&[Value]> = whole["body"].as_array().and_then(|body| body.get(8..40));
    let is_part = |of: &Value| {
        let length = whole["bytes"].as_u64().unwrap_or_default();
        of["status"] == 206
            && of["range"] == format!("bytes 8-39/{length}")
            && of["length"] == "32"
            && of["body"].as_array().map(Vec::as_slice) == part
    };
    let rules = [
        ("whole", whole["status"] == 200 && whole["etag"].is_string()),
        ("range", is_part(&seen["range"])),
        ("ifRange", is_part(&seen["ifRange"])),
        ("ifNoneMatch", seen["ifNoneMatch"]["status"] == 304),
        (
            "head",
            seen["head"]["status"] == 200 && seen["head"]["length"] == whole["length"],
        ),
        ("foreignField", seen["foreignField"]["error"].is_string()),
        ("foreignMethod", seen["foreignMethod"]["error"].is_string()),
    ];
    let broken = rules.into_iter().filter(|(_, held)| !held);
    Ok(broken
        .map(|(what, _)| format!("CORS, {what}: {}", seen[what]))
        .collect())
}
