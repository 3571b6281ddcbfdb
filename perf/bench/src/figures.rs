//! Figures of runs, and what several runs come to.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::points::Point;

pub mod pairs;

/// What one run came to: names with their units last, in the order of the table.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Figures {
    /// Name and value.
    #[serde(with = "pairs")]
    pub values: Vec<(String, f64)>,
    /// The generator's CPU was so busy that it may have been the limit.
    pub load_limited: bool,
    /// What else there is to say.
    pub notes: Vec<String>,
}

/// One run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// The part of the scenario.
    pub case: String,
    /// The server.
    pub server: String,
    /// From 1.
    pub number: usize,
    /// With how much of everything.
    pub point: Point,
    /// What it came to.
    pub figures: Figures,
}

impl Figures {
    /// Adds one; what is no number (a cost of no bytes) is none.
    pub fn add(&mut self, name: &str, value: f64) {
        if value.is_finite() {
            self.values.push((name.to_owned(), value));
        }
    }

    /// One of them.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<f64> {
        let found = self.values.iter().find(|(known, _)| known == name)?;
        Some(found.1)
    }
}

impl fmt::Display for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.server)?;
        for (name, value) in &self.figures.values {
            write!(f, " {name} {}", short(*value))?;
        }
        if self.figures.load_limited {
            write!(f, " (the generator was the limit)")?;
        }
        Ok(())
    }
}

/// One figure over several runs.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Spread {
    /// The middle one, or the mean of the two in the middle.
    pub median: f64,
    /// The smallest.
    pub min: f64,
    /// The largest.
    pub max: f64,
}

impl Spread {
    /// Of values; `None` without any.
    #[must_use]
    pub fn of(mut values: Vec<f64>) -> Option<Spread> {
        values.sort_by(f64::total_cmp);
        let (min, max) = (*values.first()?, *values.last()?);
        let middle = values.len() / 2;
        let median = if values.len().is_multiple_of(2) {
            f64::midpoint(values[middle - 1], values[middle])
        } else {
            values[middle]
        };
        Some(Spread { median, min, max })
    }
}

impl Spread {
    /// No value of the one is among those of the other.
    #[must_use]
    pub fn is_apart(&self, other: &Spread) -> bool {
        self.min > other.max || self.max < other.min
    }
}

impl fmt::Display for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = if self.min == self.max {
            short(self.median)
        } else {
            let (min, max) = (short(self.min), short(self.max));
            format!("{} ({min}–{max})", short(self.median))
        };
        f.pad(&text)
    }
}

/// The headline figures of which more is better; of all others less is.
const MORE_IS_BETTER: [&str; 1] = ["viewers"];

/// Whether more of a headline figure is better, rather than less.
#[must_use]
pub fn more_is_better(headline: &str) -> bool {
    MORE_IS_BETTER.contains(&headline)
}

/// In their order, each once.
#[must_use]
pub fn each_once<'n>(names: impl IntoIterator<Item = &'n str>) -> Vec<&'n str> {
    let mut kept = Vec::new();
    for name in names {
        if !kept.contains(&name) {
            kept.push(name);
        }
    }
    kept
}

/// A number with about three digits that count.
#[must_use]
pub fn short(value: f64) -> String {
    match value.abs() {
        size if size >= 10_000.0 => in_threes(&format!("{value:.0}")),
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        size if size >= 1.0 => format!("{value:.2}"),
        0.0 => "0".to_owned(),
        _ => format!("{value:.3}"),
    }
}

/// Digits with a comma before each three.
fn in_threes(digits: &str) -> String {
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        let left = digits.len() - place;
        if left.is_multiple_of(3) && text.ends_with(|before: char| before.is_ascii_digit()) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The median is the middle of the sorted values, and one run has no spread.
    #[test]
    fn finds_the_middle() {
        let spread = Spread::of(vec![3.0, 1.0, 2.5]);
        let due = Spread {
            median: 2.5,
            min: 1.0,
            max: 3.0,
        };
        assert_eq!(spread, Some(due));
        assert_eq!(due.to_string(), "2.50 (1.00–3.00)");
        let two = Spread::of(vec![4.0, 2.0]).map(|spread| spread.median);
        assert_eq!(two, Some(3.0));
        assert_eq!(Spread::of(Vec::new()), None);
        let one = Spread::of(vec![0.25]).map(|spread| spread.to_string());
        assert_eq!(one.as_deref(), Some("0.250"));
        let texts = [999.6, 9_999.0, 10_000.0, 1_234_567.0, -123_456.0].map(short);
        assert_eq!(texts, ["1000", "9999", "10,000", "1,234,567", "-123,456"]);
    }

    /// Names keep their order, and are there once.
    #[test]
    fn names_are_there_once() {
        assert_eq!(each_once(["b", "a", "b", "c", "a"]), ["b", "a", "c"]);
    }

    /// Programs read figures by their names, in the order of the table.
    #[test]
    fn figures_are_a_map() {
        let mut figures = Figures::default();
        figures.add("z_first", 1.5);
        figures.add("of_nothing", f64::NAN);
        figures.add("a_second", 2.0);
        let text = serde_json::to_string(&figures).unwrap_or_default();
        let due = r#"{"values":{"z_first":1.5,"a_second":2.0},"load_limited":false,"notes":[]}"#;
        assert_eq!(text, due);
        let back: Figures = serde_json::from_str(&text).unwrap_or_default();
        assert_eq!(back, figures);
    }
}
