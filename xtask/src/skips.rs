//! Which skipped tests are expected: the list `tests/skips-allowed.txt`.
//!
//! One reason a line, `#` begins a comment. A line allows every skip whose reason begins with it,
//! so that a reason may end in what the machine says ("wanted 128 pages, free 12").

use crate::Result;
use crate::tally::{Skip, Tally};
use std::path::Path;

/// Where the list is, relative to the workspace's root.
pub(crate) const LIST: &str = "tests/skips-allowed.txt";

/// Reads the reasons that the list allows.
pub(crate) fn load(root: &Path) -> Result<Vec<String>> {
    let text = std::fs::read_to_string(root.join(LIST)).map_err(|e| format!("{LIST}: {e}"))?;
    Ok(read(&text))
}

/// Turns every skip that is not allowed into a failure; returns those.
pub(crate) fn refuse(tally: &mut Tally, allowed: &[String]) -> Vec<Skip> {
    let skipped = std::mem::take(&mut tally.skipped);
    let (fine, refused) = skipped.into_iter().partition(|s| is_allowed(s, allowed));
    tally.skipped = fine;
    let refused: Vec<Skip> = refused;
    tally.failed += refused.len();
    refused
}

fn read(text: &str) -> Vec<String> {
    let reasons = text
        .lines()
        .map(|line| line.split('#').next().unwrap_or("").trim());
    reasons
        .filter(|r| !r.is_empty())
        .map(String::from)
        .collect()
}

fn is_allowed(skip: &Skip, allowed: &[String]) -> bool {
    let listed = |reason: &String| allowed.iter().any(|a| reason.starts_with(a.as_str()));
    skip.reasons.iter().all(listed)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A skip is allowed if each of its reasons begins with a listed one; the others become
    /// failures.
    #[test]
    fn only_listed_reasons_are_allowed() {
        let allowed = read("# what CI lacks\n\nno RDMA device  # none here\n2 MiB pages:\n");
        assert_eq!(allowed, ["no RDMA device", "2 MiB pages:"]);
        let skip = |reasons: &[&str]| Skip {
            test: reasons.concat(),
            reasons: reasons.iter().map(|&r| r.to_owned()).collect(),
        };
        let mut tally = Tally {
            passed: 1,
            failed: 1,
            skipped: vec![
                skip(&["no RDMA device"]),
                skip(&["2 MiB pages: wanted 128, free 12"]),
                skip(&["no RDMA device", "no IPv6"]),
            ],
            ..Tally::default()
        };
        let refused = refuse(&mut tally, &allowed);
        assert_eq!(refused, [skip(&["no RDMA device", "no IPv6"])]);
        assert_eq!(tally.line(), "1 passed, 2 failed, 2 skipped");
    }

    /// The list in the tree can be read.
    #[test]
    fn the_list_exists() {
        load(&crate::workspace::root()).unwrap();
    }
}
