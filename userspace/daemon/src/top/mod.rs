//! `zonecast top`: the zones as they change.
//!
//! ```text
//! pinned maps ──▶ Sample, once a second ──▶ Rates: this one less the one before ──▶ a table
//! ```

mod draw;
mod sample;

use std::io::IsTerminal;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use ratatui::crossterm::event::{self, Event, KeyCode, KeyEventKind, KeyModifiers};

use crate::cli::TopArguments;
use sample::{Rates, Sample};

/// How often it looks.
const INTERVAL: Duration = Duration::from_secs(1);

/// Shows the zones until `q`.
///
/// # Errors
/// Nothing is pinned there, it may not be read, or there is no terminal.
pub fn run(arguments: &TopArguments) -> anyhow::Result<ExitCode> {
    let folder = &arguments.folder;
    if !std::io::stdout().is_terminal() {
        anyhow::bail!("it needs a terminal; `zonecast zones` prints the same once");
    }
    let counters = crate::zones::opened(folder)?;
    let mut before = Sample::take(&counters)?;
    let mut terminal = ratatui::init();
    let title = folder.display().to_string();
    let shown = loop {
        let now = match Sample::take(&counters) {
            Ok(now) => now,
            Err(error) => break Err(error.into()),
        };
        let rates = Rates::between(&before, &now);
        before = now;
        if let Err(error) = terminal.draw(|frame| draw::all(frame, &title, &rates)) {
            break Err(error.into());
        }
        match wait(INTERVAL) {
            Ok(true) => {}
            Ok(false) => break Ok(ExitCode::SUCCESS),
            Err(error) => break Err(error.into()),
        }
    };
    ratatui::restore();
    shown
}

/// Waits; false when it is to end.
fn wait(interval: Duration) -> std::io::Result<bool> {
    let until = Instant::now() + interval;
    loop {
        let left = until.saturating_duration_since(Instant::now());
        if !event::poll(left)? {
            return Ok(true);
        }
        match event::read()? {
            Event::Key(key) if key.kind == KeyEventKind::Press => {
                let interrupts = key.modifiers.contains(KeyModifiers::CONTROL);
                match key.code {
                    KeyCode::Char('q') | KeyCode::Esc => return Ok(false),
                    KeyCode::Char('c') if interrupts => return Ok(false),
                    _ => {}
                }
            }
            // Another size is another table.
            Event::Resize(..) => return Ok(true),
            _ => {}
        }
    }
}
