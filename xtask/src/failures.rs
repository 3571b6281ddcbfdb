//! Failed tests in a few lines each: the name, and the error's message without a backtrace.
//!
//! What a failed test printed is long: its own lines, daemons' logs, backtraces. The message is
//! what a person looks for, so it is repeated at the very end, where nothing comes after it.

/// Lines of a message that are repeated: so many from its start, and so many from its end.
const FIRST_LINES: usize = 12;
const LAST_LINES: usize = 6;

/// A failed test.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Failure {
    /// Its name, with that of its binary.
    pub(crate) test: String,
    /// What it printed, without the frames of backtraces.
    pub(crate) output: Vec<String>,
}

impl Failure {
    /// The test's name, and under it what went wrong.
    pub(crate) fn lines(&self) -> Vec<String> {
        let message = shorten(message(&self.output));
        let indented = message
            .iter()
            .map(|line| format!("    {line}").trim_end().to_owned());
        std::iter::once(self.test.clone()).chain(indented).collect()
    }
}

/// The error that a test returned, or the panic that ended it: the last one, since what was
/// caught before did not. Where there is neither (a process that was killed), the output's end.
fn message(output: &[String]) -> &[String] {
    let starts = |line: &String| line.starts_with("Error: ") || is_panic(line);
    let start = output.iter().rposition(starts);
    let start = start.unwrap_or_else(|| output.len().saturating_sub(LAST_LINES));
    let message = &output[start..];
    let is_text = |line: &String| !line.trim().is_empty() && !line.starts_with("note: ");
    let end = message.iter().rposition(is_text).map_or(0, |at| at + 1);
    &message[..end]
}

fn shorten(lines: &[String]) -> Vec<String> {
    let left_out = lines.len().saturating_sub(FIRST_LINES + LAST_LINES);
    if left_out < 2 {
        return lines.to_vec();
    }
    let mut short = lines[..FIRST_LINES].to_vec();
    short.push(format!("… {left_out} lines left out …"));
    short.extend_from_slice(&lines[lines.len() - LAST_LINES..]);
    short
}

/// `thread 'a::b' panicked at src/lib.rs:1:2:`, in newer toolchains with the thread's number.
fn is_panic(line: &str) -> bool {
    line.starts_with("thread '") && line.contains(" panicked at ")
}

/// Tells the lines of a backtrace from others, which may stand before and after it.
#[derive(Debug, Default)]
pub(crate) struct Backtraces {
    inside: bool,
}

impl Backtraces {
    /// Whether the next line belongs to a backtrace: its head, or a frame of it.
    pub(crate) fn has(&mut self, line: &str) -> bool {
        let is_head = line.trim_start().eq_ignore_ascii_case("stack backtrace:");
        self.inside = is_head || (self.inside && is_frame(line));
        self.inside
    }
}

/// `  12: path::to::function`, `             at ./src/file.rs:3:4`, or what is left out.
fn is_frame(line: &str) -> bool {
    let text = line.trim_start();
    let number = text.split_once(": ").map(|(number, _)| number);
    let is_numbered = number.is_some_and(|n| n.parse::<u32>().is_ok());
    let is_indented = text.len() < line.len();
    is_indented && (is_numbered || text.starts_with("at ") || text.starts_with("[..."))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(output: &str) -> Vec<String> {
        let mut backtraces = Backtraces::default();
        let output = output.lines().filter(|line| !backtraces.has(line));
        let output = output.map(str::to_owned).collect();
        let test = "net v4".to_owned();
        Failure { test, output }.lines()
    }

    /// A returned error is shown with its causes; what was printed before and the frames after
    /// it are not.
    #[test]
    fn an_error_is_shown_whole() {
        let lines = failure(
            "seed 1\nthe logs are in /tmp/x\nError: no answer\n\nCaused by:\n    refused\n\n\
             Stack backtrace:\n   0: anyhow::error::new\n             at ./src/error.rs:1:2\n\
             \x20 1: main\n",
        );
        assert_eq!(
            lines,
            [
                "net v4",
                "    Error: no answer",
                "",
                "    Caused by:",
                "        refused"
            ]
        );
    }

    /// A panic's message is what stands between its place and its backtrace; the last panic
    /// counts.
    #[test]
    fn a_panic_is_shown_without_frames() {
        let lines = failure(
            "thread 'a' panicked at src/a.rs:1:1:\ncaught\nthread 'v4' (7) panicked at b.rs:2:2:\n\
             left: 1: 2\nstack backtrace:\n   0: core::panic\n             at /rustc/x.rs\n\
             note: Some details are omitted\n",
        );
        assert_eq!(
            lines[1..],
            [
                "    thread 'v4' (7) panicked at b.rs:2:2:",
                "    left: 1: 2"
            ]
        );
    }

    /// A long message keeps both ends; a test that says neither shows the end of what it says.
    #[test]
    fn long_ones_are_shortened() {
        let log: String = (0..50).map(|n| format!("line {n}\n")).collect();
        let lines = failure(&format!("Error: wrong, see\n{log}"));
        assert_eq!(lines.len(), 1 + FIRST_LINES + 1 + LAST_LINES);
        assert_eq!(lines[1], "    Error: wrong, see");
        assert_eq!(lines[1 + FIRST_LINES], "    … 33 lines left out …");
        assert_eq!(lines.last().map(String::as_str), Some("    line 49"));
        assert_eq!(failure(&log).len(), 1 + LAST_LINES);
        assert_eq!(failure(""), ["net v4"]);
    }
}
