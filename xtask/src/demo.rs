//! `demo`: builds the daemon and the demo, and becomes the demo.

use crate::Result;
use crate::json::Json;
use crate::packages::Purpose;
use crate::process::is_message;
use crate::setup;
use crate::workspace::cargo;
use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, ExitCode, Stdio};

/// Makes cargo print on stdout what [`find`] reads, and the rest on stderr as ever.
pub(crate) const MESSAGES: &str = "--message-format=json-render-diagnostics";

/// The two binaries that make a demo.
pub(crate) struct Binaries {
    pub(crate) daemon: PathBuf,
    demo: PathBuf,
}

/// Installs what is missing, builds, and runs the demo in place of this process.
pub(crate) fn run(arguments: &[String]) -> Result<ExitCode> {
    let (profile, flags) = split_profile(arguments)?;
    if !setup::ensure(Purpose::Demo)? {
        return Ok(ExitCode::FAILURE);
    }
    let binaries = find(&build(&["zonecast", "zonecast-perf"], &profile)?)?;
    let error = command(&binaries).args(flags).exec();
    Err(format!("{}: {error}", binaries.demo.display()))
}

/// The demo, without its flags.
pub(crate) fn command(binaries: &Binaries) -> Command {
    let mut command = Command::new(&binaries.demo);
    command.arg("--zonecast").arg(&binaries.daemon);
    command
}

/// Builds the binaries of packages with cargo's progress on stderr: cargo's messages, which
/// say where they are.
pub(crate) fn build(packages: &[&str], profile: &str) -> Result<Vec<String>> {
    let mut child = cargo(["build", "--bins"])
        .args(packages.iter().flat_map(|package| ["-p", package]))
        .args(["--profile", profile, MESSAGES])
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|e| format!("cargo build: {e}"))?;
    let output = child.stdout.take().map(BufReader::new);
    let lines: Vec<_> = output
        .into_iter()
        .flat_map(BufRead::lines)
        .map_while(|l| l.ok())
        .collect();
    let status = child.wait().map_err(|e| format!("cargo build: {e}"))?;
    if !status.success() {
        return Err(format!("cargo build: {status}"));
    }
    Ok(lines)
}

/// Both binaries of a demo, from cargo's messages.
pub(crate) fn find(messages: &[String]) -> Result<Binaries> {
    Ok(Binaries {
        daemon: executable(messages, "zonecast")?,
        demo: executable(messages, "zonecast-demo")?,
    })
}

/// The binary with this name, from cargo's messages; lines that are none are stepped over.
pub(crate) fn executable(messages: &[String], name: &str) -> Result<PathBuf> {
    for line in messages.iter().filter(|line| is_message(line)) {
        let message = Json::parse(line)?;
        let path = message.get("executable").and_then(Json::as_str);
        if let Some(path) = path.map(PathBuf::from).filter(|path| path.ends_with(name)) {
            return Ok(path);
        }
    }
    Err(format!("cargo built no {name}"))
}

/// Takes `--profile P` out of the flags; the others stay as they are.
fn split_profile(arguments: &[String]) -> Result<(String, Vec<String>)> {
    let (mut profile, mut flags) = (String::from("release"), Vec::new());
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        if argument == "--profile" {
            let value = arguments.next().ok_or("--profile needs dev or release")?;
            profile.clone_from(value);
        } else if let Some(value) = argument.strip_prefix("--profile=") {
            value.clone_into(&mut profile);
        } else {
            flags.push(argument.clone());
        }
    }
    match profile.as_str() {
        "dev" | "release" => Ok((profile, flags)),
        other => Err(format!("--profile is dev or release, not {other}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn strings(words: &[&str]) -> Vec<String> {
        words.iter().map(|&word| word.to_owned()).collect()
    }

    /// The profile is taken wherever it stands; every other flag passes in its order.
    #[test]
    fn takes_the_profile_out() {
        let (profile, flags) = split_profile(&strings(&[
            "--seconds",
            "5",
            "--profile",
            "dev",
            "--viewers=9",
        ]))
        .unwrap();
        assert_eq!(profile, "dev");
        assert_eq!(flags, ["--seconds", "5", "--viewers=9"]);
        assert_eq!(split_profile(&[]).unwrap().0, "release");
        assert!(split_profile(&strings(&["--profile"])).is_err());
        assert!(split_profile(&strings(&["--profile=fast"])).is_err());
    }

    /// Both binaries are found among cargo's messages, whatever stands between them.
    #[test]
    fn finds_the_binaries() {
        let messages = strings(&[
            "   Compiling zonecast",
            r#"{"reason":"compiler-artifact","executable":null}"#,
            r#"{"reason":"compiler-artifact","executable":"/t/release/zonecast-demo"}"#,
            r#"{"reason":"compiler-artifact","executable":"/t/release/zonecast"}"#,
            r#"{"reason":"build-finished","success":true}"#,
        ]);
        let binaries = find(&messages).unwrap();
        assert_eq!(binaries.daemon, PathBuf::from("/t/release/zonecast"));
        assert_eq!(binaries.demo, PathBuf::from("/t/release/zonecast-demo"));
        assert!(find(&messages[..3]).is_err());
    }
}
