//! The summary for a README: a table with a line for each part of each scenario.

use std::fmt::Write as _;

use anyhow::{Context, Result};

use super::{Kind, tables, title};
use crate::figures::short;
use crate::results::{OURS, Results, Row};

/// The summary stands between these lines.
const BEGIN: &str = "<!-- results: written by `cargo xtask bench report --readme FILE` -->\n";
const END: &str = "<!-- end of results -->\n";

/// The table.
pub(super) fn summary(kinds: &[Kind]) -> String {
    let mut text = String::new();
    for kind in kinds {
        let results = &kind.newest.results;
        let _ = writeln!(
            text,
            "{}: `{}`{}\n",
            title(results),
            results.command,
            when(results)
        );
        text += &table(results);
        for fit in &results.fits {
            let _ = writeln!(
                text,
                "- {}, {}: {} to the power {:.3}",
                fit.case,
                fit.server,
                fit.axis.label(),
                fit.exponent
            );
        }
        for skipped in &results.skipped {
            let _ = writeln!(text, "- not measured: {skipped}");
        }
        text.push('\n');
    }
    text
}

fn when(results: &Results) -> String {
    let date = results.date.split('T').next().unwrap_or_default();
    let machine = results.machine.get("name").and_then(|name| name.as_str());
    let quick = if results.quick {
        ", short runs that mean little"
    } else {
        ""
    };
    format!(" ({date}, {}{quick})", machine.unwrap_or("unknown"))
}

fn table(results: &Results) -> String {
    let servers = results.servers();
    let others: Vec<_> = servers.iter().filter(|server| **server != OURS).collect();
    let mut heads = vec![format!("`{}`", results.headline)];
    heads.extend(servers.iter().map(|server| (*server).to_owned()));
    heads.extend(others.iter().map(|other| format!("ours ÷ {other}")));
    let mut text = format!(
        "| {} |\n|{}\n",
        heads.join(" | "),
        "---|".repeat(heads.len())
    );
    for (case, point) in results.legs() {
        let mut cells = vec![tables::leg(results, case, point)];
        cells.extend(servers.iter().map(|server| {
            let row = results.rows(case, point).find(|row| row.server == *server);
            let said = |row: &Row| {
                let star = tables::mark(row).replace('*', "\\*");
                Some(format!("{}{star}", row.get(&results.headline)?))
            };
            row.and_then(said).unwrap_or_else(|| "–".to_owned())
        }));
        let times = results.ours_to_others(case, point);
        cells.extend(others.iter().map(|other| {
            let found = times.iter().find(|(server, _)| server == *other);
            found.map_or_else(|| "–".to_owned(), |(_, times)| short(*times))
        }));
        let _ = writeln!(text, "| {} |", cells.join(" | "));
    }
    if results.summary.iter().any(|row| row.load_limited) {
        text += "\n\\* the generator was over 90 % busy: it may have been the limit\n";
    }
    text + "\n"
}

/// A README with its summary written anew.
pub(super) fn replace(readme: &str, summary: &str) -> Result<String> {
    let begin = readme
        .find(BEGIN)
        .context("there is no line that begins the results")?;
    let end = readme.find(END).filter(|end| *end > begin);
    let end = end.context("there is no line that ends the results")?;
    let before = &readme[..begin + BEGIN.len()];
    Ok(format!(
        "{before}\n{}\n\n{}",
        summary.trim_end(),
        &readme[end..]
    ))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// Only what stands between the marks is written anew, and as often as one likes.
    #[test]
    fn only_the_summary_changes() {
        let readme = format!("# a\n{BEGIN}old\n{END}tail\n");
        let once = replace(&readme, "new\n\n").unwrap();
        assert_eq!(once, format!("# a\n{BEGIN}\nnew\n\n{END}tail\n"));
        assert_eq!(replace(&once, "new\n").unwrap(), once);
        assert!(replace("# a\n", "new").is_err());
    }
}
