//! Attaching programs, and replacing them where they are attached: no packet finds none.

use std::ffi::CString;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use libbpf_rs::libbpf_sys;

/// What has become of a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Put {
    /// It was attached, where none was.
    Attached,
    /// It has taken the place of an earlier daemon's.
    Replaced,
}

/// Where programs are attached.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Target<'a> {
    /// A network namespace: `sk_lookup`.
    Netns(BorrowedFd<'a>),
    /// A cgroup: `sock_ops`.
    Cgroup(BorrowedFd<'a>),
    /// All TCP sockets, for whoever reads it.
    Sockets,
}

impl Target<'_> {
    fn kind(&self) -> libbpf_sys::bpf_attach_type {
        match self {
            Self::Netns(_) => libbpf_sys::BPF_SK_LOOKUP,
            Self::Cgroup(_) => libbpf_sys::BPF_CGROUP_SOCK_OPS,
            Self::Sockets => libbpf_sys::BPF_TRACE_ITER,
        }
    }

    fn descriptor(&self) -> RawFd {
        match self {
            Self::Netns(fd) | Self::Cgroup(fd) => fd.as_raw_fd(),
            Self::Sockets => 0,
        }
    }

    /// Whether a link is attached to just this, and not to one that is gone or another.
    fn is_of(&self, link: BorrowedFd<'_>) -> io::Result<bool> {
        let info = libbpf_rs::query::LinkInfo::from_fd(link).map_err(io::Error::other)?;
        match (self, info.info) {
            (Self::Netns(fd), libbpf_rs::query::LinkTypeInfo::NetNs(of)) => {
                Ok(rustix::fs::fstat(fd)?.st_ino == u64::from(of.ino))
            }
            (Self::Cgroup(fd), libbpf_rs::query::LinkTypeInfo::Cgroup(of)) => {
                Ok(rustix::fs::fstat(fd)?.st_ino == of.cgroup_id)
            }
            (Self::Sockets, libbpf_rs::query::LinkTypeInfo::Iter(_)) => Ok(true),
            _ => Ok(false),
        }
    }
}

/// Puts `program` in the place of what is pinned at `path`; attaches and pins it where nothing is, or
/// where what is pinned is attached elsewhere.
///
/// # Errors
/// What the kernel says; what was attached is as it was.
pub(crate) fn put(program: impl AsFd, target: Target<'_>, path: &Path) -> io::Result<Put> {
    match open(path) {
        Ok(link) if target.is_of(link.as_fd()).unwrap_or(false) => {
            replace(link.as_fd(), program.as_fd())?;
            return Ok(Put::Replaced);
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        // Attached elsewhere; or a list of another user's, which nobody misses.
        Ok(_) => std::fs::remove_file(path)?,
        Err(_) if matches!(target, Target::Sockets) => std::fs::remove_file(path)?,
        Err(error) => return Err(error),
    }
    let link = create(program.as_fd(), target)?;
    pin(&link, path)?;
    Ok(Put::Attached)
}

/// Opens what is pinned.
pub(crate) fn open(path: &Path) -> io::Result<OwnedFd> {
    let path = CString::new(path.as_os_str().as_bytes())?;
    // SAFETY: a string that ends in a zero, for the call.
    taken(unsafe { libbpf_sys::bpf_obj_get(path.as_ptr()) })
}

/// Pins a map, a program or a link.
pub(crate) fn pin(object: impl AsFd, path: &Path) -> io::Result<()> {
    let path = CString::new(path.as_os_str().as_bytes())?;
    let object = object.as_fd().as_raw_fd();
    // SAFETY: a string that ends in a zero and an open descriptor, for the call.
    done(unsafe { libbpf_sys::bpf_obj_pin(object, path.as_ptr()) })
}

fn create(program: BorrowedFd<'_>, target: Target<'_>) -> io::Result<OwnedFd> {
    let (program, descriptor) = (program.as_raw_fd(), target.descriptor());
    let none = std::ptr::null();
    // SAFETY: open descriptors, for the call; no options.
    taken(unsafe { libbpf_sys::bpf_link_create(program, descriptor, target.kind(), none) })
}

fn replace(link: BorrowedFd<'_>, program: BorrowedFd<'_>) -> io::Result<()> {
    let (link, program) = (link.as_raw_fd(), program.as_raw_fd());
    let none = std::ptr::null();
    // SAFETY: open descriptors, for the call; no options.
    done(unsafe { libbpf_sys::bpf_link_update(link, program, none) })
}

/// libbpf returns the negative error.
pub(crate) fn done(result: i32) -> io::Result<()> {
    if result < 0 {
        Err(io::Error::from_raw_os_error(-result))
    } else {
        Ok(())
    }
}

fn taken(result: i32) -> io::Result<OwnedFd> {
    done(result)?;
    // SAFETY: a new descriptor, nobody else's.
    Ok(unsafe { OwnedFd::from_raw_fd(result) })
}

#[cfg(test)]
mod tests {
    use std::mem::MaybeUninit;

    use libbpf_rs::query::LinkInfo;
    use rustix::thread::{UnshareFlags, unshare_unsafe};

    use super::*;
    use crate::load::{Shape, attempt};
    use crate::{Error, Folder};

    /// What cannot take the attached program's place changes nothing: the old one goes on.
    #[test]
    fn a_failed_update_leaves_the_old_program() {
        // SAFETY: no descriptor of this thread is shared differently by it.
        if let Err(error) = unsafe { unshare_unsafe(UnshareFlags::NEWNET) } {
            println!("SKIP: no network namespace of our own: {error}");
            return;
        }
        let mut place = MaybeUninit::uninit();
        let skeleton = match attempt(None, &Shape::smallest(), false, &mut place, &mut Vec::new()) {
            Err(Error::Load { error }) => {
                println!("SKIP: {error}");
                return;
            }
            other => other.expect("programs"),
        };
        let id = std::process::id();
        let root = format!("/sys/fs/bpf/zonecast-test-{id}-update");
        let folder = Folder::claim(Path::new(&root)).expect("a folder");
        let path = folder.link("lookup");
        let netns = std::fs::File::open("/proc/thread-self/ns/net").expect("a namespace");
        let target = Target::Netns(netns.as_fd());
        let progs = &skeleton.progs;
        let attached = || {
            let link = open(&path).expect("a link");
            LinkInfo::from_fd(link.as_fd()).expect("a link").prog_id
        };
        let first = put(progs.steer_lookup.as_fd(), target, &path).expect("it attaches");
        let before = attached();
        let wrong = put(progs.count_life.as_fd(), target, &path);
        let after = attached();
        let again = put(progs.steer_lookup.as_fd(), target, &path);
        folder.remove().expect("nothing else is in it");
        assert_eq!(first, Put::Attached);
        assert!(wrong.is_err(), "a program of another kind");
        assert_eq!(before, after);
        assert_eq!(again.expect("it is its own kind"), Put::Replaced);
    }
}
