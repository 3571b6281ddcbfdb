//! Where in a configuration file each key stands.
//!
//! serde gives values without their place. This keeps the places, so that every complaint,
//! of the parser as of the checks after it, can name line and key.

use std::ops::Range;

use toml::de::{DeTable, DeValue};

/// The text of a file and the place of each of its keys.
#[derive(Debug, Default)]
pub struct Document {
    text: String,
    entries: Vec<Entry>,
}

/// One key with its full name, such as `listeners[1].tls`.
#[derive(Debug)]
struct Entry {
    name: String,
    key: Range<usize>,
    value: Range<usize>,
}

impl Document {
    /// Notes the keys of `text`; none where it is not TOML (the parser says that).
    #[must_use]
    pub fn new(text: String) -> Self {
        let mut entries = Vec::new();
        if let Ok(table) = DeTable::parse(&text) {
            walk_table(table.get_ref(), "", &mut entries);
        }
        Self { text, entries }
    }

    /// The text.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether the file has this key.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.entries.iter().any(|e| e.name == name)
    }

    /// The line, from 1, of a key, or of the nearest table around it that the file has; `None`
    /// where the file has neither (the key has its default).
    #[must_use]
    pub fn line(&self, name: &str) -> Option<usize> {
        let mut name = name;
        loop {
            if let Some(entry) = self.entries.iter().find(|e| e.name == name) {
                return Some(self.line_at(entry.key.start));
            }
            name = &name[..name.rfind(['.', '['])?];
        }
    }

    /// The line, from 1, of a byte of the text.
    #[must_use]
    pub fn line_at(&self, offset: usize) -> usize {
        let before = &self.text.as_bytes()[..offset.min(self.text.len())];
        1 + before.iter().filter(|byte| **byte == b'\n').count()
    }

    /// The key that a place in the text belongs to: the last one whose name or value covers it.
    #[must_use]
    pub fn key_at(&self, place: &Range<usize>) -> Option<&str> {
        let covers = |outer: &Range<usize>| outer.start <= place.start && place.end <= outer.end;
        let mut found = self
            .entries
            .iter()
            .filter(|e| covers(&e.key) || covers(&e.value));
        found.next_back().map(|e| e.name.as_str())
    }
}

fn walk_table(table: &DeTable<'_>, prefix: &str, entries: &mut Vec<Entry>) {
    for (key, value) in table {
        let dot = if prefix.is_empty() { "" } else { "." };
        let name = format!("{prefix}{dot}{}", key.get_ref());
        entries.push(Entry {
            name: name.clone(),
            key: key.span(),
            value: value.span(),
        });
        walk_value(value.get_ref(), &name, entries);
    }
}

fn walk_value(value: &DeValue<'_>, name: &str, entries: &mut Vec<Entry>) {
    match value {
        DeValue::Table(table) => walk_table(table, name, entries),
        DeValue::Array(array) => {
            for (index, element) in array.iter().enumerate() {
                let name = format!("{name}[{index}]");
                let span = element.span();
                entries.push(Entry {
                    name: name.clone(),
                    key: span.clone(),
                    value: span,
                });
                walk_value(element.get_ref(), &name, entries);
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Keys of tables, arrays of tables and inline tables are found by name and by place, and
    /// what is not in the file has the line of what is around it.
    #[test]
    fn keys_and_lines() {
        let text = "a = 1\n[m]\nx = 1\n[[l]]\nlisten = 'q'\n[[l]]\nd = { z = 1 }\n";
        let document = Document::new(text.to_owned());
        for (name, line) in [
            ("a", Some(1)),
            ("m", Some(2)),
            ("m.x", Some(3)),
            ("m.missing", Some(2)),
            ("l[0].listen", Some(5)),
            ("l[1]", Some(6)),
            ("l[1].listen", Some(6)),
            ("l[1].d.z", Some(7)),
            ("missing", None),
            ("missing[3].deep", None),
        ] {
            assert_eq!(document.line(name), line, "{name}");
        }
        let z = text.find("z =").unwrap();
        assert_eq!(document.key_at(&(z..z + 1)), Some("l[1].d.z"));
        let second = text.rfind("[[l]]").unwrap();
        assert_eq!(document.key_at(&(second..second + 5)), Some("l[1]"));
        assert!(document.has("m.x") && !document.has("m.y"));
    }
}
