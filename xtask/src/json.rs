//! A reader of JSON, for what cargo prints: `cargo metadata` and `--message-format=json`.
//!
//! Reads one document into a tree. Numbers are kept as `f64` (cargo prints none that matters
//! here). Refuses what RFC 8259 refuses, and nesting deeper than [`DEPTH_MAX`].

/// How deep arrays and objects may nest; cargo's own documents stay under ten.
const DEPTH_MAX: usize = 64;

/// A JSON value.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Json {
    Null,
    Bool(bool),
    Number(f64),
    String(String),
    Array(Vec<Json>),
    Object(Vec<(String, Json)>),
}

impl Json {
    /// Reads a whole document; the error names the byte at which it stopped.
    pub(crate) fn parse(text: &str) -> Result<Json, String> {
        let mut reader = Reader { text, at: 0 };
        let value = reader.value(0)?;
        reader.skip_space();
        if reader.at == text.len() {
            Ok(value)
        } else {
            Err(reader.error("nothing more"))
        }
    }

    /// The member `key` of an object.
    pub(crate) fn get(&self, key: &str) -> Option<&Json> {
        let Json::Object(members) = self else {
            return None;
        };
        members.iter().find(|(name, _)| name == key).map(|(_, v)| v)
    }

    /// The text of a string.
    pub(crate) fn as_str(&self) -> Option<&str> {
        match self {
            Json::String(text) => Some(text),
            _ => None,
        }
    }

