//! Drawing: bars and lines as SVG, with the spread of the runs.

use anyhow::{Result, anyhow};
use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use crate::figures::{Spread, short};
use crate::points;

/// The picture, in pixels of its own.
const SIZE: (u32, u32) = (760, 340);
const FONT: &str = "system-ui, DejaVu Sans, sans-serif";
const TEXT: i32 = 13;
/// Servers have the same colour in every plot.
const COLORS: [(&str, RGBColor); 4] = [
    ("ours", RGBColor(0x0b, 0x6e, 0x4f)),
    ("nginx", RGBColor(0xc4, 0x5a, 0x11)),
    ("varnish", RGBColor(0x2f, 0x5d, 0xa8)),
    ("floor", RGBColor(0x6b, 0x72, 0x80)),
];
const OTHER: RGBColor = RGBColor(0x8a, 0x3f, 0x8f);
/// A bar is never wider than this part of the plot.
const BAR_MAX: f64 = 0.14;
const INK: RGBColor = RGBColor(0x1c, 0x25, 0x30);
const GRID: RGBColor = RGBColor(0xe4, 0xe8, 0xec);
/// Figures further apart than this are drawn by their logarithms.
const LINEAR_MAX: f64 = 20.0;

/// Groups of bars, a bar a server.
pub(super) struct Bars {
    pub(super) servers: Vec<String>,
    pub(super) what: String,
    /// A group's name, and the servers that it has.
    pub(super) groups: Vec<(String, Vec<(String, Spread)>)>,
}

/// Lines over something that grows, a line a server.
pub(super) struct Lines {
    pub(super) what: String,
    pub(super) along: String,
    pub(super) lines: Vec<Line>,
}

/// One of them.
pub(super) struct Line {
    pub(super) server: String,
    /// Its server, as the legend says it.
    pub(super) said: String,
    pub(super) points: Vec<(u32, Spread)>,
}

type Area<'s> = DrawingArea<SVGBackend<'s>, Shift>;

/// Draws bars.
pub(super) fn bars(bars: &Bars) -> Result<String> {
    drawn(|area| {
        let figures = bars.groups.iter().flat_map(|group| &group.1);
        let most = figures.map(|(_, spread)| spread.max).fold(0.0, f64::max);
        let groups = bars.groups.len() as f64;
        let mut chart = ChartBuilder::on(area)
            .margin(12)
            .margin_top(34)
            .x_label_area_size(34)
            .y_label_area_size(64)
            .build_cartesian_2d(0.0..groups, 0.0..(most * 1.12).max(f64::MIN_POSITIVE))?;
        chart
            .configure_mesh()
            .disable_x_mesh()
            .disable_x_axis()
            .light_line_style(TRANSPARENT)
            .bold_line_style(GRID)
            .y_desc(&bars.what)
            .y_label_formatter(&|value| short(*value))
            .label_style((FONT, TEXT).into_font().color(&INK))
            .draw()?;
        let across = bars.servers.len().max(1) as f64;
        let width = (0.8 / across).min(BAR_MAX * groups);
        for (group, (name, figures)) in bars.groups.iter().enumerate() {
            let left = group as f64 + 0.5 - width * across / 2.0;
            for (place, server) in bars.servers.iter().enumerate() {
                let Some((_, spread)) = figures.iter().find(|(known, _)| known == server) else {
                    continue;
                };
                let (from, color) = (left + place as f64 * width, color(server));
                let corners = [
                    (from + width * 0.08, 0.0),
                    (from + width * 0.92, spread.median),
                ];
                let bar = Rectangle::new(corners, color.filled());
                let middle = from + width / 2.0;
                let whisker = [(middle, spread.min), (middle, spread.max)];
                chart.draw_series([bar])?;
                chart.draw_series([PathElement::new(whisker.to_vec(), INK.stroke_width(1))])?;
                let (x, y) = chart.backend_coord(&(middle, spread.max));
                text(area, &short(spread.median), (x, y - 4), VPos::Bottom)?;
            }
            let (x, y) = chart.backend_coord(&(group as f64 + 0.5, 0.0));
            text(area, name, (x, y + 8), VPos::Top)?;
        }
        let named = bars.servers.iter();
        legend(area, named.map(|server| (server.as_str(), color(server))))
    })
}

