//! Where maps and links are pinned, so that they outlive a daemon.
//!
//! ```text
//! /sys/fs/bpf/zonecast/          locked by the daemon that steers
//!   links/                       0700
//!     lookup  life               the attached programs, replaced in place
//!   v1/                          the version of the maps' layout
//!     zone_counters  live        0444: anybody counts
//!     destinations  sockets  …   0600: what decides
//! ```

use std::fs::{self, File, Permissions};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock, statfs};
use rustix::mount::{MountFlags, mount};

use crate::Error;
use crate::skeleton::types;

/// The version of what is pinned here; see `programs/zonecast.h`.
pub(crate) const SCHEMA: u32 = 1;
/// `statfs` of a bpffs.
const BPF_FS_MAGIC: i64 = 0xcafe_4a11;
/// Anybody may go through, only root may change.
const OPEN: u32 = 0o755;
/// Root's.
const CLOSED: u32 = 0o700;

/// A claimed folder: nobody else steers from it while this lives.
#[derive(Debug)]
pub struct Folder {
    root: PathBuf,
    /// Locked; kept for that.
    _lock: OwnedFd,
    notes: Vec<String>,
}

impl Folder {
    /// Makes `root` in a bpffs, which is mounted where there is none, and locks it.
    ///
    /// # Errors
    /// [`Error::NoBpffs`], [`Error::InUse`], or what a file operation says.
    pub fn claim(root: &Path) -> Result<Self, Error> {
        let mut notes = Vec::new();
        let parent = root.parent().unwrap_or(Path::new("/"));
        if !is_bpffs(parent) {
            mount_bpffs(parent).map_err(|error| Error::NoBpffs {
                path: root.to_owned(),
                at: parent.to_owned(),
                error,
            })?;
            notes.push(format!(
                "steering: a bpffs is mounted at {}",
                parent.display()
            ));
        }
        make(root, OPEN)?;
        let lock = File::open(root).map_err(Error::folder(root))?;
        match flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            Err(rustix::io::Errno::WOULDBLOCK) => {
                return Err(Error::InUse {
                    path: root.to_owned(),
                });
            }
            other => other.map_err(|error| Error::folder(root)(error.into()))?,
        }
        let folder = Self {
            root: root.to_owned(),
            _lock: lock.into(),
            notes,
        };
        make(&folder.root.join("links"), CLOSED)?;
        make(&versioned(&folder.root), OPEN)?;
        Ok(folder)
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.root
    }

    /// What the operator should know, one line each.
    #[must_use]
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// Where a link is pinned.
    pub(crate) fn link(&self, name: &str) -> PathBuf {
        self.root.join("links").join(name)
    }

    /// Where a map, or something else that anybody reads, is pinned.
    pub(crate) fn map(&self, name: &str) -> PathBuf {
        versioned(&self.root).join(name)
    }

    /// Removes everything that is pinned, and the folder; programs are detached by it.
    ///
    /// # Errors
    /// What a file operation says.
    pub fn remove(self) -> Result<(), Error> {
        for folder in [self.root.join("links"), versioned(&self.root)] {
            let entries = fs::read_dir(&folder).map_err(Error::folder(&folder))?;
            for entry in entries {
                let path = entry.map_err(Error::folder(&folder))?.path();
                fs::remove_file(&path).map_err(Error::folder(&path))?;
            }
            fs::remove_dir(&folder).map_err(Error::folder(&folder))?;
        }
        fs::remove_dir(&self.root).map_err(Error::folder(&self.root))
    }
}

/// The folder of this version's maps.
pub(crate) fn versioned(root: &Path) -> PathBuf {
    root.join(format!("v{SCHEMA}"))
}

/// Pins in place of what is there; who opens `path` meanwhile finds the one or the other.
pub(crate) fn pin(object: impl AsFd, path: &Path, mode: u32) -> Result<(), Error> {
    let new = path.with_file_name(format!("{}_new", name_of(path)));
    match fs::remove_file(&new) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return Err(Error::folder(&new)(error));
        }
        _ => {}
    }
    crate::links::pin(object, &new).map_err(Error::folder(&new))?;
    fs::set_permissions(&new, Permissions::from_mode(mode)).map_err(Error::folder(&new))?;
    fs::rename(&new, path).map_err(Error::folder(path))
}

fn name_of(path: &Path) -> String {
    path.file_name()
        .map(|name| name.to_string_lossy().into_owned())
        .unwrap_or_default()
}

fn make(folder: &Path, mode: u32) -> Result<(), Error> {
    match fs::create_dir(folder) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
            return Err(Error::folder(folder)(error));
        }
        _ => {}
    }
    fs::set_permissions(folder, Permissions::from_mode(mode)).map_err(Error::folder(folder))
}

fn is_bpffs(path: &Path) -> bool {
    statfs(path).is_ok_and(|found| found.f_type == BPF_FS_MAGIC)
}

/// In an empty folder only: a mount hides what is there.
fn mount_bpffs(at: &Path) -> io::Result<()> {
    if fs::read_dir(at)?.next().is_some() {
        return Err(io::ErrorKind::DirectoryNotEmpty.into());
    }
    let options = c"mode=0755";
    mount("bpf", at, "bpf", MountFlags::empty(), Some(options))?;
    Ok(())
}

// The generated code has the header's structures, not its constants; this one says that both speak of
// the same header.
const _: () = assert!(size_of::<types::zone_counters>() > 0 && SCHEMA == 1);
