//! `cargo xtask bpf`: the programs as the kernel has them, and what is pinned.
//!
//! Without arguments sizes and the verifier's work; `disassemble [PROGRAM]` adds their instructions;
//! `maps [FOLDER]` dumps every pinned map. The latter two run bpftool.

use std::path::Path;
use std::process::{Command, ExitCode};

use zonecast_ebpf::{Folder, ProgramFacts, inspect};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let shown = match words[..] {
        [] => inspect(table).map_err(|error| error.to_string()),
        ["disassemble"] => disassemble(None),
        ["disassemble", name] => disassemble(Some(name)),
        ["maps"] => maps(Folder::DEFAULT.as_ref()),
        ["maps", folder] => maps(folder.as_ref()),
        _ => Err("nothing, `disassemble [PROGRAM]` or `maps [FOLDER]`".to_owned()),
    };
    match shown {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bpf: {error}");
            ExitCode::FAILURE
        }
    }
}

fn table(programs: &[ProgramFacts]) {
    println!("program          instructions  machine code  verifier");
    for one in programs {
        let (name, count, bytes) = (one.name, one.instructions, one.machine_bytes);
        let verified = one.verified;
        println!("{name:<16} {count:>12}  {bytes:>8} byte  {verified:>6} instructions");
    }
}

fn disassemble(wanted: Option<&str>) -> Result<(), String> {
    let shown = inspect(|programs| {
        table(programs);
        let mut some = programs
            .iter()
            .filter(|one| wanted.is_none_or(|name| name == one.name))
            .peekable();
        if some.peek().is_none() {
            return Err("there is no such program".to_owned());
        }
        some.try_for_each(|one| {
            println!("\n{}:", one.name);
            let id = one.id.to_string();
            bpftool(&["prog", "dump", "xlated", "id", &id, "linum"])
        })
    });
    shown.map_err(|error| error.to_string())?
}

fn maps(folder: &Path) -> Result<(), String> {
    let versions = list(folder)?.into_iter().filter(|path| {
        let name = path.file_name().map(|name| name.to_string_lossy());
        name.is_some_and(|name| name.starts_with('v'))
    });
    for version in versions {
        for path in list(&version)? {
            println!("\n{}:", path.display());
            if path.ends_with("live") {
                println!("an iterator, for `zonecast zones`");
                continue;
            }
            bpftool(&["map", "dump", "pinned", &path.to_string_lossy()])?;
        }
    }
    Ok(())
}

fn list(folder: &Path) -> Result<Vec<std::path::PathBuf>, String> {
    let said = |error| format!("{}: {error}", folder.display());
    let entries = std::fs::read_dir(folder).map_err(said)?;
    let mut paths: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    Ok(paths)
}

/// What some maps hold (sockets' own storage) nobody can list: no reason to stop.
fn bpftool(arguments: &[&str]) -> Result<(), String> {
    match Command::new("bpftool").args(arguments).status() {
        Ok(_) => Ok(()),
        Err(error) => Err(format!(
            "bpftool: {error}; `cargo xtask setup bench` brings it"
        )),
    }
}
