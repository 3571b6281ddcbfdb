//! Where `unsafe` may stand: in the folders and files listed here, and nowhere else.
//!
//! Every library and binary outside those folders forbids it for itself as well, so that the
//! compiler holds the rule where this reading of the text could be fooled (by a macro). One that
//! has a listed file denies it, and that file alone allows it.

use crate::source::{Source, lines_with_word};
use crate::workspace::Member;
use std::path::{Path, PathBuf};

/// Folders in which any file may use `unsafe`.
const FOLDERS: [&str; 5] = [
    "numa",
    "dataplane/ring",
    "dataplane/io",
    "ebpf",
    "userspace/capi",
];

/// Files outside those folders that may use it too, for calls into the kernel.
const FILES: [&str; 3] = [
    "perf/src/child.rs",
    "dataplane/tests/allocations.rs",
    "tests/lab/guest/src/socket.rs",
];

/// The rule as lines for a person.
pub(crate) fn rule() -> Vec<String> {
    let list = FOLDERS.join(", ");
    vec![format!(
        "unsafe only in {list}, and in {}",
        FILES.join(", ")
    )]
}

/// What breaks the rule, one line each.
pub(crate) fn broken(members: &[Member], sources: &[Source]) -> Vec<String> {
    let mut lines = Vec::new();
    for source in sources.iter().filter(|s| !is_listed(&s.path)) {
        for line in lines_with_word(&source.code, "unsafe") {
            lines.push(format!(
                "{}:{line}: unsafe is not allowed here",
                source.path.display()
            ));
        }
    }
    for member in members.iter().filter(|m| !is_listed(&m.folder)) {
        let has_listed = sources
            .iter()
            .any(|s| s.path.starts_with(&member.folder) && is_listed(&s.path));
        let roots = member.roots.iter();
        lines.extend(roots.filter_map(|root| missing_attribute(root, sources, has_listed)));
    }
    lines
}

/// The line about the root file of a crate that does not forbid `unsafe`.
fn missing_attribute(root: &PathBuf, sources: &[Source], has_listed: bool) -> Option<String> {
    let code = &sources.iter().find(|s| s.path == *root)?.code;
    let has = |attribute: &str| code.contains(attribute);
    let held = has("#![forbid(unsafe_code)]") || (has_listed && has("#![deny(unsafe_code)]"));
    (!held).then(|| {
        let level = if has_listed { "deny" } else { "forbid" };
        format!("{}: needs #![{level}(unsafe_code)]", root.display())
    })
}

fn is_listed(path: &Path) -> bool {
    let in_folder = FOLDERS.iter().any(|folder| path.starts_with(folder));
    in_folder || FILES.iter().any(|file| path == Path::new(file))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::code_only;

    fn source(path: &str, text: &str) -> Source {
        Source {
            path: path.into(),
            text: text.to_owned(),
            code: code_only(text),
        }
    }

    fn member(folder: &str, root: &str) -> Member {
        Member {
            name: folder.to_owned(),
            folder: folder.into(),
            needs: Vec::new(),
            roots: vec![root.into()],
            tests: Vec::new(),
        }
    }

    /// Listed folders and files may use it; a comment about it is no use of it.
    #[test]
    fn the_list_is_allowed() {
        let sources = [
            source("numa/src/lib.rs", "unsafe { f() }"),
            source(
                "perf/src/child.rs",
                "#![allow(unsafe_code)]\nunsafe { f() }",
            ),
            source("perf/src/main.rs", "#![deny(unsafe_code)]"),
            source("xtask/src/main.rs", "#![forbid(unsafe_code)] // unsafe \n"),
        ];
        let members = [
            member("numa", "numa/src/lib.rs"),
            member("perf", "perf/src/main.rs"),
            member("xtask", "xtask/src/main.rs"),
        ];
        assert_eq!(broken(&members, &sources), [""; 0]);
    }

    /// Use outside the list is named by file and line; so is a crate that does not forbid it.
    #[test]
    fn all_else_is_not() {
        let sources = [
            source("dataplane/src/lib.rs", "//! Flow.\n#![deny(unsafe_code)]"),
            source("dataplane/src/ffi.rs", "\n\nunsafe { f() }"),
        ];
        let lines = broken(&[member("dataplane", "dataplane/src/lib.rs")], &sources);
        assert_eq!(
            lines,
            [
                "dataplane/src/ffi.rs:3: unsafe is not allowed here",
                "dataplane/src/lib.rs: needs #![forbid(unsafe_code)]",
            ]
        );
    }
}
