//! The kernels of the lab, and where their parts are once unpacked.

use super::apt::Apt;
use super::trees::{Tools, unpack};
use crate::Result;
use std::path::{Path, PathBuf};

/// A kernel that the lab knows; its version is whatever the suite has.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Line {
    /// How it is called on the command line.
    pub(super) name: &'static str,
    suite: &'static str,
    /// Whether the module with the network cards is built for it.
    has_module: bool,
}

/// All of them, newest first. The first is the one that most suites run on.
pub(super) const LINES: [Line; 3] = [
    Line {
        name: "7",
        suite: "trixie-backports",
        has_module: true,
    },
    Line {
        name: "6.12",
        suite: "bookworm-backports",
        has_module: true,
    },
    Line {
        name: "6.1",
        suite: "bookworm",
        has_module: false,
    },
];

/// A kernel on this machine.
pub(super) struct Kernel {
    /// What `uname -r` says in it.
    pub(super) release: String,
    pub(super) image: PathBuf,
    /// `lib/modules/RELEASE`.
    pub(super) modules: PathBuf,
    /// Where the headers are, as the tools' tree sees it, if the module is built.
    pub(super) headers: Option<PathBuf>,
}

impl Line {
    /// Fetches and unpacks what is missing: the kernel into a tree of its own, its headers and
    /// build helpers into the tools'.
    pub(super) fn ready(self, lab: &Path, tools: &Tools) -> Result<Kernel> {
        let apt = Apt::open(lab, self.suite)?;
        let wants = ["linux-image-amd64", "linux-headers-amd64"];
        let wants = if self.has_module {
            &wants[..]
        } else {
            &wants[..1]
        };
        let names = apt.reached(wants, |name| is_part(name, self.has_module))?;
        let release = release(&names).ok_or_else(|| format!("{} has no kernel", self.suite))?;
        let (headers, parts): (Vec<_>, Vec<_>) =
            apt.fetch(&names)?.into_iter().partition(is_for_building);
        let root = lab.join("kernels").join(&release);
        unpack(&parts, &root)?;
        unpack(&headers, &tools.root)?;
        let modules = root.join("usr/lib/modules").join(&release);
        let images = [
            modules.join("vmlinuz"),
            root.join("boot").join(format!("vmlinuz-{release}")),
        ];
        let image = images.into_iter().find(|image| image.exists());
        Ok(Kernel {
            image: image.ok_or_else(|| format!("{release} has no vmlinuz"))?,
            headers: self
                .has_module
                .then(|| PathBuf::from("/usr/src").join(format!("linux-headers-{release}"))),
            modules,
            release,
        })
    }
}

/// Whether a package is a part of a kernel, or of what builds its modules.
fn is_part(name: &str, with_headers: bool) -> bool {
    let has = |prefixes: &[&str]| prefixes.iter().any(|p| name.starts_with(p));
    let part = has(&["linux-image-", "linux-binary-", "linux-modules-"])
        || with_headers && has(&["linux-headers-", "linux-kbuild-"]);
    part && !name.ends_with("-unsigned")
}

fn is_for_building(package: &super::apt::Package) -> bool {
    let prefixes = ["linux-headers-", "linux-kbuild-"];
    prefixes.iter().any(|p| package.name.starts_with(p))
}

/// The release in the name of the one image that is not `linux-image-amd64` itself.
fn release(names: &[String]) -> Option<String> {
    let mut images = names.iter().filter_map(|n| n.strip_prefix("linux-image-"));
    let image = images.find(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
    image.map(String::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Versions are what the packages say; unsigned images and other architectures' are none.
    #[test]
    fn resolves_the_release() {
        let names = ["linux-image-7.3.4+deb13-amd64", "linux-image-amd64"].map(String::from);
        assert_eq!(release(&names).unwrap(), "7.3.4+deb13-amd64");
        assert_eq!(release(&names[1..]), None);
    }

    /// Headers are left out where no module is built.
    #[test]
    fn picks_parts() {
        assert!(is_part("linux-modules-7.3.4+deb13-amd64", false));
        assert!(!is_part("linux-headers-6.1.0-50-amd64", false));
        assert!(is_part("linux-headers-6.1.0-50-amd64", true));
        assert!(!is_part("linux-image-6.12-amd64-unsigned", true));
        assert!(!is_part("linux-base", true));
    }
}
