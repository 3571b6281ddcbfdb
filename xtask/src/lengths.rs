//! How long a file and a function may be.
//!
//! Files are counted here. Functions are counted by clippy (`too_many_lines`, a warning of the
//! workspace, and warnings fail); what is held here is that nobody switches that lint off.

use crate::source::Source;

/// A file longer than this fails.
const FILE_LINES_MAX: usize = 500;
/// A file longer than this is named, so that the next change splits it.
const FILE_LINES_LONG: usize = 300;

/// The rule as a line for a person.
pub(crate) fn rule() -> String {
    format!("files of at most {FILE_LINES_MAX} lines, functions of 100 (clippy)")
}

/// What the files' lengths come to.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Lengths {
    /// What breaks the rule, one line each.
    pub(crate) broken: Vec<String>,
    /// What will soon, one line each.
    pub(crate) long: Vec<String>,
}

/// Measures every file.
pub(crate) fn measure(sources: &[Source]) -> Lengths {
    let mut lengths = Lengths::default();
    for source in sources {
        let path = source.path.display();
        let lines = source.text.lines().count();
        if lines > FILE_LINES_MAX {
            lengths
                .broken
                .push(format!("{path}: {lines} lines, {FILE_LINES_MAX} at most"));
        } else if lines > FILE_LINES_LONG {
            lengths.long.push(format!("long: {path}, {lines} lines"));
        }
        if source.code.contains("clippy::too_many_lines") {
            lengths
                .broken
                .push(format!("{path}: switches clippy::too_many_lines off"));
        }
    }
    lengths
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::code_only;

    fn source(lines: usize, first: &str) -> Source {
        let text = format!("{first}\n{}", "x\n".repeat(lines - 1));
        Source {
            path: "a.rs".into(),
            code: code_only(&text),
            text,
        }
    }

    /// The limits themselves are allowed; one line more is long, then too long.
    #[test]
    fn files_have_limits() {
        let lengths = |lines| measure(&[source(lines, "x")]);
        assert_eq!(lengths(300), Lengths::default());
        assert_eq!(lengths(301).long, ["long: a.rs, 301 lines"]);
        assert_eq!(lengths(500).broken, [""; 0]);
        assert_eq!(lengths(501).broken, ["a.rs: 501 lines, 500 at most"]);
    }

    /// Switching the lint on functions off is found; writing about it is not.
    #[test]
    fn the_lint_stays_on() {
        let attribute = measure(&[source(2, "#[allow(clippy::too_many_lines)]")]);
        assert_eq!(
            attribute.broken,
            ["a.rs: switches clippy::too_many_lines off"]
        );
        let comment = measure(&[source(2, "// clippy::too_many_lines")]);
        assert_eq!(comment, Lengths::default());
    }
}
