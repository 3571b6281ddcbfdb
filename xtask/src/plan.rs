//! What the command line of `test` selects.

use crate::Result;

/// What a filter can select as a whole.
const PARTS: [&str; 7] = ["check", "unit", "loom", "fuzz", "e2e", "lab", "demo"];

/// What the command line asks for.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Plan {
    pub(crate) strict: bool,
    /// The parts to run; none means all that the filters leave.
    parts: Vec<String>,
    /// Words that a test's name must contain one of.
    pub(crate) filters: Vec<String>,
}

impl Plan {
    /// Sorts the arguments into flags, parts and filters.
    pub(crate) fn read(arguments: &[String]) -> Result<Plan> {
        let mut plan = Plan::default();
        for argument in arguments {
            match argument.as_str() {
                "--strict" => plan.strict = true,
                part if PARTS.contains(&part) => plan.parts.push(part.to_owned()),
                flag if flag.starts_with('-') => return Err(format!("test has no flag {flag}")),
                word => plan.filters.push(word.to_owned()),
            }
        }
        Ok(plan)
    }

    /// Whether `part` runs: it is selected, or nothing is and a filter of names leaves it.
    pub(crate) fn has(&self, part: &str) -> bool {
        if self.parts.is_empty() {
            self.filters.is_empty() || ["unit", "loom", "e2e"].contains(&part)
        } else {
            self.parts.iter().any(|p| p == part)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(words: &[&str]) -> Result<Plan> {
        let words: Vec<_> = words.iter().map(|&word| word.to_owned()).collect();
        Plan::read(&words)
    }

    fn parts(words: &[&str]) -> Vec<&'static str> {
        let plan = plan(words).unwrap();
        PARTS.into_iter().filter(|part| plan.has(part)).collect()
    }

    /// Nothing selects everything, a part itself, a name whatever runs tests by name, and both
    /// the tests of that name in that part.
    #[test]
    fn selects_parts() {
        assert_eq!(parts(&["--strict"]), PARTS);
        assert_eq!(parts(&["demo", "loom"]), ["loom", "demo"]);
        assert_eq!(parts(&["lease"]), ["unit", "loom", "e2e"]);
        assert_eq!(parts(&["lease", "loom"]), ["loom"]);
    }

    /// Flags and names are told apart; an unknown flag is an error.
    #[test]
    fn tells_flags_from_names() {
        let plan_of = plan(&["lease", "--strict"]).unwrap();
        assert!(plan_of.strict);
        assert_eq!(plan_of.filters, ["lease"]);
        assert!(plan(&["--release"]).is_err());
    }
}
