//! The tables for a terminal.

use std::fmt;

use super::{OURS, Results, Row};
use crate::figures::short;
use crate::points::Point;

/// Columns of a server.
const WIDTH: usize = 28;

impl fmt::Display for Results {
    /// A block for each part: figures down, servers across.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let how = if self.tls { "HTTPS" } else { "plain" };
        write!(f, "\n{}, {how}", self.name)?;
        for (name, value) in &self.settings {
            write!(f, ", {name} {value}")?;
        }
        writeln!(f)?;
        for (case, point) in self.legs() {
            let rows: Vec<_> = self.rows(case, point).collect();
            self.block(f, case, point, &rows)?;
        }
        for fit in &self.fits {
            writeln!(
                f,
                "{} {}: {} grows as {} to the power {:.3}, from {} to {} (within {:.0} %)",
                fit.case,
                fit.server,
                self.headline,
                fit.axis.label(),
                fit.exponent,
                fit.from,
                fit.to,
                (fit.off_by - 1.0) * 100.0
            )?;
        }
        for skipped in &self.skipped {
            writeln!(f, "SKIP: {skipped}")?;
        }
        for note in self.notes() {
            writeln!(f, "note: {note}")?;
        }
        Ok(())
    }
}

impl Results {
    fn block(
        &self,
        f: &mut fmt::Formatter<'_>,
        case: &str,
        point: Point,
        rows: &[&Row],
    ) -> fmt::Result {
        writeln!(f, "\n{case}: {point}")?;
        write!(f, "{:<26}", "")?;
        for row in rows {
            let mark = if row.load_limited { " *" } else { "" };
            let head = format!("{} ({}){mark}", row.server, row.runs);
            write!(f, "{head:<WIDTH$}")?;
        }
        writeln!(f)?;
        for name in Row::names(rows) {
            write!(f, "{name:<26}")?;
            for row in rows {
                match row.get(name) {
                    Some(spread) => write!(f, "{spread:<WIDTH$}")?,
                    None => write!(f, "{:<WIDTH$}", "-")?,
                }
            }
            writeln!(f)?;
        }
        for (server, times) in self.ours_to_others(case, point) {
            let times = short(times);
            writeln!(f, "our {} is {times} times that of {server}", self.headline)?;
        }
        if rows.iter().any(|row| row.load_limited) {
            writeln!(
                f,
                "* the generator was over 90 % busy: it may have been the limit"
            )?;
        }
        Ok(())
    }

    /// Our headline figure as a multiple of each other server's.
    #[must_use]
    pub fn ours_to_others(&self, case: &str, point: Point) -> Vec<(&str, f64)> {
        let Some(ours) = self.headline_of(case, point, OURS) else {
            return Vec::new();
        };
        let others = self.servers().into_iter().filter(|server| *server != OURS);
        let times = others.filter_map(|server| {
            let other = self.headline_of(case, point, server)?;
            Some((server, ours.median / other.median))
        });
        times.filter(|(_, times)| times.is_finite()).collect()
    }
}
