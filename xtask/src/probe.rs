//! Which needs are met on this machine, and what kind of machine it is.
//!
//! Looks for the thing itself (a program, a header, a library), not for a package, so that what
//! came another way counts as well.

use crate::packages::{NEEDS, Need, Purpose, SeenBy};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The needs up to `purpose` that are not met.
pub(crate) fn missing(purpose: Purpose) -> Vec<Need> {
    let needs = NEEDS.iter().filter(|need| need.purpose <= purpose);
    needs
        .filter(|need| !is_met(need.seen_by))
        .copied()
        .collect()
}

/// Whether packages are installed by apt here: Debian, or a distribution made from it.
pub(crate) fn is_debian_like() -> bool {
    let release = std::fs::read_to_string("/etc/os-release").unwrap_or_default();
    names_debian(&release) && on_path("apt-get").is_some()
}

/// Whether this process may install packages.
pub(crate) fn is_root() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    effective_user(&status) == Some(0)
}

/// The file that `program` starts.
pub(crate) fn on_path(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .map(|folder| folder.join(program))
        .find(|file| file.is_file())
}

fn is_met(seen_by: SeenBy) -> bool {
    match seen_by {
        SeenBy::Program(name) => on_path(name).is_some() || is_for_administrators(name),
        SeenBy::Header(name) => Path::new("/usr/include").join(name).is_file(),
        SeenBy::Library(_, conditions) => pkg_config(conditions),
        SeenBy::BesideCargo(name) => is_component(name),
    }
}

/// Whether `program` is one that only root has on the PATH, and others may start all the same.
fn is_for_administrators(program: &str) -> bool {
    Path::new("/usr/sbin").join(program).is_file()
}

/// Whether the toolchain has the program `name`. Rustup's stand-ins on the PATH say nothing: they
/// are there without the component. So look beside the cargo that started this program; only one
/// that is not rustup's, or none, leaves the PATH to look at.
fn is_component(name: &str) -> bool {
    let cargo = std::env::var_os("CARGO").map(PathBuf::from);
    let beside = cargo.as_ref().map(|cargo| cargo.with_file_name(name));
    let stand_ins = cargo.is_some() && on_path("rustup").is_some();
    beside.is_some_and(|file| file.is_file()) || (!stand_ins && on_path(name).is_some())
}

/// Whether pkg-config finds libraries that meet all conditions.
fn pkg_config(conditions: &[&str]) -> bool {
    let mut command = Command::new("pkg-config");
    command.arg("--exists").args(conditions);
    let status = command.stdout(Stdio::null()).stderr(Stdio::null()).status();
    status.is_ok_and(|status| status.success())
}

/// Whether an os-release file is that of Debian or of a relative.
fn names_debian(release: &str) -> bool {
    let fields = release.lines().filter_map(|line| line.split_once('='));
    fields
        .filter(|(key, _)| *key == "ID" || *key == "ID_LIKE")
        .flat_map(|(_, value)| value.trim_matches('"').split(' '))
        .any(|name| name == "debian")
}

/// The effective user in `/proc/PID/status`.
fn effective_user(status: &str) -> Option<u32> {
    let users = status.lines().find_map(|line| line.strip_prefix("Uid:"))?;
    users.split_whitespace().nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Debian and its relatives are told from others.
    #[test]
    fn tells_distributions_apart() {
        assert!(names_debian("NAME=\"Debian\"\nID=debian\n"));
        assert!(names_debian("ID=linuxmint\nID_LIKE=\"ubuntu debian\"\n"));
        assert!(!names_debian("ID=fedora\nNAME=\"not debian\"\n"));
        assert!(!names_debian(""));
    }

    /// The effective user is the second of four.
    #[test]
    fn reads_the_effective_user() {
        assert_eq!(effective_user("Name:\tx\nUid:\t1000\t0\t0\t0\n"), Some(0));
        assert_eq!(effective_user("Uid:\t0\n"), None);
    }

    /// A program of every system is found, one of none is not; so with libraries.
    #[test]
    fn looks_for_the_thing_itself() {
        assert!(is_met(SeenBy::Program("sh")));
        assert!(!is_met(SeenBy::Program("no-such-program")));
        assert!(!is_met(SeenBy::Header("no-such-header.h")));
        assert!(!is_met(SeenBy::Library("none", &["no-such-library"])));
    }
}
