//! Running one command with its output captured line by line, both streams in their order.

use crate::Result;
use crate::steps::Progress;
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

/// How often a silent command is looked at.
const LOOK: Duration = Duration::from_millis(500);

/// How long output may stay open after the command has ended; a process that it left behind and
/// that still holds the pipe is not waited for any longer.
const LINGER: Duration = Duration::from_secs(3);

/// What a command did.
pub(crate) struct Captured {
    /// Whether it exited with 0.
    pub(crate) success: bool,
    /// What it wrote on stdout and stderr.
    pub(crate) lines: Vec<String>,
}

/// Runs `command` to its end; `on_line` sees each line as it comes. A command that says nothing
/// new for a while is reported through `progress`.
pub(crate) fn capture(
    mut command: Command,
    progress: &mut Progress,
    mut on_line: impl FnMut(&str, &mut Progress),
) -> Result<Captured> {
    let name = command.get_program().to_string_lossy().into_owned();
    let failed = |e: std::io::Error| format!("{name}: {e}");
    let (reader, writer) = std::io::pipe().map_err(failed)?;
    command
        .stdin(Stdio::null())
        .stdout(writer.try_clone().map_err(failed)?)
        .stderr(writer);
    let mut child = command.spawn().map_err(failed)?;
    // The command holds the pipe's writing ends; without them the reader sees its end.
    drop(command);

    let (sender, receiver) = channel();
    thread::spawn(move || send_lines(reader, &sender));
    let mut lines: Vec<String> = Vec::new();
    let mut ended = None;
    while let Some(event) = next_line(&receiver, &mut child, &mut ended) {
        if let Some(line) = event {
            on_line(&line, progress);
            lines.push(line);
        }
        let last = lines.iter().rfind(|line| !is_message(line));
        progress.still_running(last.map_or("", String::as_str));
    }
    let status = child.wait().map_err(failed)?;
    if !status.success() {
        lines.push(format!("{name}: {status}"));
    }
    Ok(Captured {
        success: status.success(),
        lines,
    })
}

/// Whether a line is one of cargo's messages to a program, and not to a person.
pub(crate) fn is_message(line: &str) -> bool {
    line.starts_with("{\"reason\":")
}

/// The next line, `Some(None)` while there is none yet, `None` after the last.
fn next_line(
    receiver: &Receiver<String>,
    child: &mut Child,
    ended: &mut Option<Instant>,
) -> Option<Option<String>> {
    match receiver.recv_timeout(LOOK) {
        Ok(line) => Some(Some(line)),
        Err(RecvTimeoutError::Disconnected) => None,
        Err(RecvTimeoutError::Timeout) => {
            if ended.is_none() && !matches!(child.try_wait(), Ok(None)) {
                *ended = Some(Instant::now());
            }
            let lingers = ended.is_some_and(|at| at.elapsed() > LINGER);
            (!lingers).then_some(None)
        }
    }
}

/// Sends what `output` says, line by line, to its end.
pub(crate) fn send_lines(output: impl Read, sender: &Sender<String>) {
    let mut reader = BufReader::new(output);
    let mut line = Vec::new();
    while let Ok(1..) = reader.read_until(b'\n', &mut line) {
        let text = String::from_utf8_lossy(&line).trim_end().to_owned();
        if sender.send(text).is_err() {
            return;
        }
        line.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Captured {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        capture(command, &mut Progress::silent(), |_, _| {}).unwrap()
    }

    /// Both streams arrive in the order written, bytes that are no text included.
    #[test]
    fn captures_both_streams_in_order() {
        let captured = shell("echo a; echo b >&2; printf 'c\\377'");
        assert!(captured.success);
        assert_eq!(captured.lines, ["a", "b", "c\u{fffd}"]);
    }

    /// A failure is one, and its status is the last line.
    #[test]
    fn reports_failure() {
        let captured = shell("echo a; exit 3");
        assert!(!captured.success);
        assert_eq!(captured.lines, ["a", "sh: exit status: 3"]);
    }

    /// A process left behind with the pipe open does not hold the capture up.
    #[test]
    fn does_not_wait_for_what_is_left_behind() {
        let started = Instant::now();
        let captured = shell("sleep 20 & echo a");
        assert_eq!(captured.lines, ["a"]);
        assert!(started.elapsed() < Duration::from_secs(15));
    }
}
