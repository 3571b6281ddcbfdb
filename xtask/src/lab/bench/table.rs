//! The table for a person: the first run's figures, each beside two others that it is compared
//! with, and how far the runs are apart.

use super::Run;
use super::row::{Cost, Found, Row};

/// What all are compared with: how the rows' names begin, and what the column is called. Of
/// several rows the cheapest counts.
const COMPARED: [(&str, &str); 2] = [
    ("nginx, TLS in the kernel", "÷ nginx kTLS"),
    ("bare, TLS in the kernel, send ", "÷ bare kTLS"),
];

/// The lines of the table.
pub(super) fn print(runs: &[Run]) -> String {
    let Some(first) = runs.first() else {
        return String::new();
    };
    let bases = COMPARED.map(|(name, _)| base(first, name));
    let mut text = format!(
        "{:<46} {:>7} {:>7}  {:>13} {:>12} {:>8}\n",
        "instructions a byte", "own", "whole", COMPARED[0].1, COMPARED[1].1, "runs ±"
    );
    for row in first {
        let line = match &row.found {
            Found::Skipped(why) => format!("skipped: {why}"),
            Found::Cost(cost) => {
                let [nginx, bare] = bases.map(|base| ratio(cost.own(), base));
                let apart = apart(&row.name, runs);
                let (own, whole) = (cost.own(), cost.whole());
                format!("{own:>7.2} {whole:>7.2}  {nginx:>13} {bare:>12} {apart:>8}")
            }
        };
        text += &format!("{:<46} {line}\n", row.name);
    }
    text
}

/// The least that a path of this name takes.
fn base(rows: &[Row], name: &str) -> Option<f64> {
    let rows = rows.iter().filter(|row| row.name.starts_with(name));
    let costs = rows.filter_map(measured).map(|cost| cost.own());
    costs.reduce(f64::min)
}

fn measured(row: &Row) -> Option<&Cost> {
    match &row.found {
        Found::Cost(cost) => Some(cost),
        Found::Skipped(_) => None,
    }
}

fn ratio(own: f64, base: Option<f64>) -> String {
    base.map_or_else(|| String::from("-"), |base| format!("{:.2}", own / base))
}

/// How far the runs' figures of a row are apart, in percent of the least.
fn apart(name: &str, runs: &[Run]) -> String {
    let rows = runs.iter().flatten().filter(|row| row.name == name);
    let costs: Vec<_> = rows.filter_map(measured).collect();
    if costs.len() < 2 {
        return String::from("-");
    }
    let spread = |of: fn(&Cost) -> f64| {
        let least = costs.iter().copied().map(of).fold(f64::INFINITY, f64::min);
        let most = costs.iter().copied().map(of).fold(0.0, f64::max);
        (most - least) / least * 100.0
    };
    format!("{:.3} %", spread(Cost::own).max(spread(Cost::whole)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Ratios are to the cheapest row of a kind, and runs are compared by the worse figure.
    #[test]
    fn compares() {
        let row = |name: &str, own: u64, whole: u64| {
            let step = format!("{name}: ok  own={own} whole={whole} client=1 bytes=100");
            Row::read(&step).unwrap()
        };
        let bare = "bare, TLS in the kernel, send 16 KiB";
        let first = vec![
            row("a", 900, 1000),
            row(bare, 600, 600),
            row(bare, 300, 400),
        ];
        let second = vec![row("a", 900, 1010)];
        let text = print(&[first.clone(), second]);
        let line = text.lines().nth(1).unwrap();
        let words: Vec<_> = line.split_whitespace().collect();
        assert_eq!(words, ["a", "9.00", "10.00", "-", "3.00", "1.000", "%"]);
        assert!(print(&[first]).lines().nth(1).unwrap().ends_with('-'));
        let skipped = Row::read("b: ok  skipped: why").unwrap();
        assert!(print(&[vec![skipped]]).contains("skipped: why"));
    }
}
