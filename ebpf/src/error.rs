//! What can go wrong between here and the kernel.

use std::io;
use std::path::PathBuf;

/// Why steering in the kernel is not to be had, or not as asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A pinned folder, or something in it.
    #[error("{path}: {error}", path = path.display())]
    Folder {
        /// Which.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// Not where maps can be pinned.
    #[error("{path} is not in a bpffs, and none could be mounted at {at}: {error}",
        path = path.display(), at = at.display())]
    NoBpffs {
        /// The folder.
        path: PathBuf,
        /// Where a bpffs is missing.
        at: PathBuf,
        /// Why none could be mounted.
        error: io::Error,
    },
    /// Another daemon steers from this folder.
    #[error("{path}: another daemon steers from here", path = path.display())]
    InUse {
        /// The folder.
        path: PathBuf,
    },
    /// More zones, loops or listeners than the programs know.
    #[error("{what}: {count}, but at most {max} can be steered to")]
    TooMany {
        /// Of what.
        what: &'static str,
        /// How many there are.
        count: usize,
        /// How many there may be.
        max: usize,
    },
    /// The kernel did not take the programs.
    #[error("the kernel does not take the programs: {error}{}", rights(error))]
    Load {
        /// What it says.
        error: libbpf_rs::Error,
    },
    /// A map could not be read or written.
    #[error("map {map}: {error}")]
    Map {
        /// Which.
        map: &'static str,
        /// Why.
        error: libbpf_rs::Error,
    },
    /// A program could not be attached.
    #[error("{program} cannot be attached: {error}")]
    Attach {
        /// Which.
        program: &'static str,
        /// Why.
        error: io::Error,
    },
}

impl Error {
    pub(crate) fn folder(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        |error| Self::Folder { path, error }
    }

    pub(crate) fn map(map: &'static str) -> impl FnOnce(libbpf_rs::Error) -> Self {
        move |error| Self::Map { map, error }
    }
}

/// What to do where rights are missing.
fn rights(error: &libbpf_rs::Error) -> &'static str {
    match error.kind() {
        libbpf_rs::ErrorKind::PermissionDenied => {
            " (it takes CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON)"
        }
        _ => "",
    }
}
