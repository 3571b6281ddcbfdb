//! The tables of the page.

use std::fmt::Write as _;

use crate::figures::{Spread, more_is_better, short};
use crate::page::Kind;
use crate::points::Point;
use crate::results::{OURS, Results, Row};

/// A part's rows need no more than this many points to be shown with all figures at once.
const OPEN_MAX: usize = 2;

/// Text in HTML.
pub(super) fn escape(text: &str) -> String {
    let text = text.replace('&', "&amp;").replace('<', "&lt;");
    text.replace('>', "&gt;").replace('"', "&quot;")
}

/// A row for each part and point: the headline figure of all servers, and ours as a multiple.
pub(super) fn headline(results: &Results) -> String {
    let servers = results.servers();
    let others: Vec<_> = servers.iter().filter(|server| **server != OURS).collect();
    let mut html = format!(
        "<table><caption><code>{}</code>: median (least–most) of each server's runs; {} is \
         better</caption><thead><tr><th>part</th>",
        escape(&results.headline),
        if more_is_better(&results.headline) {
            "more"
        } else {
            "less"
        }
    );
    for server in &servers {
        let _ = write!(html, "<th>{}</th>", escape(server));
    }
    for other in &others {
        let _ = write!(html, "<th>ours ÷ {}</th>", escape(other));
    }
    html += "</tr></thead><tbody>";
    for (case, point) in results.legs() {
        let _ = write!(html, "<tr><th>{}</th>", escape(&leg(results, case, point)));
        for server in &servers {
            let row = results.rows(case, point).find(|row| row.server == *server);
            let figure = row.and_then(|row| row.get(&results.headline));
            html += &cell(figure, row.map_or("", mark));
        }
        let times = results.ours_to_others(case, point);
        for other in &others {
            let found = times.iter().find(|(server, _)| server == *other);
            let text = found.map_or_else(|| "–".to_owned(), |(_, times)| short(*times));
            let _ = write!(html, "<td class=\"ratio\">{text}</td>");
        }
        html += "</tr>";
    }
    html + "</tbody></table>"
}

/// All figures of each part and point, servers across.
pub(super) fn figures(results: &Results) -> String {
    let legs = results.legs();
    let open = if legs.len() <= OPEN_MAX { " open" } else { "" };
    let mut html = String::new();
    for (case, point) in legs {
        let rows: Vec<_> = results.rows(case, point).collect();
        let name = escape(&format!("{case}: {point}"));
        let _ = write!(html, "<details{open}><summary>{name}</summary>");
        html += "<table><thead><tr><th>figure</th>";
        for row in &rows {
            let runs = if row.runs == 1 { "run" } else { "runs" };
            let _ = write!(
                html,
                "<th>{}{}<br><small>{} {runs}</small></th>",
                escape(&row.server),
                mark(row),
                row.runs
            );
        }
        html += "</tr></thead><tbody>";
        for name in Row::names(&rows) {
            let _ = write!(html, "<tr><th><code>{}</code></th>", escape(name));
            for row in &rows {
                html += &cell(row.get(name), "");
            }
            html += "</tr>";
        }
        html += "</tbody></table></details>";
    }
    html
}

/// How the headline figure grows.
pub(super) fn fits(results: &Results) -> String {
    if results.fits.is_empty() {
        return String::new();
    }
    let mut html = format!(
        "<table><caption>How <code>{}</code> grows: the exponent of a power law through the \
         medians. 0: a byte costs the same however much there is; 1: twice as many, twice the \
         cost</caption><thead><tr><th>part</th><th>server</th><th>what grows</th>\
         <th>exponent</th><th>points are within</th></tr></thead><tbody>",
        escape(&results.headline)
    );
    for fit in &results.fits {
        let _ = write!(
            html,
            "<tr><th>{}</th><td>{}</td><td>{}, {} to {}</td><td>{:.3}</td><td>{:.0} %</td></tr>",
            escape(&fit.case),
            escape(&fit.server),
            fit.axis.label(),
            fit.from,
            fit.to,
            fit.exponent,
            (fit.off_by - 1.0) * 100.0
        );
    }
    html + "</tbody></table>"
}

/// Earlier results of a kind: ours, and the ratio to the newest.
pub(super) fn earlier(kind: &Kind) -> String {
    if kind.earlier.is_empty() {
        return String::new();
    }
    let newest = &kind.newest.results;
    let Some((case, point)) = newest.legs().first().copied() else {
        return String::new();
    };
    let mut html = format!(
        "<details><summary>{} earlier</summary><table><caption>Ours at {}</caption><thead><tr>\
         <th>when</th><th>tree</th><th>then</th><th>now ÷ then</th><th>file</th></tr></thead><tbody>",
        kind.earlier.len(),
        escape(&leg(newest, case, point))
    );
    let now = newest.headline_of(case, point, OURS);
    for kept in &kind.earlier {
        let then = kept.results.headline_of(case, point, OURS);
        let ratio = match (now, then) {
            (Some(now), Some(then)) => short(now.median / then.median),
            _ => "–".to_owned(),
        };
        let tree = kept
            .results
            .versions
            .get("tree")
            .and_then(|tree| tree.as_str());
        let _ = write!(
            html,
            "<tr><th>{}</th><td>{}</td><td>{}</td><td class=\"ratio\">{ratio}</td><td><code>{}</code></td></tr>",
            escape(&kept.results.date),
            escape(tree.unwrap_or("–")),
            then.map_or_else(|| "–".to_owned(), |spread| spread.to_string()),
            escape(&kept.file)
        );
    }
    html + "</tbody></table></details>"
}

/// What a row is called: no more than tells it from the others.
pub(super) fn leg(results: &Results, case: &str, point: Point) -> String {
    if case == results.name {
        point.to_string()
    } else {
        format!("{case}: {point}")
    }
}

/// A star where the generator may have been the limit.
pub(super) fn mark(row: &Row) -> &'static str {
    if row.load_limited { "*" } else { "" }
}

fn cell(figure: Option<Spread>, mark: &str) -> String {
    let Some(spread) = figure else {
        return "<td>–</td>".to_owned();
    };
    let (least, most) = (short(spread.min), short(spread.max));
    let range = match spread.min == spread.max {
        true => String::new(),
        false => format!(" <small>({least}–{most})</small>"),
    };
    format!("<td>{}{mark}{range}</td>", short(spread.median))
}
