//! The table.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout};
use ratatui::style::{Style, Stylize};
use ratatui::widgets::{Block, Cell, Paragraph, Row as Line, Table};
use zonecast_ebpf::ZoneSums;

use super::sample::{Rates, Row};

const HEADS: [&str; 7] = ["zone", "viewers", "Mb/s", "new/s", "again/s", "RTT", "left"];

/// Draws all of it.
pub(super) fn all(frame: &mut Frame<'_>, title: &str, rates: &Rates) {
    let rows = [Constraint::Min(3), Constraint::Length(1)];
    let [table, foot] = Layout::vertical(rows).areas(frame.area());
    let heads = HEADS.into_iter().chain(ZoneSums::RULES).map(Cell::from);
    let zones = rates.zones.iter().enumerate();
    let lines = zones.map(|(zone, row)| line(&zone.to_string(), row));
    let mut lines: Vec<Line<'_>> = lines.collect();
    if rates.zones.len() > 1 {
        lines.push(line("all", &sum(&rates.zones)).bold());
    }
    let widths = vec![Constraint::Min(8); HEADS.len() + ZoneSums::RULES.len()];
    let heads = Line::new(heads).style(Style::new().reversed());
    let block = Block::bordered().title(format!(" zonecast: {title} "));
    frame.render_widget(Table::new(lines, widths).header(heads).block(block), table);
    let said = format!(
        "right of RTT: connections in all, left to the kernel and steered by rule; {} for no zone; q ends",
        rates.unsteered
    );
    frame.render_widget(Paragraph::new(said), foot);
}

fn line(zone: &str, row: &Row) -> Line<'static> {
    let rtt = row.rtt_us.map_or("-".to_owned(), |us| {
        format!("{}.{} ms", us / 1000, us / 100 % 10)
    });
    let texts = [
        zone.to_owned(),
        row.viewers.to_string(),
        format!("{:.1}", row.bits / 1e6),
        format!("{:.0}", row.accepted),
        format!("{:.0}", row.retransmits),
        rtt,
        row.missed.to_string(),
    ];
    let steered = row.steered.iter().map(ToString::to_string);
    Line::new(texts.into_iter().chain(steered).collect::<Vec<_>>())
}

/// Round trips have no sum.
fn sum(zones: &[Row]) -> Row {
    let mut sum = Row::default();
    for zone in zones {
        sum.viewers += zone.viewers;
        sum.bits += zone.bits;
        sum.accepted += zone.accepted;
        sum.retransmits += zone.retransmits;
        sum.missed += zone.missed;
        for (all, one) in sum.steered.iter_mut().zip(zone.steered) {
            *all += one;
        }
    }
    sum
}

#[cfg(test)]
mod tests {
    use ratatui::Terminal;
    use ratatui::backend::TestBackend;

    use super::*;

    /// Every zone is a line, and all of them together one more.
    #[test]
    fn the_table_shows_zones_and_their_sum() {
        let row = |viewers, bits, rtt_us| Row {
            viewers,
            bits,
            rtt_us,
            steered: [0, viewers, 0, 0, 0, 1],
            ..Row::default()
        };
        let rates = Rates {
            zones: vec![row(7, 8e6, Some(12_345)), row(2, 4.5e6, None)],
            unsteered: 3,
        };
        let mut terminal = Terminal::new(TestBackend::new(120, 8)).expect("a backend of a test");
        terminal
            .draw(|frame| all(frame, "/here", &rates))
            .expect("a backend of a test");
        let text = terminal.backend().to_string();
        let words: Vec<Vec<&str>> = text
            .lines()
            .map(|line| line.trim_matches(['"', '│']).split_whitespace().collect())
            .collect();
        assert!(text.contains("zonecast: /here"), "{text}");
        assert_eq!(words[1][..3], ["zone", "viewers", "Mb/s"], "{text}");
        assert_eq!(
            words[2][..7],
            ["0", "7", "8.0", "0", "0", "12.3", "ms"],
            "{text}"
        );
        assert_eq!(words[3][..6], ["1", "2", "4.5", "0", "0", "-"], "{text}");
        assert_eq!(words[4][..3], ["all", "9", "12.5"], "{text}");
        assert_eq!(
            words[4][words[4].len() - 6..],
            ["0", "9", "0", "0", "0", "2"],
            "{text}"
        );
        assert!(text.contains("3 for no zone"), "{text}");
    }
}
