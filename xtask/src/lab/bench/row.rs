//! A row of the guest's, as it says it: `NAME: ok  own=N whole=N client=N bytes=N`, or
//! `NAME: ok  skipped: WHY`.

/// One byte path.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Row {
    pub(super) name: String,
    pub(super) found: Found,
}

/// What was found.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Found {
    Cost(Cost),
    /// Why nothing was measured.
    Skipped(String),
}

/// Instructions, and the bytes that viewers got meanwhile.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Cost {
    own: u64,
    whole: u64,
    client: u64,
    bytes: u64,
}

impl Cost {
    /// The server's own, for a byte.
    pub(super) fn own(&self) -> f64 {
        self.own as f64 / self.bytes as f64
    }

    /// The whole guest's without the viewers', for a byte.
    pub(super) fn whole(&self) -> f64 {
        self.whole as f64 / self.bytes as f64
    }
}

impl Row {
    /// Reads a step; those that measure nothing are none.
    pub(super) fn read(step: &str) -> Option<Row> {
        let (name, said) = step.split_once(": ok  ")?;
        let found = match said.strip_prefix("skipped: ") {
            Some(why) => Found::Skipped(why.to_owned()),
            None => Found::Cost(cost(said)?),
        };
        Some(Row {
            name: name.to_owned(),
            found,
        })
    }

    /// An object of JSON. Names and reasons are the guest's own words, without anything that has
    /// to be escaped; what has all the same is left out.
    pub(super) fn json(&self) -> String {
        let plain = |text: &str| text.replace(|c: char| c == '"' || c == '\\' || c < ' ', "");
        let name = plain(&self.name);
        match &self.found {
            Found::Skipped(why) => format!(r#"{{"path": "{name}", "skipped": "{}"}}"#, plain(why)),
            Found::Cost(cost) => {
                let Cost {
                    own,
                    whole,
                    client,
                    bytes,
                } = cost;
                let head = format!(r#"{{"path": "{name}", "bytes": {bytes}"#);
                format!(
                    r#"{head}, "own_instructions": {own}, "whole_instructions": {whole}, "client_instructions": {client}}}"#
                )
            }
        }
    }
}

fn cost(said: &str) -> Option<Cost> {
    let value = |name: &str| {
        let mut words = said.split(' ').filter_map(|word| word.split_once('='));
        let (_, value) = words.find(|(key, _)| *key == name)?;
        value.parse::<u64>().ok()
    };
    Some(Cost {
        own: value("own")?,
        whole: value("whole")?,
        client: value("client")?,
        bytes: value("bytes").filter(|bytes| *bytes > 0)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::Json;

    /// Figures and reasons are read; other steps, and ones without all figures, are none.
    #[test]
    fn reads_steps() {
        let row = Row::read("nginx, plain: ok  own=100 whole=250 client=7 bytes=50").unwrap();
        let Found::Cost(cost) = &row.found else {
            panic!("{row:?}")
        };
        assert_eq!((cost.own(), cost.whole()), (2.0, 5.0));
        let skipped = Row::read("a: ok  skipped: no kernel_tls").unwrap();
        assert_eq!(skipped.found, Found::Skipped(String::from("no kernel_tls")));
        for other in [
            "the object: ok  500000 bytes",
            "a: ok  own=1 whole=2 bytes=0",
            "a: FAILED x",
        ] {
            assert_eq!(Row::read(other), None);
        }
        for row in [row, skipped] {
            let json = Json::parse(&row.json()).unwrap();
            assert_eq!(json.get("path").unwrap().as_str(), Some(&*row.name));
        }
    }
}
