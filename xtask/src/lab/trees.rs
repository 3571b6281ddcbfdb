//! Packages unpacked into folders: one with tools, one for each kernel. Nothing is installed and
//! no package's scripts run.
//!
//! The tools are a small Debian of their own, always of the same suite: QEMU, so that every
//! machine counts the same instructions; a compiler and make for the kernel module; and the
//! programs that suites run in the guest. They find their libraries in their own tree
//! ([`Tools::command`]), so they run beside any C library that the machine has.

use super::apt::{Apt, Package, make_folder, output, write};
use crate::Result;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Where the tools come from: a suite whose C library the newest kernel's build helpers need, and
/// whose OpenSSL has kTLS.
const SUITE: &str = "trixie";

/// What is asked for by name; the rest follows.
const TOOLS: [&str; 18] = [
    "qemu-system-x86",
    "seabios",
    "gcc-14",
    "libc6-dev",
    "make",
    "dash",
    "coreutils",
    "diffutils",
    "findutils",
    "grep",
    "mawk",
    "sed",
    "libelf1t64",
    "kmod",
    "xz-utils",
    "busybox-static",
    "openssl",
    "curl",
];
/// More of them, for the guest.
const GUEST_TOOLS: [&str; 3] = ["iproute2", "ethtool", "nginx"];

/// Programs that have their usual names by a maintainer's script.
const NAMES: [(&str, &str); 2] = [("awk", "mawk"), ("gcc", "gcc-14")];

/// Where Debian keeps libraries.
const LIBRARIES: &str = "usr/lib/x86_64-linux-gnu";

/// The tools' tree.
pub(super) struct Tools {
    pub(super) root: PathBuf,
}

impl Tools {
    /// Fetches and unpacks what is missing.
    pub(super) fn ready(lab: &Path) -> Result<Tools> {
        let apt = Apt::open(lab, SUITE)?;
        let names: Vec<_> = TOOLS.into_iter().chain(GUEST_TOOLS).collect();
        let packages = apt.fetch(&apt.closure(&names)?)?;
        let root = lab.join("tools");
        unpack(&packages, &root)?;
        for (name, of) in NAMES {
            let link = root.join("usr/bin").join(name);
            if !link.exists() {
                symlink(of, &link).map_err(|e| format!("{}: {e}", link.display()))?;
            }
        }
        Ok(Tools { root })
    }

    /// The file of a program.
    pub(super) fn program(&self, name: &str) -> Result<PathBuf> {
        let places = ["usr/bin", "usr/sbin"].map(|place| self.root.join(place).join(name));
        let found = places.into_iter().find(|file| file.exists());
        found.ok_or_else(|| format!("the lab's tools have no {name}"))
    }

    /// A program of the tree, run on this machine with the tree's own libraries.
    pub(super) fn command(&self, name: &str) -> Result<Command> {
        let mut command = self.loader();
        command.arg(self.program(name)?);
        Ok(command)
    }

    /// The tree's own dynamic loader, which takes a program's file and its arguments.
    pub(super) fn loader(&self) -> Command {
        let mut command = Command::new(self.loader_file());
        command.arg("--library-path").arg(self.libraries());
        command
    }

    pub(super) fn loader_file(&self) -> PathBuf {
        self.libraries().join("ld-linux-x86-64.so.2")
    }

    pub(super) fn libraries(&self) -> PathBuf {
        self.root.join(LIBRARIES)
    }
}

/// Unpacks those packages that are not in the tree yet.
pub(super) fn unpack(packages: &[Package], root: &Path) -> Result<()> {
    let stamps = root.join(".unpacked");
    make_folder(&stamps)?;
    for (link, folder) in [
        ("bin", "usr/bin"),
        ("sbin", "usr/sbin"),
        ("lib", "usr/lib"),
        ("lib64", "usr/lib64"),
    ] {
        make_folder(&root.join(folder))?;
        if !root.join(link).exists() {
            symlink(folder, root.join(link)).map_err(|e| format!("{link}: {e}"))?;
        }
    }
    let missing = packages.iter().filter(|p| !stamps.join(&p.sha256).exists());
    for package in missing {
        unpack_one(package, root)?;
        write(&stamps.join(&package.sha256), &package.name)?;
    }
    Ok(())
}

/// `dpkg-deb -x` would put folders in place of the links above.
fn unpack_one(package: &Package, root: &Path) -> Result<()> {
    let failed = |e: std::io::Error| format!("dpkg-deb: {e}");
    let mut dpkg = Command::new("dpkg-deb")
        .arg("--fsys-tarfile")
        .arg(&package.file)
        .stdout(Stdio::piped())
        .spawn()
        .map_err(failed)?;
    let mut tar = Command::new("tar");
    tar.args(["-x", "--keep-directory-symlink", "--no-same-owner", "-C"])
        .arg(root);
    let tarfile = dpkg.stdout.take().ok_or("dpkg-deb has no output")?;
    let unpacked = tar
        .stdin(tarfile)
        .status()
        .map_err(|e| format!("tar: {e}"))?;
    let read = dpkg.wait().map_err(failed)?;
    if read.success() && unpacked.success() {
        return Ok(());
    }
    // A file that is broken is fetched again next time.
    let _ = std::fs::remove_file(&package.file);
    Err(format!("{} cannot be unpacked", package.name))
}

/// The libraries that a program needs and where they are, its loader left out; `list` is the
/// loader's own answer to `--list`, or that of `ldd`.
pub(super) fn libraries(list: &mut Command) -> Result<Vec<PathBuf>> {
    let text = output(list)?;
    if let Some(line) = text.lines().find(|line| line.contains("not found")) {
        return Err(line.trim().to_owned());
    }
    Ok(listed(&text))
}

fn listed(text: &str) -> Vec<PathBuf> {
    let paths = text
        .lines()
        .filter_map(|line| line.split_once(" => "))
        .filter_map(|(_, path)| path.split(' ').next());
    paths.map(PathBuf::from).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A library is what has a path; the loader and the kernel's own have none.
    #[test]
    fn reads_lists_of_libraries() {
        let text = "\tlinux-vdso.so.1 (0x1)\n\tlibm.so.6 => /lib/libm.so.6 (0x2)\n\
                    \t/lib64/ld-linux-x86-64.so.2 (0x3)\n";
        assert_eq!(listed(text), [PathBuf::from("/lib/libm.so.6")]);
    }
}