    /// The items of an array; nothing for any other value.
    pub(crate) fn items(&self) -> &[Json] {
        match self {
            Json::Array(items) => items,
            _ => &[],
        }
    }
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl Reader<'_> {
    fn error(&self, expected: &str) -> String {
        format!("JSON: expected {expected} at byte {}", self.at)
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn skip_space(&mut self) {
        while let Some(b' ' | b'\t' | b'\r' | b'\n') = self.peek() {
            self.at += 1;
        }
    }

    /// Steps over `byte` if it is next, after white space.
    fn take(&mut self, byte: u8) -> bool {
        self.skip_space();
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    fn expect(&mut self, byte: u8) -> Result<(), String> {
        if self.take(byte) {
            Ok(())
        } else {
            Err(self.error(&format!("`{}`", char::from(byte))))
        }
    }

    fn value(&mut self, depth: usize) -> Result<Json, String> {
        if depth > DEPTH_MAX {
            return Err(self.error("less nesting"));
        }
        self.skip_space();
        match self.peek() {
            Some(b'{') => self.object(depth),
            Some(b'[') => self.array(depth),
            Some(b'"') => Ok(Json::String(self.string()?)),
            Some(b'-' | b'0'..=b'9') => self.number(),
            _ => self.word(),
        }
    }

    fn word(&mut self) -> Result<Json, String> {
        let words = [
            ("null", Json::Null),
            ("true", Json::Bool(true)),
            ("false", Json::Bool(false)),
        ];
        for (word, value) in words {
            if self.text[self.at..].starts_with(word) {
                self.at += word.len();
                return Ok(value);
            }
        }
        Err(self.error("a value"))
    }

    fn number(&mut self) -> Result<Json, String> {
        let rest = &self.text[self.at..];
        let end = rest
            .find(|c: char| !matches!(c, '0'..='9' | '-' | '+' | '.' | 'e' | 'E'))
            .unwrap_or(rest.len());
        let number = rest[..end].parse().map_err(|_| self.error("a number"))?;
        self.at += end;
        Ok(Json::Number(number))
    }

    fn array(&mut self, depth: usize) -> Result<Json, String> {
        self.expect(b'[')?;
        let mut items = Vec::new();
        if self.take(b']') {
            return Ok(Json::Array(items));
        }
        loop {
            items.push(self.value(depth + 1)?);
            if !self.take(b',') {
                self.expect(b']')?;
                return Ok(Json::Array(items));
            }
        }
    }

    fn object(&mut self, depth: usize) -> Result<Json, String> {
        self.expect(b'{')?;
        let mut members = Vec::new();
        if self.take(b'}') {
            return Ok(Json::Object(members));
        }
        loop {
            self.skip_space();
            let key = self.string()?;
            self.expect(b':')?;
            members.push((key, self.value(depth + 1)?));
            if !self.take(b',') {
                self.expect(b'}')?;
                return Ok(Json::Object(members));
            }
        }
    }

    fn string(&mut self) -> Result<String, String> {
        self.expect(b'"')?;
        let mut text = String::new();
        loop {
            let next = self.text[self.at..].chars().next();
            match next {
                Some('"') => {
                    self.at += 1;
                    return Ok(text);
                }
                Some('\\') => {
                    self.at += 1;
                    text.push(self.escape()?);
                }
                Some(c) if c >= ' ' => {
                    self.at += c.len_utf8();
                    text.push(c);
                }
                _ => return Err(self.error("the end of a string")),
            }
        }
    }

    fn escape(&mut self) -> Result<char, String> {
        let plain = match self.peek() {
            Some(b'u') => {
                self.at += 1;
                return self.unicode();
            }
            Some(b'n') => '\n',
            Some(b't') => '\t',
            Some(b'r') => '\r',
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(byte @ (b'"' | b'\\' | b'/')) => char::from(byte),
            _ => return Err(self.error("an escape")),
        };
        self.at += 1;
        Ok(plain)
    }

    /// The character of `\uXXXX`, or of a surrogate pair of two of them.
    fn unicode(&mut self) -> Result<char, String> {
        let mut units = vec![self.unit()?];
        if (0xd800..0xdc00).contains(&units[0]) && self.text[self.at..].starts_with("\\u") {
            self.at += 2;
            units.push(self.unit()?);
        }
        match String::from_utf16(&units) {
            Ok(text) => text.chars().next().ok_or_else(|| self.error("a character")),
            Err(_) => Err(self.error("a whole surrogate pair")),
        }
    }

    fn unit(&mut self) -> Result<u16, String> {
        let unit = self
            .text
            .get(self.at..self.at + 4)
            .filter(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()))
            .and_then(|digits| u16::from_str_radix(digits, 16).ok())
            .ok_or_else(|| self.error("four hex digits"))?;
        self.at += 4;
        Ok(unit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every kind of value is read, with space around it, and found by its key.
    #[test]
    fn reads_every_kind() {
        let text = r#" { "a" : [ 1, -2.5e3, true, false, null ], "b": {"c": "d"}, "e": [] } "#;
        let json = Json::parse(text).unwrap();
        let a = json.get("a").unwrap().items();
        assert_eq!(a[1], Json::Number(-2500.0));
        assert_eq!(a[2..], [Json::Bool(true), Json::Bool(false), Json::Null]);
        assert_eq!(
            json.get("b").and_then(|b| b.get("c")).unwrap().as_str(),
            Some("d")
        );
        assert!(json.get("e").unwrap().items().is_empty());
        assert_eq!(json.get("absent"), None);
    }

    /// Escapes come out as the characters they name, surrogate pairs as one.
    #[test]
    fn reads_escapes() {
        let json = Json::parse(r#""\"\\\/\n\t\u00e9 \ud83c\udfa5 ü""#).unwrap();
        assert_eq!(json.as_str(), Some("\"\\/\n\té 🎥 ü"));
    }

    /// What is not JSON is refused with its place, and never panics, wherever it is cut off.
    #[test]
    fn refuses_what_is_not_json() {
        let bad = [
            "",
            "{",
            "[1,]",
            "{\"a\" 1}",
            "\"a",
            "\"\\x\"",
            "\"\\ud800\"",
            "1 2",
            "tru",
            "-",
        ];
        for text in bad {
            assert!(Json::parse(text).is_err(), "{text}");
        }
        assert!(
            Json::parse(&"[".repeat(100_000))
                .unwrap_err()
                .contains("nesting")
        );
        let whole = r#"{"a":["\u00e9\ud83c\udfa5ü",1.5,null]}"#;
        for end in (0..whole.len()).filter(|&end| whole.is_char_boundary(end)) {
            assert!(Json::parse(&whole[..end]).is_err(), "{}", &whole[..end]);
        }
    }
}
