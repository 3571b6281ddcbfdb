//! The Rust files of the tree, and their text without comments and literals.
//!
//! The rules that look for words in code (`unsafe`, attributes) look at [`code_only`], so that a
//! word in a comment or a string is never taken for code. Line numbers stay what they were.

use crate::Result;
use std::fs;
use std::path::{Path, PathBuf};

/// One Rust file.
pub(crate) struct Source {
    /// Relative to the workspace's root.
    pub(crate) path: PathBuf,
    pub(crate) text: String,
    /// The text as [`code_only`] leaves it.
    pub(crate) code: String,
}

/// Reads every `.rs` file below `root`, sorted by path; leaves out hidden folders and `target`s.
pub(crate) fn read_all(root: &Path) -> Result<Vec<Source>> {
    let mut sources = Vec::new();
    let mut folders = vec![root.to_path_buf()];
    while let Some(folder) = folders.pop() {
        let failed = |e| format!("{}: {e}", folder.display());
        for entry in fs::read_dir(&folder).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let (path, name) = (entry.path(), entry.file_name());
            let name = name.to_string_lossy();
            let kind = entry.file_type().map_err(failed)?;
            if kind.is_dir() && !name.starts_with('.') && name != "target" {
                folders.push(path);
            } else if kind.is_file() && name.ends_with(".rs") {
                sources.push(read_one(root, &path)?);
            }
        }
    }
    sources.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(sources)
}

fn read_one(root: &Path, path: &Path) -> Result<Source> {
    let text = fs::read_to_string(path).map_err(|e| format!("{}: {e}", path.display()))?;
    Ok(Source {
        path: path.strip_prefix(root).unwrap_or(path).to_path_buf(),
        code: code_only(&text),
        text,
    })
}

/// The lines (from 1) of `code` in which `word` stands as a whole identifier.
pub(crate) fn lines_with_word(code: &str, word: &str) -> Vec<usize> {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    let numbered = code.lines().zip(1..);
    numbered
        .filter(|(line, _)| line.split(|c| !is_part(c)).any(|w| w == word))
        .map(|(_, number)| number)
        .collect()
}

/// `text` with every comment, string and character literal replaced by spaces, line for line.
pub(crate) fn code_only(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let after_identifier = code.ends_with(|c: char| c.is_alphanumeric() || c == '_');
        let blank = comment(rest).or_else(|| literal(rest, after_identifier));
        if let Some(length) = blank {
            code.extend(
                rest[..length]
                    .chars()
                    .map(|c| if c == '\n' { '\n' } else { ' ' }),
            );
            rest = &rest[length..];
        } else {
            code.push(first);
            rest = &rest[first.len_utf8()..];
        }
    }
    code
}

/// The length of the comment that `text` begins with; block comments nest.
fn comment(text: &str) -> Option<usize> {
    if text.starts_with("//") {
        return Some(text.find('\n').unwrap_or(text.len()));
    }
    if !text.starts_with("/*") {
        return None;
    }
    let (mut depth, mut at) = (0_usize, 0);
    while at < text.len() {
        let here = &text.as_bytes()[at..];
        if here.starts_with(b"/*") {
            depth += 1;
            at += 2;
        } else if here.starts_with(b"*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return Some(at);
            }
        } else {
            at += 1;
        }
    }
    Some(text.len())
}

/// The length of the string or character literal that `text` begins with, prefix included.
fn literal(text: &str, after_identifier: bool) -> Option<usize> {
    let prefix = if after_identifier {
        0
    } else {
        prefix_length(text)
    };
    let body = &text[prefix..];
    if text[..prefix].contains('r') {
        return raw_string(body).map(|length| prefix + length);
    }
    match body.chars().next() {
        Some('"') => Some(prefix + quoted(body, '"')),
        Some('\'') if is_character(body) => Some(prefix + quoted(body, '\'')),
        _ => None,
    }
}

/// The length of `b`, `c`, `r`, `br` or `cr`, if a literal follows directly.
fn prefix_length(text: &str) -> usize {
    for prefix in ["br", "cr", "r", "b", "c"] {
        if let Some(body) = text.strip_prefix(prefix) {
            let hashes = body.trim_start_matches('#');
            let raw = prefix.ends_with('r') && hashes.starts_with('"');
            if raw || body.starts_with('"') || (prefix == "b" && body.starts_with('\'')) {
                return prefix.len();
            }
        }
    }
    0
}

/// The length of `"…"` or `#"…"#` with any number of hashes, without the prefix.
fn raw_string(body: &str) -> Option<usize> {
    let hashes = body.len() - body.trim_start_matches('#').len();
    let open = hashes + 1;
    if !body[hashes..].starts_with('"') {
        return None;
    }
    let close = format!("\"{}", "#".repeat(hashes));
    let end = body[open..].find(&close).map(|at| open + at + close.len());
    Some(end.unwrap_or(body.len()))
}

/// Whether a quote opens a character and not a lifetime: an escape, or one character and a quote.
fn is_character(body: &str) -> bool {
    let mut after = body.chars().skip(1);
    match after.next() {
        Some('\\') => true,
        Some(_) => after.next() == Some('\''),
        None => false,
    }
}

/// The length of a literal between two `quote`s, with backslash escapes.
fn quoted(body: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in body.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            c if c == quote => return at + c.len_utf8(),
            _ => {}
        }
    }
    body.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Comments and literals of every form go; code, lifetimes and line ends stay.
    #[test]
    fn keeps_code_only() {
        let text = "a /* x /* y */ z\n */ b // c\n\"d \\\" e\" f r#\"g \" h\"# 'i' '\\'' &'j k b\"l\" br\"m\" n";
        let words = code_only(text);
        let words: Vec<_> = words.split_whitespace().collect();
        assert_eq!(words, ["a", "b", "f", "&'j", "k", "n"]);
        assert_eq!(code_only(text).lines().count(), text.lines().count());
    }

    /// Identifiers that end like a prefix, raw identifiers and labels are not literals.
    #[test]
    fn keeps_what_only_looks_like_a_literal() {
        for text in [
            "r#type + br#in",
            "'outer: loop { break 'outer; }",
            "fn f<'a>(x: &'a u8)",
        ] {
            assert_eq!(code_only(text), text);
        }
        assert_eq!(code_only("number\"x\""), "number   ");
    }

    /// Unfinished literals and comments end with the file and do not panic.
    #[test]
    fn survives_unfinished_text() {
        for text in [
            "\"abc",
            "/* abc",
            "r##\"abc\"#",
            "'\\",
            "b'",
            "'",
            "r#",
            "é'é'é\"é",
        ] {
            assert_eq!(
                code_only(text).chars().count(),
                text.chars().count(),
                "{text}"
            );
        }
    }

    /// Only whole identifiers count, and the line numbers are those of the file.
    #[test]
    fn finds_whole_words() {
        let code = "unsafe_code\n x unsafe {\n\nunsafe(no_mangle)";
        assert_eq!(lines_with_word(code, "unsafe"), [2, 4]);
    }
}