/// Draws lines.
pub(super) fn lines(lines: &Lines) -> Result<String> {
    let points = || lines.lines.iter().flat_map(|line| &line.points);
    let most = points().map(|point| point.1.max).fold(0.0, f64::max);
    let least = points()
        .map(|point| point.1.min)
        .fold(f64::INFINITY, f64::min);
    drawn(|area| {
        if least > 0.0 && most / least > LINEAR_MAX {
            let range = (least * 0.8..most * 1.25).log_scale();
            on_axes(area, lines, range)
        } else {
            let range = 0.0..(most * 1.12).max(f64::MIN_POSITIVE);
            on_axes(area, lines, range)
        }
    })
}

fn on_axes<Y>(area: &Area<'_>, lines: &Lines, y: Y) -> Result<(), DrawError>
where
    Y: plotters::coord::ranged1d::AsRangedCoord<Value = f64>,
    Y::CoordDescType: plotters::coord::ranged1d::ValueFormatter<f64>,
{
    let x = || {
        lines
            .lines
            .iter()
            .flat_map(|line| &line.points)
            .map(|point| f64::from(point.0))
    };
    let (least, most) = (x().fold(f64::INFINITY, f64::min), x().fold(0.0, f64::max));
    let mut chart = ChartBuilder::on(area)
        .margin(12)
        .margin_top(34)
        .margin_right(28)
        .x_label_area_size(44)
        .y_label_area_size(64)
        .build_cartesian_2d((least * 0.8..most * 1.25).log_scale(), y)?;
    chart
        .configure_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(GRID)
        .x_desc(&lines.along)
        .y_desc(&lines.what)
        .x_label_formatter(&|value| points::count(*value))
        .y_label_formatter(&|value| short(*value))
        .label_style((FONT, TEXT).into_font().color(&INK))
        .draw()?;
    for line in &lines.lines {
        let color = color(&line.server);
        let path = line
            .points
            .iter()
            .map(|(x, spread)| (f64::from(*x), spread.median));
        chart.draw_series(LineSeries::new(path.clone(), color.stroke_width(2)))?;
        chart.draw_series(path.map(|at| Circle::new(at, 3, color.filled())))?;
        chart.draw_series(line.points.iter().map(|(x, spread)| {
            let (x, low, high) = (f64::from(*x), spread.min, spread.max);
            PathElement::new(vec![(x, low), (x, high)], color.stroke_width(1))
        }))?;
    }
    let named = lines.lines.iter();
    let named = named.map(|line| (line.said.as_str(), color(&line.server)));
    legend(area, named)
}

fn color(server: &str) -> RGBColor {
    let found = COLORS.iter().find(|(known, _)| *known == server);
    found.map_or(OTHER, |(_, color)| *color)
}

type DrawError = DrawingAreaErrorKind<std::io::Error>;

fn drawn(draw: impl FnOnce(&Area<'_>) -> Result<(), DrawError>) -> Result<String> {
    let mut svg = String::new();
    {
        let area = SVGBackend::with_string(&mut svg, SIZE).into_drawing_area();
        draw(&area)
            .and_then(|()| area.present())
            .map_err(|error| anyhow!("a plot cannot be drawn: {error:?}"))?;
    }
    Ok(svg)
}

fn text(area: &Area<'_>, text: &str, at: (i32, i32), above: VPos) -> Result<(), DrawError> {
    let style = (FONT, TEXT).into_font().color(&INK);
    let style = style.pos(Pos::new(HPos::Center, above));
    area.draw(&Text::new(text.to_owned(), at, style))
}

/// Names and their colours, along the top.
fn legend<'t>(
    area: &Area<'_>,
    named: impl Iterator<Item = (&'t str, RGBColor)>,
) -> Result<(), DrawError> {
    let mut x = 76;
    let style = (FONT, TEXT).into_font().color(&INK);
    for (name, color) in named {
        area.draw(&Rectangle::new([(x, 10), (x + 12, 22)], color.filled()))?;
        area.draw(&Text::new(name.to_owned(), (x + 18, 9), style.clone()))?;
        x += 40 + name.chars().count() as i32 * 8;
    }
    Ok(())
}
