//! What the command line of `lab` asks for.

use super::bench::RUNS;
use super::kernels::{LINES, Line};
use crate::Result;

/// What the command line asks for.
#[derive(Debug, PartialEq)]
pub(super) struct Wish {
    pub(super) action: Action,
    /// Suites by name, or words of the benchmark's rows; none is all.
    pub(super) names: Vec<String>,
    /// A kernel to run on, whatever the suites are made for.
    pub(super) kernel: Option<Line>,
    pub(super) profile: String,
    /// How often the benchmark measures.
    pub(super) runs: usize,
}

#[derive(Debug, PartialEq)]
pub(super) enum Action {
    Run,
    List,
    Shell,
    Broken,
    Bench,
}

impl Wish {
    /// Reads the arguments after `lab`.
    pub(super) fn read(arguments: &[String]) -> Result<Wish> {
        let mut wish = Wish {
            action: Action::Run,
            names: Vec::new(),
            kernel: None,
            profile: String::from("release"),
            runs: RUNS,
        };
        let mut words = arguments.iter().map(String::as_str);
        match words.next() {
            None | Some("run") => {}
            Some("list") => wish.action = Action::List,
            Some("shell") => wish.action = Action::Shell,
            Some("broken") => wish.action = Action::Broken,
            Some("bench") => wish.action = Action::Bench,
            Some(flag) if flag.starts_with("--") => words = arguments.iter().map(String::as_str),
            Some(other) => {
                return Err(format!(
                    "lab has no `{other}`; there are run, broken, list, shell and bench"
                ));
            }
        }
        while let Some(word) = words.next() {
            match word {
                "--kernel" => wish.kernel = Some(kernel(words.next())?),
                "--profile" => {
                    words
                        .next()
                        .ok_or("--profile needs dev or release")?
                        .clone_into(&mut wish.profile);
                }
                "--runs" if wish.action == Action::Bench => wish.runs = count(words.next())?,
                flag if flag.starts_with('-') => return Err(format!("lab has no flag {flag}")),
                name => wish.names.push(name.to_owned()),
            }
        }
        Ok(wish)
    }
}

fn count(word: Option<&str>) -> Result<usize> {
    let count = word.and_then(|word| word.parse().ok());
    let count = count.filter(|count| (1..=9).contains(count));
    count.ok_or_else(|| String::from("--runs is a number from 1 to 9"))
}

fn kernel(name: Option<&str>) -> Result<Line> {
    let line = LINES.into_iter().find(|line| Some(line.name) == name);
    line.ok_or_else(|| format!("--kernel is one of {}", LINES.map(|l| l.name).join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(words: &[&str]) -> Result<Wish> {
        let words: Vec<_> = words.iter().map(|&word| word.to_owned()).collect();
        Wish::read(&words)
    }

    /// Suites, a kernel and a profile are read in any order; nothing asked is everything.
    #[test]
    fn reads_the_command_line() {
        let wish = read(&["run", "boot", "--kernel", "6.1", "numa"]).unwrap();
        assert_eq!(wish.names, ["boot", "numa"]);
        assert_eq!(wish.kernel.unwrap().name, "6.1");
        assert_eq!(read(&[]).unwrap().action, Action::Run);
        assert_eq!(read(&["--profile", "dev"]).unwrap().profile, "dev");
        assert_eq!(read(&["shell"]).unwrap().action, Action::Shell);
        let wrongs = [
            &["boot"][..],
            &["run", "--kernel", "5.4"],
            &["run", "-x"],
            &["run", "--runs", "2"],
            &["bench", "--runs", "0"],
        ];
        for wrong in wrongs {
            assert!(read(wrong).is_err(), "{wrong:?}");
        }
    }

    /// The benchmark measures twice, if it is not told otherwise.
    #[test]
    fn reads_the_benchmarks() {
        let wish = read(&["bench", "nginx", "--runs", "3"]).unwrap();
        assert_eq!((wish.action, wish.runs), (Action::Bench, 3));
        assert_eq!(wish.names, ["nginx"]);
        assert_eq!(read(&["bench"]).unwrap().runs, RUNS);
    }
}
