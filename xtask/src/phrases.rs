//! Text that does not belong in the tree: work left undone, and tests that never run.

use crate::source::Source;

/// Marks of work left undone, looked for in the whole text. Written in halves: this file is read
/// as well.
const UNDONE: [&str; 2] = [concat!("TO", "DO"), concat!("FIX", "ME")];

/// Code that makes a test say nothing; a test that cannot run here probes for it, prints
/// `SKIP: reason` and returns.
const IDLE_TESTS: [&str; 2] = ["#[ignore", "assert!(true)"];

/// What breaks the rule, one line each.
pub(crate) fn broken(sources: &[Source]) -> Vec<String> {
    let mut lines = Vec::new();
    for source in sources {
        for (text, number) in source.text.lines().zip(1..) {
            lines.extend(
                UNDONE.iter().filter(|p| text.contains(**p)).map(|phrase| {
                    format!("{}:{number}: {phrase}: finish it", source.path.display())
                }),
            );
        }
        for (code, number) in source.code.lines().zip(1..) {
            lines.extend(
                IDLE_TESTS
                    .iter()
                    .filter(|p| code.contains(**p))
                    .map(|phrase| {
                        format!(
                            "{}:{number}: {phrase}: probe and print SKIP:",
                            source.path.display()
                        )
                    }),
            );
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::code_only;

    /// Marks in comments and idle tests in code are found by line; a string is no code.
    #[test]
    fn finds_both_kinds() {
        let text = format!(
            "let a = \"#[ignore]\";\n// {}: later\n#[ignore]\nfn b() {{}}",
            UNDONE[0]
        );
        let source = Source {
            path: "a.rs".into(),
            code: code_only(&text),
            text,
        };
        let lines = broken(&[source]);
        assert_eq!(lines.len(), 2, "{lines:?}");
        assert!(lines[0].starts_with("a.rs:2:"), "{lines:?}");
        assert!(lines[1].starts_with("a.rs:3:"), "{lines:?}");
    }
}
