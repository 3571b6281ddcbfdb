//! Which kernel modules go into the guest: those that suites use, with what they depend on,
//! decompressed, and the tables by which modprobe (and the kernel, which calls it) finds them.

use super::apt::output;
use super::cpio::Archive;
use super::kernels::Kernel;
use super::trees::Tools;
use crate::Result;
use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};

/// What suites use. What a kernel has not, or has built in, is left out.
const WANTED: [&str; 25] = [
    "tls",
    "veth",
    "dummy",
    "inet_diag",
    "tcp_diag",
    "sch_fq",
    "sch_netem",
    "tcp_bbr",
    "rdma_rxe",
    "ib_uverbs",
    "rdma_ucm",
    // Ciphers, fast and portable ones; the names differ between kernels.
    "aesni_intel",
    "ghash_clmulni_intel",
    "ghash_generic",
    "gcm",
    "ccm",
    "ctr",
    "cryptd",
    "chacha20poly1305",
    "chacha",
    "chacha20_generic",
    "chacha_x86_64",
    "poly1305_generic",
    "crc32_generic",
    "crc32c_generic",
];

/// Modules by name (`_` for `-`), with what each depends on.
type Table = BTreeMap<String, Entry>;

struct Entry {
    path: String,
    needs: Vec<String>,
}

/// Puts the modules and their tables into the archive; `own` is our module.
pub(super) fn add<W: Write>(
    archive: &mut Archive<W>,
    kernel: &Kernel,
    tools: &Tools,
    own: Option<&Path>,
) -> Result<()> {
    let folder = format!("/lib/modules/{}", kernel.release);
    let table = table(kernel, tools)?;
    let mut chosen = Vec::new();
    for name in WANTED {
        choose(&table, name, &mut chosen);
    }
    let mut dependencies = String::new();
    for name in &chosen {
        let entry = &table[name];
        let bytes = contents(&kernel.modules.join(&entry.path), tools)?;
        archive.file(&format!("{folder}/{}", plain(&entry.path)), &bytes)?;
        let needs = entry.needs.iter().map(|need| plain(need));
        let needs = needs.collect::<Vec<_>>().join(" ");
        dependencies += &format!("{}: {needs}\n", plain(&entry.path));
    }
    if let (Some(own), Some(tls)) = (own, table.get("tls")) {
        archive.copy(&format!("{folder}/extra/tlsnic.ko"), own)?;
        dependencies += &format!("extra/tlsnic.ko: {}\n", plain(&tls.path));
    }
    archive.file(&format!("{folder}/modules.dep"), dependencies.as_bytes())?;
    let aliases = read(&kernel.modules.join("modules.alias"))?;
    let aliases: Vec<_> = aliases
        .lines()
        .filter(|line| chosen.iter().any(|name| aliased(line) == name))
        .collect();
    let aliases = aliases.join("\n") + "\n";
    archive.file(&format!("{folder}/modules.alias"), aliases.as_bytes())
}

/// The kernel's modules; its packages do not bring the table.
fn table(kernel: &Kernel, tools: &Tools) -> Result<Table> {
    let file = kernel.modules.join("modules.dep");
    if !file.exists() {
        let base = kernel.modules.ancestors().nth(4);
        let base = base.ok_or("a kernel's modules are in no tree")?;
        output(
            tools
                .command("depmod")?
                .arg("-b")
                .arg(base)
                .arg(&kernel.release),
        )?;
    }
    Ok(read_table(&read(&file)?))
}

fn read_table(text: &str) -> Table {
    let entries = text.lines().filter_map(|line| line.split_once(':'));
    let entries = entries.map(|(path, needs)| {
        let needs = needs.split_whitespace().map(String::from).collect();
        let path = path.to_owned();
        (name_of(&path), Entry { path, needs })
    });
    entries.collect()
}

/// Adds `name` and what it needs.
fn choose(table: &Table, name: &str, chosen: &mut Vec<String>) {
    let Some(entry) = table.get(name) else { return };
    if chosen.iter().any(|known| known == name) {
        return;
    }
    chosen.push(name.to_owned());
    for need in &entry.needs {
        choose(table, &name_of(need), chosen);
    }
}

/// `kernel/net/tls/tls.ko.xz` is `tls`.
fn name_of(path: &str) -> String {
    let file = path.rsplit('/').next().unwrap_or(path);
    file.split('.').next().unwrap_or(file).replace('-', "_")
}

/// A module's path once it is decompressed.
fn plain(path: &str) -> &str {
    path.strip_suffix(".xz").unwrap_or(path)
}

/// The module of a line `alias PATTERN MODULE`.
fn aliased(line: &str) -> &str {
    line.rsplit(' ').next().unwrap_or_default()
}

fn contents(file: &PathBuf, tools: &Tools) -> Result<Vec<u8>> {
    let failed = |e| format!("{}: {e}", file.display());
    if file.extension().is_none_or(|ending| ending != "xz") {
        return std::fs::read(file).map_err(failed);
    }
    let output = tools.command("xz")?.arg("-dc").arg(file).output();
    let output = output.map_err(failed)?;
    if output.status.success() {
        return Ok(output.stdout);
    }
    Err(format!("{}: xz: {}", file.display(), output.status))
}

fn read(file: &Path) -> Result<String> {
    std::fs::read_to_string(file).map_err(|e| format!("{}: {e}", file.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A module comes with all that it needs, each once; what is unknown is left out.
    #[test]
    fn chooses_with_dependencies() {
        let text = "kernel/a/rdma-rxe.ko.xz: kernel/b/ib_core.ko.xz kernel/c/udp.ko.xz\n\
                    kernel/b/ib_core.ko.xz:\nkernel/c/udp.ko.xz: kernel/b/ib_core.ko.xz\n";
        let table = read_table(text);
        let mut chosen = Vec::new();
        for name in ["rdma_rxe", "udp", "siw"] {
            choose(&table, name, &mut chosen);
        }
        assert_eq!(chosen, ["rdma_rxe", "ib_core", "udp"]);
        assert_eq!(plain(&table["udp"].path), "kernel/c/udp.ko");
    }
}
