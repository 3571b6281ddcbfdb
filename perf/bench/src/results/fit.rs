//! How a figure grows with something: the exponent of a power law through the medians.
//!
//! A cost of a byte that stays the same has the exponent 0; one that doubles with twice the
//! viewers has 1. The line goes through logarithms, by least squares.

use serde::{Deserialize, Serialize};

use super::Results;
use crate::points::Axis;

/// Scenarios whose headline figure is the cost of a byte, which a law may hold for.
const FITTED: [&str; 2] = ["curves", "delivery"];
/// Fewer points make no line.
const POINTS_MIN: usize = 3;

/// One server in one part, along one axis.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Fit {
    /// The part of the scenario.
    pub case: String,
    /// The server.
    pub server: String,
    /// What grows.
    pub axis: Axis,
    /// From where.
    pub from: u32,
    /// To where.
    pub to: u32,
    /// The headline figure grows as the axis to this power.
    pub exponent: f64,
    /// How far a point is from the line at most, as a factor.
    pub off_by: f64,
}

/// A fit for each part whose points differ along one axis alone.
#[must_use]
pub(super) fn all(results: &Results) -> Vec<Fit> {
    if !FITTED.contains(&results.name.as_str()) {
        return Vec::new();
    }
    let mut cases: Vec<_> = results.legs().into_iter().map(|leg| leg.0).collect();
    cases.dedup();
    let mut fits: Vec<Fit> = Vec::new();
    for case in cases {
        let [axis] = results.axes(case)[..] else {
            continue;
        };
        for server in results.servers() {
            let rows = results.summary.iter();
            let rows = rows.filter(|row| row.case == case && row.server == server);
            let points = rows.filter_map(|row| {
                let figure = row.get(&results.headline)?;
                Some((f64::from(axis.of(&row.point)), figure.median))
            });
            let points: Vec<_> = points.collect();
            if let Some((exponent, off_by)) = power_law(&points) {
                let of = |f: fn(f64, f64) -> f64| points.iter().map(|point| point.0).reduce(f);
                fits.push(Fit {
                    case: case.to_owned(),
                    server: server.to_owned(),
                    axis,
                    from: of(f64::min).unwrap_or_default() as u32,
                    to: of(f64::max).unwrap_or_default() as u32,
                    exponent,
                    off_by,
                });
            }
        }
    }
    fits
}

/// The exponent, and how far a point is from the line at most, as a factor.
fn power_law(points: &[(f64, f64)]) -> Option<(f64, f64)> {
    if points.len() < POINTS_MIN || points.iter().any(|&(x, y)| x <= 0.0 || y <= 0.0) {
        return None;
    }
    let logs: Vec<_> = points.iter().map(|&(x, y)| (x.ln(), y.ln())).collect();
    let count = logs.len() as f64;
    let mean_x = logs.iter().map(|log| log.0).sum::<f64>() / count;
    let mean_y = logs.iter().map(|log| log.1).sum::<f64>() / count;
    let width: f64 = logs.iter().map(|log| (log.0 - mean_x).powi(2)).sum();
    if width == 0.0 {
        return None;
    }
    let common: f64 = logs.iter().map(|(x, y)| (x - mean_x) * (y - mean_y)).sum();
    let slope = common / width;
    let off = |(x, y): &(f64, f64)| (y - mean_y - slope * (x - mean_x)).abs();
    let off_by = logs.iter().map(off).fold(0.0, f64::max).exp();
    Some((slope, off_by))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// A power law is found exactly; what strays from it is told by how much.
    #[test]
    fn finds_the_exponent() {
        let law = |exponent: f64| [1.0, 10.0, 100.0].map(|x: f64| (x, 3.0 * x.powf(exponent)));
        for exponent in [-1.0, 0.0, 0.25] {
            let (found, off_by) = power_law(&law(exponent)).unwrap();
            assert!((found - exponent).abs() < 1e-9 && (off_by - 1.0).abs() < 1e-9);
        }
        let mut bent = law(0.0);
        bent[1].1 *= 2.0;
        let (found, off_by) = power_law(&bent).unwrap();
        assert!(found.abs() < 1e-9 && off_by > 1.5, "{found} {off_by}");
        assert_eq!(power_law(&law(1.0)[..2]), None);
        assert_eq!(power_law(&[(1.0, 1.0), (1.0, 2.0), (1.0, 3.0)]), None);
        assert_eq!(power_law(&[(1.0, 0.0), (2.0, 2.0), (3.0, 3.0)]), None);
    }
}
