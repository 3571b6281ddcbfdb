//! Reads the daemon's `/metrics`: the Prometheus text format, as far as it is needed to
//! add up samples by label.

/// One line of the exposition.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// The metric's name.
    pub name: String,
    /// Its labels, in order.
    pub labels: Vec<(String, String)>,
    /// Its value.
    pub value: f64,
}

impl Sample {
    /// The value of a label.
    #[must_use]
    pub fn label(&self, name: &str) -> Option<&str> {
        let found = self.labels.iter().find(|(known, _)| known == name)?;
        Some(&found.1)
    }
}

/// One scrape.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Metrics {
    samples: Vec<Sample>,
}

impl Metrics {
    /// Reads an exposition; lines that cannot be read are left out.
    #[must_use]
    pub fn parse(text: &str) -> Metrics {
        let lines = text.lines().map(str::trim);
        let samples = lines
            .filter(|line| !line.is_empty() && !line.starts_with('#'))
            .filter_map(sample)
            .collect();
        Metrics { samples }
    }

    /// All samples of a metric.
    pub fn samples<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Sample> {
        self.samples
            .iter()
            .filter(move |sample| sample.name == name)
    }

    /// The sum of a metric's samples that have all these labels.
    #[must_use]
    pub fn sum(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        self.samples(name)
            .filter(|sample| {
                labels
                    .iter()
                    .all(|(name, value)| sample.label(name) == Some(value))
            })
            .map(|sample| sample.value)
            .sum()
    }

    /// The different values of a label of a metric, sorted (as numbers where they are).
    #[must_use]
    pub fn values(&self, name: &str, label: &str) -> Vec<String> {
        let mut values: Vec<String> = self
            .samples(name)
            .filter_map(|sample| sample.label(label))
            .map(str::to_owned)
            .collect();
        values.sort_by_key(|value| (value.parse::<u64>().unwrap_or(u64::MAX), value.clone()));
        values.dedup();
        values
    }
}

fn sample(line: &str) -> Option<Sample> {
    let end = line.find(['{', ' '])?;
    let (name, rest) = line.split_at(end);
    let mut labels = Vec::new();
    let mut rest = rest.trim_start();
    if let Some(mut inside) = rest.strip_prefix('{') {
        loop {
            inside = inside.trim_start_matches([' ', ',']);
            if let Some(after) = inside.strip_prefix('}') {
                rest = after;
                break;
            }
            let (label, after) = inside.split_once("=\"")?;
            let (value, after) = quoted(after)?;
            labels.push((label.trim().to_owned(), value));
            inside = after;
        }
    }
    let value = rest.split_whitespace().next()?.parse().ok()?;
    Some(Sample {
        name: name.to_owned(),
        labels,
        value,
    })
}

/// A label's value up to its closing quote, with its escapes undone.
fn quoted(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut letters = text.char_indices();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '"' => return Some((value, &text[at + 1..])),
            '\\' => value.push(match letters.next()?.1 {
                'n' => '\n',
                other => other,
            }),
            letter => value.push(letter),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Names, labels with escapes, no labels, time stamps and comments.
    #[test]
    fn reads_and_sums() {
        let metrics = Metrics::parse(
            "# HELP zonecast_viewers Viewers.\n# TYPE zonecast_viewers gauge\n\
             zonecast_viewers{zone=\"0\"} 26\nzonecast_viewers{zone=\"10\"} 24 1700000000\n\
             zonecast_zone_bytes_total{zone=\"0\",path=\"userspace_tls\"} 1.5e3\n\
             zonecast_zone_bytes_total{zone=\"0\", path=\"plain\",} 500\n\
             up 1\nodd{a=\"x\\\"}\\n\"} 2\nbroken{a=\"\n",
        );
        assert!((metrics.sum("zonecast_viewers", &[]) - 50.0).abs() < 1e-9);
        assert!((metrics.sum("zonecast_zone_bytes_total", &[("zone", "0")]) - 2000.0).abs() < 1e-9);
        assert!((metrics.sum("up", &[]) - 1.0).abs() < 1e-9);
        assert_eq!(metrics.values("zonecast_viewers", "zone"), ["0", "10"]);
        assert_eq!(
            metrics.samples("odd").next().and_then(|s| s.label("a")),
            Some("x\"}\n")
        );
        assert_eq!(metrics.samples("broken").count(), 0);
    }
}
