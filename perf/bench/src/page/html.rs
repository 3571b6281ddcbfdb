//! The page around tables and plots.

use std::fmt::Write as _;

use serde_json::Value;

use super::tables::{self, escape};
use super::{Kind, Plot, title};
use crate::figures::short;
use crate::results::{OURS, Results};

const STYLE: &str = include_str!("style.css");

/// What the figures cannot say, wherever they were measured.
const CAVEATS: [&str; 5] = [
    "Server and generator are on one machine and speak over its loopback: no network card, no \
     interrupts of one, no loss, no distance.",
    "The server has one CPU. What more CPUs, caches that they share and a second memory node \
     change, these figures do not show.",
    "Where the machine is virtual, time is what the hypervisor left (<code>steal_s</code>), and \
     there are no hardware counters. Instructions for a byte, which nothing blurs, are counted by \
     <code>cargo xtask lab bench</code> (tests/lab).",
    "Ratios within one file are from runs by turns and hold better than any figure alone; figures \
     from two machines cannot be compared.",
    "The floor program is what TLS and the kernel cost with as many connections, if a server did \
     nothing else.",
];

/// The whole page.
pub(super) fn page(kinds: &[Kind], plots: &[Vec<Plot>]) -> String {
    let mut html = format!(
        "<!DOCTYPE html><html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <title>zonecast: what was measured</title><style>{STYLE}</style></head><body>\
         <h1>zonecast: what was measured</h1>"
    );
    html += &overview(kinds);
    html += "<h2 id=\"limits\">What these figures cannot tell</h2><ul>";
    for caveat in CAVEATS {
        let _ = write!(html, "<li>{caveat}</li>");
    }
    html += "</ul>";
    for (number, (kind, plots)) in kinds.iter().zip(plots).enumerate() {
        html += &section(number, kind, plots);
    }
    html + "</body></html>\n"
}

/// A row for each kind: its first part.
fn overview(kinds: &[Kind]) -> String {
    let mut html =
        "<table class=\"overview\"><caption>The first line of each table below; at its end is the \
                    command that makes it</caption><thead><tr><th>what</th><th>figure</th>\
                    <th>ours</th><th>ours ÷ nginx</th><th>ours ÷ floor</th><th class=\"left\">command</th></tr>\
                    </thead><tbody>"
            .to_owned();
    for (number, kind) in kinds.iter().enumerate() {
        let results = &kind.newest.results;
        for (case, point) in results.legs().into_iter().take(1) {
            let ours = results.headline_of(case, point, OURS);
            let times = results.ours_to_others(case, point);
            let to = |server: &str| {
                let found = times.iter().find(|(other, _)| *other == server);
                found.map_or_else(|| "–".to_owned(), |(_, times)| short(*times))
            };
            let _ = write!(
                html,
                "<tr><th><a href=\"#s{number}\">{}</a><br><small>{}</small></th>\
                 <td><code>{}</code></td><td>{}</td><td class=\"ratio\">{}</td>\
                 <td class=\"ratio\">{}</td><td class=\"left\"><code>{}</code></td></tr>",
                escape(&title(results)),
                escape(&tables::leg(results, case, point)),
                escape(&results.headline),
                ours.map_or_else(|| "–".to_owned(), |spread| spread.to_string()),
                to("nginx"),
                to("floor"),
                escape(&results.command)
            );
        }
    }
    html + "</tbody></table>"
}

fn section(number: usize, kind: &Kind, plots: &[Plot]) -> String {
    let results = &kind.newest.results;
    let mut html = format!(
        "<section><h2 id=\"s{number}\">{}</h2>",
        escape(&title(results))
    );
    if results.quick {
        html += "<p class=\"warning\">Short runs: these figures mean little.</p>";
    }
    let _ = write!(html, "<pre>{}</pre>", escape(&results.command));
    html += &tables::headline(results);
    if results.summary.iter().any(|row| row.load_limited) {
        html += "<p><small>* the generator was over 90 % busy: throughput, viewers and delays \
                 may be the generator's; CPU time is the server's all the same.</small></p>";
    }
    html += &tables::fits(results);
    for plot in plots {
        let caption = escape(&plot.caption);
        let _ = write!(
            html,
            "<figure>{}<figcaption>{caption} <code>{}</code></figcaption></figure>",
            plot.svg,
            escape(&results.command)
        );
    }
    html += &tables::figures(results);
    html += &list(
        "Not measured here",
        results.skipped.iter().map(String::as_str),
    );
    html += &list("Notes", results.notes().into_iter());
    html += &tables::earlier(kind);
    html += &made_on(&kind.newest.file, results);
    html + "</section>"
}

fn list<'t>(head: &str, lines: impl Iterator<Item = &'t str>) -> String {
    let lines: Vec<_> = lines
        .map(|line| format!("<li>{}</li>", escape(line)))
        .collect();
    if lines.is_empty() {
        return String::new();
    }
    format!("<h3>{head}</h3><ul>{}</ul>", lines.concat())
}

/// Machine, versions and settings.
fn made_on(file: &str, results: &Results) -> String {
    let mut html = format!(
        "<details><summary>{}, on {} with Linux {}</summary><table class=\"facts\"><tbody>\
         <tr><th>file</th><td><code>{}</code></td></tr>",
        escape(&results.date),
        escape(&said(results.machine.get("cpu"))),
        escape(&said(results.machine.get("kernel"))),
        escape(file)
    );
    if !results.floor_sweep.is_empty() {
        let sizes = results.floor_sweep.iter();
        let sizes: Vec<_> = sizes
            .map(|size| format!("{}: {}", size.records, short(size.figure)))
            .collect();
        let sizes = sizes.join(", ");
        let _ = write!(
            html,
            "<tr><th>floor, by records a send</th><td>{sizes}</td></tr>"
        );
    }
    let groups = [&results.settings, &results.machine, &results.versions];
    for (name, value) in groups.into_iter().flatten() {
        let value = said(Some(value));
        let _ = write!(
            html,
            "<tr><th>{}</th><td>{}</td></tr>",
            escape(name),
            escape(&value)
        );
    }
    html + "</tbody></table></details>"
}

fn said(value: Option<&Value>) -> String {
    match value {
        Some(Value::String(text)) => text.clone(),
        Some(value) => value.to_string(),
        None => "unknown".to_owned(),
    }
}
