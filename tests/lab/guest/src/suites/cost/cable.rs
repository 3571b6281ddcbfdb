//! The emulated card with a cable to a network namespace of its own. The card seals nothing
//! (`ideal`), as if sealing were free: what is left is what the machine does for it.

use crate::machine::{load, write};
use crate::tool::run as tool;
use anyhow::{Result, bail};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use std::fs::File;
use std::net::Ipv4Addr;
use std::os::fd::AsFd;
use std::path::Path;

/// The namespace of the far end, and the addresses of both.
const FAR: &str = "far";
pub(super) const NEAR: Ipv4Addr = Ipv4Addr::new(10, 5, 0, 1);
const FAR_END: Ipv4Addr = Ipv4Addr::new(10, 5, 0, 2);

/// Bytes of a packet: what cards do with large packets, the cable does without.
const MTU: &str = "9000";

/// Lays the cable, unless it lies already.
pub(super) fn lay() -> Result<()> {
    if Path::new("/sys/class/net/tlsnic0").exists() {
        return Ok(());
    }
    load("tlsnic", &["pairs=1"])?;
    tool("ip", &["netns", "add", FAR])?;
    tool("ip", &["link", "set", "tlsnic0p", "netns", FAR])?;
    let (near, far) = (format!("{NEAR}/24"), format!("{FAR_END}/24"));
    tool("ip", &["addr", "add", &near, "dev", "tlsnic0"])?;
    tool("ip", &["-n", FAR, "addr", "add", &far, "dev", "tlsnic0p"])?;
    tool("ip", &["link", "set", "tlsnic0", "mtu", MTU, "up"])?;
    tool(
        "ip",
        &["-n", FAR, "link", "set", "tlsnic0p", "mtu", MTU, "up"],
    )?;
    write("/sys/module/tlsnic/parameters/ideal", "1")
}

/// Does the work in a thread that is at the far end.
pub(super) fn at_the_far_end<T: Send>(work: impl FnOnce() -> Result<T> + Send) -> Result<T> {
    let namespace = File::open(Path::new("/run/netns").join(FAR))?;
    let there = || {
        let kind = Some(LinkNameSpaceType::Network);
        move_into_link_name_space(namespace.as_fd(), kind)?;
        work()
    };
    std::thread::scope(|scope| match scope.spawn(there).join() {
        Ok(done) => done,
        Err(_) => bail!("the thread at the far end has panicked"),
    })
}
