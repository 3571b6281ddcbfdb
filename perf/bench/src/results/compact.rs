//! JSON that people can read and compare: a line for each row and run, not for each figure.

use std::io::{self, Write};

use anyhow::Result;
use serde::Serialize;
use serde_json::ser::{Formatter, PrettyFormatter};

/// What lies deeper than this is on its parent's line.
const DEPTH_MAX: usize = 2;

/// A value as text with a line's end.
///
/// # Errors
/// It is nothing that JSON can hold.
pub(super) fn to_string(value: &impl Serialize) -> Result<String> {
    let mut bytes = Vec::new();
    let formatter = Compact {
        depth: 0,
        pretty: PrettyFormatter::new(),
    };
    value.serialize(&mut serde_json::Serializer::with_formatter(
        &mut bytes, formatter,
    ))?;
    bytes.push(b'\n');
    Ok(String::from_utf8(bytes)?)
}

struct Compact {
    depth: usize,
    pretty: PrettyFormatter<'static>,
}

impl Compact {
    fn is_deep(&self) -> bool {
        self.depth > DEPTH_MAX
    }

    fn separate<W: ?Sized + Write>(writer: &mut W, first: bool) -> io::Result<()> {
        if first {
            Ok(())
        } else {
            writer.write_all(b", ")
        }
    }
}

impl Formatter for Compact {
    fn begin_array<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.depth += 1;
        match self.is_deep() {
            true => writer.write_all(b"["),
            false => self.pretty.begin_array(writer),
        }
    }

    fn end_array<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        let was_deep = self.is_deep();
        self.depth -= 1;
        match was_deep {
            true => writer.write_all(b"]"),
            false => self.pretty.end_array(writer),
        }
    }

    fn begin_array_value<W: ?Sized + Write>(&mut self, w: &mut W, first: bool) -> io::Result<()> {
        match self.is_deep() {
            true => Compact::separate(w, first),
            false => self.pretty.begin_array_value(w, first),
        }
    }

    fn end_array_value<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        match self.is_deep() {
            true => Ok(()),
            false => self.pretty.end_array_value(writer),
        }
    }

    fn begin_object<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.depth += 1;
        match self.is_deep() {
            true => writer.write_all(b"{"),
            false => self.pretty.begin_object(writer),
        }
    }

    fn end_object<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        let was_deep = self.is_deep();
        self.depth -= 1;
        match was_deep {
            true => writer.write_all(b"}"),
            false => self.pretty.end_object(writer),
        }
    }

    fn begin_object_key<W: ?Sized + Write>(&mut self, w: &mut W, first: bool) -> io::Result<()> {
        match self.is_deep() {
            true => Compact::separate(w, first),
            false => self.pretty.begin_object_key(w, first),
        }
    }

    fn begin_object_value<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        writer.write_all(b": ")
    }

    fn end_object_value<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        match self.is_deep() {
            true => Ok(()),
            false => self.pretty.end_object_value(writer),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::{Value, json};

    use super::*;

    /// Rows are one line each, and nothing is lost.
    #[test]
    fn a_row_is_a_line() {
        let value = json!({"a": [{"b": 1, "c": [1, {}]}, {"b": 2}], "d": {"e": "f"}, "g": []});
        let text = to_string(&value).unwrap();
        assert!(
            text.contains("\n    {\"b\": 1, \"c\": [1, {}]},\n"),
            "{text}"
        );
        let back: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(back, value);
    }
}
