//! Where the kernel's files are; a test has a tree of its own.

use std::path::{Path, PathBuf};

/// The folders that are read.
#[derive(Debug, Clone)]
pub struct Roots {
    /// `/sys`.
    pub sys: PathBuf,
    /// `/proc`.
    pub proc: PathBuf,
    /// `/lib/modules`.
    pub modules: PathBuf,
}

impl Roots {
    /// This machine's.
    #[must_use]
    pub fn host() -> Roots {
        Roots {
            sys: "/sys".into(),
            proc: "/proc".into(),
            modules: "/lib/modules".into(),
        }
    }

    /// A tree with folders `sys`, `proc` and `lib/modules`.
    #[must_use]
    pub fn below(folder: &Path) -> Roots {
        Roots {
            sys: folder.join("sys"),
            proc: folder.join("proc"),
            modules: folder.join("lib/modules"),
        }
    }

    /// The kernel's release; empty where nobody knows.
    #[must_use]
    pub fn release(&self) -> String {
        read(&self.proc.join("sys/kernel/osrelease")).unwrap_or_default()
    }
}

/// A file's text without white space around it; `None` where it cannot be read.
pub(super) fn read(path: &Path) -> Option<String> {
    Some(std::fs::read_to_string(path).ok()?.trim().to_owned())
}

/// A file that is one number.
pub(super) fn number(path: &Path) -> Option<u64> {
    read(path)?.parse().ok()
}
