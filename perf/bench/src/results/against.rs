//! Results beside earlier ones of the same scenario: the ratio of each headline figure, and
//! whether it is more than runs differ anyway.

use std::fmt;

use anyhow::{Result, bail};

use super::{OURS, Results};
use crate::figures::{Spread, more_is_better, short};
use crate::points::Point;

/// Results and earlier ones.
#[derive(Debug, Clone, PartialEq)]
pub struct Against {
    headline: String,
    earlier: String,
    lines: Vec<Line>,
    warnings: Vec<String>,
}

/// One server in one part at one point, now and then.
#[derive(Debug, Clone, PartialEq)]
pub struct Line {
    /// The part.
    pub case: String,
    /// With how much of everything.
    pub point: Point,
    /// The server.
    pub server: String,
    /// The headline figure earlier.
    pub then: Spread,
    /// And now.
    pub now: Spread,
}

impl Line {
    /// Now, as a multiple of then.
    #[must_use]
    pub fn ratio(&self) -> f64 {
        self.now.median / self.then.median
    }

    fn verdict(&self, more_is_better: bool) -> &'static str {
        let is_better = (self.ratio() > 1.0) == more_is_better;
        match (self.now.is_apart(&self.then), is_better) {
            (false, _) => "within the runs' spread",
            (true, true) => "better",
            (true, false) => "worse",
        }
    }
}

impl Against {
    /// Compares.
    ///
    /// # Errors
    /// They are not of the same scenario, or have nothing in common.
    pub fn compare(now: &Results, then: &Results) -> Result<Against> {
        if now.name != then.name || now.headline != then.headline {
            bail!(
                "results of {} cannot be held against those of {}",
                now.name,
                then.name
            );
        }
        if now.tls != then.tls {
            let how = |tls| if tls { "HTTPS" } else { "plain HTTP" };
            bail!(
                "these are of {}, the earlier ones of {}",
                how(now.tls),
                how(then.tls)
            );
        }
        let lines = now.summary.iter().filter_map(|row| {
            Some(Line {
                then: then.headline_of(&row.case, row.point, &row.server)?,
                now: row.get(&now.headline)?,
                case: row.case.clone(),
                point: row.point,
                server: row.server.clone(),
            })
        });
        let lines: Vec<_> = lines.collect();
        if lines.is_empty() {
            bail!(
                "these and the earlier results of {} have no part and point in common",
                now.name
            );
        }
        Ok(Against {
            headline: now.headline.clone(),
            earlier: then.date.clone(),
            lines,
            warnings: warnings(now, then),
        })
    }

    /// Each comparison.
    #[must_use]
    pub fn lines(&self) -> &[Line] {
        &self.lines
    }
}

/// What keeps the figures from being comparable, though they are of the same kind.
fn warnings(now: &Results, then: &Results) -> Vec<String> {
    let mut warnings = Vec::new();
    for name in ["name", "kernel"] {
        let (now, then) = (now.machine.get(name), then.machine.get(name));
        if now != then {
            let said = |value: Option<&serde_json::Value>| {
                value.map_or_else(|| "unknown".to_owned(), ToString::to_string)
            };
            let (now, then) = (said(now), said(then));
            warnings.push(format!("the machine's {name} is {now} now, and was {then}"));
        }
    }
    if now.quick || then.quick {
        warnings.push("short runs: the figures mean little".to_owned());
    }
    if now.settings != then.settings {
        warnings.push("settings differ".to_owned());
    }
    warnings
}

impl fmt::Display for Against {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "\n{}, against {}:", self.headline, self.earlier)?;
        let more_is_better = more_is_better(&self.headline);
        for line in &self.lines {
            let Line {
                case,
                point,
                server,
                then,
                now,
            } = line;
            let (ratio, verdict) = (short(line.ratio()), line.verdict(more_is_better));
            let what = format!("{case} ({point}) {server}");
            writeln!(
                f,
                "{what:<48} {then:<22} -> {now:<22} {ratio:>6} times, {verdict}"
            )?;
        }
        for line in self.lines.iter().filter(|line| line.server == OURS) {
            for other in self.lines.iter().filter(|other| {
                other.server != OURS && other.case == line.case && other.point == line.point
            }) {
                let (then, now) = (
                    short(line.then.median / other.then.median),
                    short(line.now.median / other.now.median),
                );
                writeln!(
                    f,
                    "ours as a multiple of {}'s: {then} -> {now}",
                    other.server
                )?;
            }
        }
        for warning in &self.warnings {
            writeln!(f, "note: {warning}")?;
        }
        Ok(())
    }
}
