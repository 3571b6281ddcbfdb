//! The top level of the tree, which is fixed, and a README in every folder of it and every crate.

use crate::workspace::Workspace;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// The folders of the top level; one that does not exist yet is not missed.
const FOLDERS: [&str; 7] = [
    "dataplane",
    "ebpf",
    "userspace",
    "numa",
    "xtask",
    "perf",
    "tests",
];

/// The files of the top level; all must exist.
const FILES: [&str; 5] = [
    "Cargo.toml",
    "Cargo.lock",
    "README.md",
    "LICENSE-MIT",
    "LICENSE-APACHE",
];

/// What breaks the rule, one line each.
pub(crate) fn broken(workspace: &Workspace) -> Vec<String> {
    let root = &workspace.root;
    let mut lines: Vec<_> = strangers(workspace)
        .map(|name| format!("{name}: the top level is fixed; it does not belong there"))
        .collect();
    let missing = FILES.iter().filter(|file| !root.join(file).exists());
    lines.extend(missing.map(|file| format!("{file} is missing")));

    let folders = FOLDERS.iter().map(PathBuf::from);
    let chapters: BTreeSet<_> = folders
        .filter(|folder| root.join(folder).is_dir())
        .chain(workspace.members.iter().map(|m| m.folder.clone()))
        .collect();
    let without = chapters
        .iter()
        .filter(|f| !root.join(f).join("README.md").exists());
    lines.extend(without.map(|f| format!("{}/README.md is missing", f.display())));
    lines
}

/// What lies at the top level and is neither listed, hidden, nor where cargo builds.
fn strangers(workspace: &Workspace) -> impl Iterator<Item = String> + '_ {
    let entries = std::fs::read_dir(&workspace.root).into_iter().flatten();
    let paths = entries.flatten().map(|entry| entry.path());
    paths
        .filter(|path| *path != workspace.target)
        .filter_map(|path| Some(path.file_name()?.to_string_lossy().into_owned()))
        .filter(|name| !is_known(name))
}

fn is_known(name: &str) -> bool {
    let listed = FOLDERS.contains(&name) || FILES.contains(&name);
    listed || name.starts_with('.') || Path::new(name) == Path::new("target")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is listed, hidden or built is known; a new folder is not.
    #[test]
    fn the_top_level_is_fixed() {
        for name in ["dataplane", "README.md", ".ci", "target"] {
            assert!(is_known(name), "{name}");
        }
        assert!(!is_known("scripts"));
    }
}
