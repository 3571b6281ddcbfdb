//! `setup`: says what is missing and why it is needed, and installs it where it may.
//!
//! Three outcomes: everything is there; root on a Debian-like system, and it is installed; or the
//! one command to run is printed and the exit code is 1.

use crate::Result;
use crate::packages::{From, Need, Purpose};
use crate::probe;
use std::process::{Command, ExitCode};

/// Installs what the tests need; with `bench`, what benchmarks compare the daemon with, too.
pub(crate) fn run(arguments: &[String]) -> Result<ExitCode> {
    let purpose = match arguments {
        [] => Purpose::Test,
        [word] if word == "bench" => Purpose::Bench,
        _ => {
            return Err(format!(
                "setup takes bench or nothing, not {}",
                arguments.join(" ")
            ));
        }
    };
    let ready = ensure(purpose)?;
    if ready {
        println!("setup: everything is there");
    }
    Ok(ExitCode::from(u8::from(!ready)))
}

/// Whether everything up to `purpose` is there, if need be after installing it. Says what it
/// does; silent if there is nothing to do.
pub(crate) fn ensure(purpose: Purpose) -> Result<bool> {
    let missing = probe::missing(purpose);
    if missing.is_empty() {
        return Ok(true);
    }
    println!("missing:");
    for need in &missing {
        println!("  {:<14} {}", need.name(), need.why);
    }
    if !probe::is_debian_like() {
        println!("install these by their names on this system (the names above are Debian's)");
        return Ok(false);
    }
    let packages = packages(&missing);
    let components = components(&missing);
    if !packages.is_empty() && !probe::is_root() {
        println!(
            "\nrun this, then try again:\n\n  {}\n",
            by_hand(&packages, &components)
        );
        return Ok(false);
    }
    install(&packages, &components)?;
    let left = probe::missing(purpose);
    if let Some(need) = left.first() {
        return Err(format!(
            "{} was installed and is still not found",
            need.name()
        ));
    }
    Ok(true)
}

fn install(packages: &[&str], components: &[&str]) -> Result<()> {
    if !packages.is_empty() {
        println!("\napt-get update");
        // A repository that cannot be reached does not matter if the others have it all.
        let _ = run_visibly(apt_get().arg("update"));
        println!("\napt-get install {}", packages.join(" "));
        run_visibly(apt_get().args(INSTALL).args(packages))?;
    }
    if !components.is_empty() {
        if probe::on_path("rustup").is_none() {
            let names = components.join(" and ");
            return Err(format!(
                "there is no rustup to add {names} to this toolchain"
            ));
        }
        println!("\nrustup component add {}", components.join(" "));
        run_visibly(
            Command::new("rustup")
                .args(["component", "add"])
                .args(components),
        )?;
    }
    Ok(())
}

/// What is installed is what is named, and no more.
const INSTALL: [&str; 3] = ["install", "--yes", "--no-install-recommends"];

fn apt_get() -> Command {
    let mut command = Command::new("apt-get");
    command.env("DEBIAN_FRONTEND", "noninteractive");
    command
}

fn run_visibly(command: &mut Command) -> Result<()> {
    let name = command.get_program().to_string_lossy().into_owned();
    let status = command.status().map_err(|e| format!("{name}: {e}"))?;
    if status.success() {
        Ok(())
    } else {
        Err(format!("{name}: {status}"))
    }
}

/// The one command that does by hand what [`install`] does.
fn by_hand(packages: &[&str], components: &[&str]) -> String {
    let mut line = format!(
        "sudo apt-get update && sudo apt-get {} {}",
        INSTALL.join(" "),
        packages.join(" ")
    );
    if !components.is_empty() {
        line += &format!(" && rustup component add {}", components.join(" "));
    }
    line
}

fn packages(missing: &[Need]) -> Vec<&'static str> {
    let names = missing.iter().filter_map(|need| match need.from {
        From::Debian(name) => Some(name),
        From::Rustup(_) => None,
    });
    names.collect()
}

fn components(missing: &[Need]) -> Vec<&'static str> {
    let names = missing.iter().filter_map(|need| match need.from {
        From::Rustup(name) => Some(name),
        From::Debian(_) => None,
    });
    names.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packages::NEEDS;

    /// Packages and components are told apart, and the command names each of them once.
    #[test]
    fn the_command_names_everything() {
        let (packages, components) = (packages(NEEDS), components(NEEDS));
        assert_eq!(packages.len() + components.len(), NEEDS.len());
        let line = by_hand(&packages, &components);
        for need in NEEDS {
            assert_eq!(
                line.matches(need.name()).count(),
                1,
                "{} in {line}",
                need.name()
            );
        }
        assert!(!by_hand(&packages, &[]).contains("rustup"));
    }
}
