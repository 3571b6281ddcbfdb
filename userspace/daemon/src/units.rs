//! Durations and sizes as people write them: `"500ms"`, `"2s"`, `"64MiB"`.
//!
//! A number without a unit is refused, so that nobody has to guess whether a 10 means
//! seconds or milliseconds. Both types print what they read, in the largest unit that
//! needs no fraction.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::de::{self, Deserialize, Deserializer, Visitor};

/// What a duration looks like, for error messages.
const TIME_FORM: &str = r#"a time with a unit (ms, s, m or h), such as "500ms", "2s" or "10m""#;

/// What a size looks like, for error messages.
const BYTES_FORM: &str =
    r#"a size with a unit (B, KiB, MiB, GiB or TiB), such as "64KiB" or "1GiB""#;

/// Units of time with their milliseconds, largest first.
const TIME_UNITS: [(&str, u64); 4] = [("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

/// Units of size with their bytes, largest first.
const BYTES_UNITS: [(&str, u64); 5] = [
    ("TiB", 1 << 40),
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("B", 1),
];

/// A length of time, in whole milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Time(u64);

impl Time {
    /// This many milliseconds.
    #[must_use]
    pub const fn millis(n: u64) -> Self {
        Self(n)
    }

    /// This many seconds.
    #[must_use]
    pub const fn seconds(n: u64) -> Self {
        Self(n * 1000)
    }

    /// For the standard library.
    #[must_use]
    pub const fn duration(self) -> Duration {
        Duration::from_millis(self.0)
    }
}

/// A number of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Bytes(pub u64);

impl Bytes {
    /// This many KiB.
    #[must_use]
    pub const fn kib(n: u64) -> Self {
        Self(n << 10)
    }

    /// This many MiB.
    #[must_use]
    pub const fn mib(n: u64) -> Self {
        Self(n << 20)
    }
}

/// Why a text is not a duration or not a size; its display says what is allowed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnitError {
    /// Not a number followed by a known unit.
    #[error("{text:?} is not {expected}")]
    Form {
        /// What was written.
        text: String,
        /// What is allowed.
        expected: &'static str,
    },
    /// More than can be held.
    #[error("{text:?} is too large")]
    TooLarge {
        /// What was written.
        text: String,
    },
}

fn parse(text: &str, units: &[(&str, u64)], expected: &'static str) -> Result<u64, UnitError> {
    let form = || UnitError::Form {
        text: text.to_owned(),
        expected,
    };
    let too_large = || UnitError::TooLarge {
        text: text.to_owned(),
    };
    let end = text.find(|c: char| !c.is_ascii_digit()).ok_or_else(form)?;
    let (number, unit) = text.split_at(end);
    let unit = unit.strip_prefix(' ').unwrap_or(unit);
    let (_, factor) = units
        .iter()
        .find(|(name, _)| *name == unit)
        .ok_or_else(form)?;
    if number.is_empty() {
        return Err(form());
    }
    let number: u64 = number.parse().map_err(|_| too_large())?;
    number.checked_mul(*factor).ok_or_else(too_large)
}

fn print(value: u64, units: &[(&str, u64)], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let whole = units
        .iter()
        .find(|(_, factor)| value != 0 && value.is_multiple_of(*factor));
    match whole.or(units.last()) {
        Some((unit, factor)) => write!(f, "{}{unit}", value / factor),
        None => write!(f, "{value}"),
    }
}

impl FromStr for Time {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        parse(text, &TIME_UNITS, TIME_FORM).map(Self)
    }
}

impl FromStr for Bytes {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        parse(text, &BYTES_UNITS, BYTES_FORM).map(Self)
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        print(self.0, &TIME_UNITS, f)
    }
}

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        print(self.0, &BYTES_UNITS, f)
    }
}

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(Text::new(TIME_FORM))
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(Text::new(BYTES_FORM))
    }
}

/// Reads any type out of a string, and says `expected` when the value is no string.
pub(crate) struct Text<T>(&'static str, std::marker::PhantomData<T>);

impl<T> Text<T> {
    pub(crate) fn new(expected: &'static str) -> Self {
        Self(expected, std::marker::PhantomData)
    }
}

impl<T: FromStr<Err: fmt::Display>> Visitor<'_> for Text<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<T, E> {
        text.parse().map_err(E::custom)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Each unit is read as what it says, with or without one space.
    #[test]
    fn units_mean_what_they_say() {
        for (text, millis) in [
            ("500ms", 500),
            ("2s", 2_000),
            ("10m", 600_000),
            ("1h", 3_600_000),
            ("3 s", 3_000),
        ] {
            assert_eq!(text.parse(), Ok(Time(millis)), "{text}");
        }
        for (text, bytes) in [
            ("0B", 0),
            ("8KiB", 8 << 10),
            ("64MiB", 64 << 20),
            ("1GiB", 1 << 30),
            ("2TiB", 2 << 40),
        ] {
            assert_eq!(text.parse(), Ok(Bytes(bytes)), "{text}");
        }
    }

    /// What has no unit, two of them, a decimal one or a fraction is refused, and so is what
    /// does not fit; the message says what is allowed.
    #[test]
    fn anything_else_is_refused() {
        for text in [
            "", "5", "s", "-1s", "1.5s", "2  s", "1s2", "10 sec", "1S", "٣s",
        ] {
            let error = text.parse::<Time>().unwrap_err();
            assert_eq!(error.to_string(), format!("{text:?} is not {TIME_FORM}"));
        }
        for text in ["64MB", "64M", "1 GB", "10", "KiB", "0x10B"] {
            let error = text.parse::<Bytes>().unwrap_err();
            assert_eq!(error.to_string(), format!("{text:?} is not {BYTES_FORM}"));
        }
        let error = "99999999999TiB".parse::<Bytes>().unwrap_err();
        assert_eq!(error.to_string(), r#""99999999999TiB" is too large"#);
        assert!("99999999999999999999999s".parse::<Time>().is_err());
    }

    proptest! {
        /// Whatever is printed is read back as the same value.
        #[test]
        fn printing_and_reading_agree(value: u64) {
            prop_assert_eq!(Time(value).to_string().parse(), Ok(Time(value)));
            prop_assert_eq!(Bytes(value).to_string().parse(), Ok(Bytes(value)));
        }

        /// No text makes the parsers panic, and what they take is a number and a unit.
        #[test]
        fn no_text_panics(text in "\\PC{0,20}|[0-9]{0,25} ?[a-zA-Z]{0,4}") {
            if text.parse::<Time>().is_ok() || text.parse::<Bytes>().is_ok() {
                prop_assert!(text.starts_with(|c: char| c.is_ascii_digit()));
                prop_assert!(text.ends_with(|c: char| c.is_ascii_alphabetic()));
            }
        }
    }
}
