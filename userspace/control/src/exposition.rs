//! The Prometheus text format, version 0.0.4.
//!
//! <https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format>: a HELP and a
//! TYPE line for each family, then its samples; in label values backslash, quote and line feed
//! are escaped.

use std::fmt::Write;

/// The format's content type.
pub(crate) const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// What a family's values mean.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind {
    /// Only grows; its name ends in `_total`.
    Counter,
    /// Goes up and down.
    Gauge,
}

/// A page of metrics in the making.
#[derive(Debug, Default)]
pub(crate) struct Page {
    text: String,
    name: &'static str,
}

impl Page {
    /// Begins a family; the samples after this are its own.
    pub(crate) fn family(&mut self, name: &'static str, kind: Kind, help: &str) {
        let kind = match kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
        };
        self.name = name;
        self.put(format_args!("# HELP {name} {help}\n# TYPE {name} {kind}\n"));
    }

    /// One sample of the family.
    pub(crate) fn sample(&mut self, labels: &[(&str, &str)], value: u64) {
        self.text.push_str(self.name);
        for (index, (label, text)) in labels.iter().enumerate() {
            self.text.push(if index == 0 { '{' } else { ',' });
            self.text.push_str(label);
            self.text.push_str("=\"");
            self.text.extend(text.chars().flat_map(escape));
            self.text.push('"');
        }
        let end = if labels.is_empty() { "" } else { "}" };
        self.put(format_args!("{end} {value}\n"));
    }

    /// The page.
    pub(crate) fn finish(self) -> String {
        self.text
    }

    fn put(&mut self, text: std::fmt::Arguments<'_>) {
        self.text
            .write_fmt(text)
            .expect("writing to a String cannot fail");
    }
}

fn escape(c: char) -> impl Iterator<Item = char> {
    let (first, second) = match c {
        '\\' => ('\\', Some('\\')),
        '"' => ('\\', Some('"')),
        '\n' => ('\\', Some('n')),
        other => (other, None),
    };
    std::iter::once(first).chain(second)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Families and samples look as the format asks, whatever a label holds.
    #[test]
    fn families_samples_and_escapes() {
        let mut page = Page::default();
        page.family("a_total", Kind::Counter, "All of it.");
        page.sample(&[], 1);
        page.sample(&[("x", "plain"), ("y", "q\"b\\n\nü")], u64::MAX);
        page.family("b", Kind::Gauge, "Now.");
        page.sample(&[("x", "")], 0);
        assert_eq!(
            page.finish(),
            "# HELP a_total All of it.\n# TYPE a_total counter\na_total 1\n\
             a_total{x=\"plain\",y=\"q\\\"b\\\\n\\nü\"} 18446744073709551615\n\
             # HELP b Now.\n# TYPE b gauge\nb{x=\"\"} 0\n"
        );
    }
}
