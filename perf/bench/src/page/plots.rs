//! Which plots a benchmark has: bars where a part is measured at one point, lines where
//! something grows.

use anyhow::Result;

use super::draw::{Bars, Line, Lines, bars, lines};
use super::{Plot, tables, title};
use crate::points::{Axis, Point};
use crate::results::{Fit, Results};

/// Fewer points are not worth a line.
const LINE_MIN: usize = 2;

/// The plots of a benchmark.
pub(super) fn of(results: &Results) -> Result<Vec<Plot>> {
    let mut cases: Vec<_> = results.legs().into_iter().map(|leg| leg.0).collect();
    cases.dedup();
    cases.sort_unstable();
    cases.dedup();
    let mut plots = Vec::new();
    let mut single = Vec::new();
    for case in cases {
        match results.axes(case).as_slice() {
            [] => single.push(case),
            [axis] => plots.extend(grown(results, case, *axis, None)?),
            [other, axis] | [other, _, axis] => {
                for value in values(results, case, *other) {
                    plots.extend(grown(results, case, *axis, Some((*other, value)))?);
                }
            }
            _ => {}
        }
    }
    plots.extend(together(results, &single)?);
    Ok(plots)
}

/// One plot of all parts that were measured at one point.
fn together(results: &Results, cases: &[&str]) -> Result<Option<Plot>> {
    let legs = results.legs().into_iter();
    let legs: Vec<_> = legs.filter(|leg| cases.contains(&leg.0)).collect();
    if legs.is_empty() {
        return Ok(None);
    }
    let group = |(case, point): &(&str, Point)| {
        let of = |server: &&str| {
            Some((
                (*server).to_owned(),
                results.headline_of(case, *point, server)?,
            ))
        };
        (
            tables::leg(results, case, *point),
            results.servers().iter().filter_map(of).collect(),
        )
    };
    let svg = bars(&Bars {
        servers: owned(&results.servers()),
        what: results.headline.clone(),
        groups: legs.iter().map(group).collect(),
    })?;
    Ok(Some(Plot {
        name: format!("{}{}", results.name, suffix(results)),
        caption: format!(
            "{}: median of the runs, and the least and the most.",
            title(results)
        ),
        svg,
    }))
}

/// One plot of a part along one axis; of a grid only where the other one has a value.
fn grown(
    results: &Results,
    case: &str,
    axis: Axis,
    fixed: Option<(Axis, u32)>,
) -> Result<Option<Plot>> {
    let fits_in = |point: &Point| fixed.is_none_or(|(axis, value)| axis.of(point) == value);
    let of = |server: &str| -> Vec<_> {
        let legs = results.legs().into_iter();
        let legs = legs.filter(|leg| leg.0 == case && fits_in(&leg.1));
        let point = |(_, point): (&str, Point)| {
            Some((axis.of(&point), results.headline_of(case, point, server)?))
        };
        legs.filter_map(point).collect()
    };
    let servers = results.servers().into_iter();
    let lines_of: Vec<_> = servers
        .map(|server| Line {
            server: server.to_owned(),
            said: said(results, case, server),
            points: of(server),
        })
        .filter(|line| line.points.len() >= LINE_MIN)
        .collect();
    if lines_of.is_empty() {
        return Ok(None);
    }
    let at = fixed.map(|(axis, value)| (axis.label(), value));
    let mut name = format!("{}{}", results.name, suffix(results));
    if case != results.name {
        name += &format!("-{}", case.replace(' ', "-"));
    }
    let mut caption = format!("{}, {case}", title(results));
    if let Some((label, value)) = at {
        name += &format!("-{value}");
        caption += &format!(", {label} {value}");
    }
    let svg = lines(&Lines {
        what: results.headline.clone(),
        along: axis.label().to_owned(),
        lines: lines_of,
    })?;
    caption += ": median of the runs, and the least and the most.";
    Ok(Some(Plot { name, caption, svg }))
}

/// What a line is called: with its exponent where there is one.
fn said(results: &Results, case: &str, server: &str) -> String {
    let is_its = |fit: &&Fit| fit.case == case && fit.server == server;
    match results.fits.iter().find(is_its) {
        Some(fit) => format!("{server} (exponent {:.2})", fit.exponent),
        None => server.to_owned(),
    }
}

fn values(results: &Results, case: &str, axis: Axis) -> Vec<u32> {
    let legs = results.legs().into_iter();
    let mut values: Vec<_> = legs
        .filter(|leg| leg.0 == case)
        .map(|leg| axis.of(&leg.1))
        .collect();
    values.sort_unstable();
    values.dedup();
    values
}

fn suffix(results: &Results) -> &'static str {
    if results.tls { "" } else { "-plain" }
}

fn owned(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|&text| text.to_owned()).collect()
}
