//! A network namespace of a test's own, and the daemon's own command line in it.

use std::fs::File;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

/// A namespace that this thread, and what it starts, is in; gone with its pinned folder.
pub(crate) struct Namespace {
    name: String,
    /// Where the daemon may pin.
    pub(crate) folder: PathBuf,
}

impl Namespace {
    /// `None`, and a line that says so, where it cannot be had.
    pub(crate) fn enter(name: &str) -> Option<Self> {
        let name = format!("zc-{name}-{}", std::process::id());
        let made = Command::new("ip").args(["netns", "add", &name]).status();
        if !made.is_ok_and(|status| status.success()) {
            println!("SKIP: `ip netns add` does not work here");
            return None;
        }
        let file = File::open(format!("/run/netns/{name}")).unwrap();
        move_into_link_name_space(file.as_fd(), Some(LinkNameSpaceType::Network)).unwrap();
        for line in ["link set lo up", "-6 route add local fd00::/16 dev lo"] {
            let status = Command::new("ip").args(line.split(' ')).status();
            assert!(status.unwrap().success(), "ip {line}");
        }
        let folder = Path::new("/sys/fs/bpf").join(&name);
        Some(Self { name, folder })
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        let _ = zonecast(&["zones", "--clear", "--folder", path(&self.folder)]);
        let _ = Command::new("ip")
            .args(["netns", "del", &self.name])
            .status();
    }
}

/// A path as an argument.
pub(crate) fn path(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// Runs a command; whether it succeeded, and what it said.
pub(crate) fn zonecast(arguments: &[&str]) -> (bool, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_zonecast"));
    let output = command.args(arguments).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    (
        output.status.success(),
        text + &String::from_utf8_lossy(&output.stderr),
    )
}

/// Waits, a bounded time, until it is so.
pub(crate) fn until(what: &str, mut done: impl FnMut() -> bool) {
    for _ in 0..1000 {
        if done() {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    panic!("{what}");
}
