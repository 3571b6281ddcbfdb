//! What the guest boots into: our binaries with the libraries of this machine, programs of the
//! lab's tools with their own, kernel modules. There is no disk.

use super::apt::output;
use super::binaries::Binaries;
use super::cpio::Archive;
use super::kernels::Kernel;
use super::modules;
use super::trees::{Tools, libraries};
use crate::Result;
use std::io::Write;
use std::path::Path;
use std::process::Command;

/// Programs of the tools' tree that suites run. Each becomes a script in `/bin` that starts it by
/// its own loader: the guest's C library is this machine's, which may be older.
const TOOLS: [&str; 6] = ["openssl", "curl", "ip", "ss", "ethtool", "nginx"];

/// Where programs that are linked here look for their loader.
const LOADER: &str = "/lib64/ld-linux-x86-64.so.2";

/// Names and addresses for whoever asks.
const HOSTS: &str = "127.0.0.1 localhost\n::1 localhost\n";

/// Writes the archive for a kernel.
pub(super) fn make(
    file: &Path,
    kernel: &Kernel,
    module: Option<&Path>,
    tools: &Tools,
    binaries: &Binaries,
) -> Result<()> {
    let mut archive = Archive::create(file)?;
    for folder in ["dev", "proc", "sys", "tmp", "run", "etc", "root"] {
        archive.folder(folder)?;
    }
    archive.link("/sbin", "bin")?;
    archive.file("/etc/hosts", HOSTS.as_bytes())?;
    archive.file("/etc/passwd", b"root:x:0:0:root:/root:/bin/sh\n")?;
    archive.file("/etc/group", b"root:x:0:\n")?;
    ours(&mut archive, "/init", &binaries.guest)?;
    ours(&mut archive, "/bin/zonecast", &binaries.daemon)?;
    for name in TOOLS {
        tool(&mut archive, name, tools)?;
    }
    // After the tools: where busybox has a program of the same name, the tool stays.
    busybox(&mut archive, tools)?;
    modules::add(&mut archive, kernel, tools, module)?;
    archive.finish().map(drop)
}

/// A program built here, with the libraries that it has here.
fn ours<W: Write>(archive: &mut Archive<W>, path: &str, program: &Path) -> Result<()> {
    archive.copy(path, program)?;
    archive.copy(LOADER, Path::new(LOADER))?;
    for library in libraries(Command::new("ldd").arg(program))? {
        archive.copy(&library.to_string_lossy(), &library)?;
    }
    Ok(())
}

fn tool<W: Write>(archive: &mut Archive<W>, name: &str, tools: &Tools) -> Result<()> {
    let program = tools.program(name)?;
    let mut list = tools.loader();
    for library in libraries(list.arg("--list").arg(&program))? {
        archive.copy(&format!("/tools/lib/{}", file_name(&library)), &library)?;
    }
    let loader = tools.loader_file();
    let loader_path = format!("/tools/lib/{}", file_name(&loader));
    archive.copy(&loader_path, &loader)?;
    archive.copy(&format!("/tools/bin/{name}"), &program)?;
    let script = format!(
        "#!/bin/sh\nexec {loader_path} --library-path /tools/lib /tools/bin/{name} \"$@\"\n"
    );
    archive.file(&format!("/bin/{name}"), script.as_bytes())
}

/// Busybox, under all its names.
fn busybox<W: Write>(archive: &mut Archive<W>, tools: &Tools) -> Result<()> {
    let busybox = tools.program("busybox")?;
    archive.copy("/bin/busybox", &busybox)?;
    for name in output(Command::new(&busybox).arg("--list"))?.lines() {
        archive.link(&format!("/bin/{name}"), "busybox")?;
    }
    Ok(())
}

fn file_name(path: &Path) -> String {
    let name = path.file_name().unwrap_or(path.as_os_str());
    name.to_string_lossy().into_owned()
}
