//! Field lines into a slice: bounded, without allocation, no value that breaks its line.

use crate::HeadError;
use crate::range::ContentRange;

pub(super) struct Writer<'a> {
    out: &'a mut [u8],
    written: usize,
}

impl<'a> Writer<'a> {
    pub(super) fn new(out: &'a mut [u8]) -> Self {
        Self { out, written: 0 }
    }

    pub(super) fn written(&self) -> usize {
        self.written
    }

    /// Bytes that are known to be harmless.
    pub(super) fn raw(&mut self, bytes: &[u8]) -> Result<(), HeadError> {
        let end = self.written + bytes.len();
        self.out
            .get_mut(self.written..end)
            .ok_or(HeadError::TooLong)?
            .copy_from_slice(bytes);
        self.written = end;
        Ok(())
    }

    /// `name: value`, where the value is our own.
    pub(super) fn line(&mut self, name: &str, value: &[u8]) -> Result<(), HeadError> {
        self.name(name)?;
        self.raw(value)?;
        self.raw(b"\r\n")
    }

    /// `name: value` where there is a value; a text from elsewhere, so it is checked.
    pub(super) fn text_if(&mut self, name: &str, value: Option<&str>) -> Result<(), HeadError> {
        let Some(value) = value else {
            return Ok(());
        };
        checked(value)?;
        self.line(name, value.as_bytes())
    }

    /// `name: before"value"after`.
    pub(super) fn quoted(
        &mut self,
        name: &str,
        before: &str,
        value: &str,
        after: &str,
    ) -> Result<(), HeadError> {
        checked(value)?;
        if value.contains(['"', '\\']) {
            return Err(HeadError::BadText);
        }
        self.name(name)?;
        for piece in [before, "\"", value, "\"", after, "\r\n"] {
            self.raw(piece.as_bytes())?;
        }
        Ok(())
    }

    /// `name: 123`.
    pub(super) fn number(&mut self, name: &str, value: u64) -> Result<(), HeadError> {
        self.name(name)?;
        self.decimal(value)?;
        self.raw(b"\r\n")
    }

    pub(super) fn content_range(&mut self, range: ContentRange) -> Result<(), HeadError> {
        self.raw(b"Content-Range: bytes ")?;
        match range {
            ContentRange::Part {
                first,
                last,
                length,
            } => {
                self.decimal(first)?;
                self.raw(b"-")?;
                self.decimal(last)?;
                self.raw(b"/")?;
                match length {
                    Some(length) => self.decimal(length)?,
                    None => self.raw(b"*")?,
                }
            }
            ContentRange::Unsatisfied { length } => {
                self.raw(b"*/")?;
                self.decimal(length)?;
            }
        }
        self.raw(b"\r\n")
    }

    pub(super) fn decimal(&mut self, mut value: u64) -> Result<(), HeadError> {
        let mut digits = [0; 20];
        let mut start = digits.len();
        loop {
            start -= 1;
            digits[start] = b'0' + (value % 10) as u8;
            value /= 10;
            if value == 0 {
                return self.raw(&digits[start..]);
            }
        }
    }

    fn name(&mut self, name: &str) -> Result<(), HeadError> {
        self.raw(name.as_bytes())?;
        self.raw(b": ")
    }
}

/// Only visible ASCII and spaces.
fn checked(value: &str) -> Result<(), HeadError> {
    let harmless = value
        .bytes()
        .all(|byte| byte == b' ' || byte.is_ascii_graphic());
    if harmless {
        Ok(())
    } else {
        Err(HeadError::BadText)
    }
}
