//! Builds the kernel module with the network cards, against a kernel's headers.
//!
//! The build helpers in Debian's headers want the C library of their own suite, so make runs in
//! the tools' tree: chrooted, in a mount namespace that ends with it, as root or as root of a user
//! namespace. Nothing of it stays mounted.

use super::apt::{make_folder, output};
use super::kernels::Kernel;
use super::trees::Tools;
use crate::{Result, probe};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The module's sources, from the workspace's root.
const SOURCES: &str = "tests/lab/tlsnic";
const FILES: [&str; 2] = ["Makefile", "tlsnic.c"];

/// $1 is the tree; the rest is run in it.
const IN_TREE: &str = "tree=$1; shift
mkdir -p $tree/dev $tree/proc $tree/tmp &&
mount --rbind /dev $tree/dev && mount --rbind /proc $tree/proc &&
exec chroot $tree /usr/bin/env -i PATH=/usr/bin:/usr/sbin LC_ALL=C \"$@\"";

/// The built module, if this kernel has headers here; built again only if a source changed.
pub(super) fn ready(kernel: &Kernel, tools: &Tools, root: &Path) -> Result<Option<PathBuf>> {
    let Some(headers) = &kernel.headers else {
        return Ok(None);
    };
    let place = Path::new("build").join(&kernel.release);
    let folder = tools.root.join(&place);
    let module = folder.join("tlsnic.ko");
    make_folder(&folder)?;
    let sources = root.join(SOURCES);
    if module.exists()
        && FILES
            .iter()
            .all(|f| same(&sources.join(f), &folder.join(f)))
    {
        return Ok(Some(module));
    }
    println!("lab: building tlsnic.ko for {}", kernel.release);
    let _ = fs::remove_file(&module);
    for file in FILES {
        let (from, to) = (sources.join(file), folder.join(file));
        fs::copy(&from, &to).map_err(|e| format!("{}: {e}", from.display()))?;
    }
    let mut make = in_tree(tools);
    make.arg("make").arg("-C").arg(headers);
    make.arg(format!("M=/{}", place.display()));
    // Of any compiler of this suite, whatever the kernel was built with; and without type
    // information, which would need pahole and the whole vmlinux.
    make.args(["CC=gcc", "DEBIAN_KERNEL_NO_CC_VERSION_CHECK=y"]);
    make.args(["CONFIG_DEBUG_INFO_BTF_MODULES=", "modules"]);
    output(&mut make)?;
    Ok(Some(module))
}

/// A command that runs what is added to it in the tools' tree.
fn in_tree(tools: &Tools) -> Command {
    let mut command = Command::new("unshare");
    if !probe::is_root() {
        command.arg("--map-root-user");
    }
    command.args(["--mount", "sh", "-c", IN_TREE, "sh"]);
    command.arg(&tools.root);
    command
}

fn same(one: &Path, other: &Path) -> bool {
    matches!((fs::read(one), fs::read(other)), (Ok(a), Ok(b)) if a == b)
}
