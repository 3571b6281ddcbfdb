//! Where maps and links are pinned, so that they outlive a daemon.
//!
//! ```text
//! /sys/fs/bpf/zonecast/
//!   links/                       0700, locked by the daemon that steers
//!     lookup  life               the attached programs, replaced in place
//!   v1/                          the version of the maps' layout
//!     zone_counters  live        0444: anybody counts
//!     destinations  sockets  …   0600: what decides
//! ```

use std::fs::{self, Permissions};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use rustix::fs::{
    AtFlags, Dir, FlockOperation, Mode, OFlags, fchmod, flock, fstatfs, open, statfs, unlinkat,
};
use rustix::mount::{MountFlags, mount};

use crate::Error;

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
    /// Where a daemon pins, unless it is told otherwise.
    pub const DEFAULT: &str = "/sys/fs/bpf/zonecast";

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
        // Who may not open it may not lock it either.
        let lock = make(&root.join("links"), CLOSED)?;
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
            _lock: lock,
            notes,
        };
        make(&versioned(&folder.root), OPEN)?;
        Ok(folder)
    }

    /// Locks a folder that is there; `None` where nothing was ever pinned. Nothing is made or mounted.
    ///
    /// # Errors
    /// [`Error::InUse`], or what a file operation says.
    pub fn existing(root: &Path) -> Result<Option<Self>, Error> {
        match root.try_exists() {
            Ok(true) if is_bpffs(root) => Self::claim(root).map(Some),
            Ok(_) => Ok(None),
            Err(error) => Err(Error::folder(root)(error)),
        }
    }

    /// Whether [`Folder::claim`] is to be expected to work; nothing is changed.
    ///
    /// # Errors
    /// What it would fail with.
    pub fn check(root: &Path) -> Result<(), Error> {
        let parent = root.parent().unwrap_or(Path::new("/"));
        let no_bpffs = |error| Error::NoBpffs {
            path: root.to_owned(),
            at: parent.to_owned(),
            error,
        };
        if !is_bpffs(parent) {
            let empty = fs::read_dir(parent).map_err(no_bpffs)?.next().is_none();
            return match (empty, rustix::process::geteuid().is_root()) {
                (true, true) => Ok(()),
                (false, _) => Err(no_bpffs(io::ErrorKind::DirectoryNotEmpty.into())),
                (_, false) => Err(no_bpffs(io::ErrorKind::PermissionDenied.into())),
            };
        }
        let there = if root.exists() { root } else { parent };
        rustix::fs::access(there, rustix::fs::Access::WRITE_OK)
            .map_err(|error| Error::folder(there)(error.into()))?;
        Self::existing(root).map(drop)
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
            let of = |error: rustix::io::Errno| Error::folder(&folder)(error.into());
            let opened = open_folder(&folder)?;
            for entry in Dir::read_from(&opened).map_err(of)? {
                let entry = entry.map_err(of)?;
                let name = entry.file_name();
                if !matches!(name.to_bytes(), b"." | b"..") {
                    unlinkat(&opened, name, AtFlags::empty()).map_err(of)?;
                }
            }
            fs::remove_dir(&folder).map_err(Error::folder(&folder))?;
        }
        // Its parent may be somebody else's; an empty folder is no matter.
        drop(fs::remove_dir(&self.root));
        Ok(())
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

/// Makes a folder, or takes the one that is there.
fn make(folder: &Path, mode: u32) -> Result<OwnedFd, Error> {
    match fs::create_dir(folder) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
            return Err(Error::folder(folder)(error));
        }
        _ => {}
    }
    let opened = open_folder(folder)?;
    fchmod(&opened, Mode::from_raw_mode(mode))
        .map_err(|error| Error::folder(folder)(error.into()))?;
    Ok(opened)
}

/// A real folder in a bpffs: a link to another would lead root astray.
fn open_folder(folder: &Path) -> Result<OwnedFd, Error> {
    let of = |error: rustix::io::Errno| Error::folder(folder)(error.into());
    let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let opened = open(folder, flags, Mode::empty()).map_err(of)?;
    match fstatfs(&opened).map_err(of)?.f_type {
        BPF_FS_MAGIC => Ok(opened),
        _ => Err(Error::folder(folder)(io::Error::other("it is in no bpffs"))),
    }
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
