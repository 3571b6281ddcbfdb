//! `zonecast hold`: a process that does nothing but keep listening sockets between two daemons, where
//! there is no systemd to do it.
//!
//! ```text
//! daemon: t            holder: s(sockets) … e
//! daemon: k s(…) … e   holder: o             what it held before is closed
//! ```

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use zonecast_io::listen::bind_unix;

use super::wire::{FDS_MAX, receive, send};
use crate::cli::HoldArguments;
use crate::serve::privileges::raise_descriptors;

/// Whoever is silent in mid-talk for this long is left.
const PATIENCE: Duration = Duration::from_secs(5);
/// Sockets that are held at most.
const SOCKETS_MAX: usize = 4096;
/// Only the same user may talk to it.
const MODE: u32 = 0o600;

const TAKE: u8 = b't';
const KEEP: u8 = b'k';
const SOCKETS: u8 = b's';
const END: u8 = b'e';
const DONE: u8 = b'o';

/// Holds until it is killed.
///
/// # Errors
/// The socket cannot be made.
pub fn run(arguments: &HoldArguments) -> anyhow::Result<ExitCode> {
    raise_descriptors().context("RLIMIT_NOFILE")?;
    let path = &arguments.socket;
    let listener = bind_unix(path, MODE).with_context(|| path.display().to_string())?;
    let listener = UnixListener::from(listener);
    println!(
        "holding listening sockets for who asks at {}",
        path.display()
    );
    let mut held = Vec::new();
    for daemon in listener.incoming() {
        // A daemon that ends in mid-talk is no matter of ours: what was held stays held.
        if let Err(error) = daemon.and_then(|daemon| talk(&daemon, &mut held)) {
            eprintln!("zonecast: hold: {error}");
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn talk(daemon: &UnixStream, held: &mut Vec<OwnedFd>) -> io::Result<()> {
    daemon.set_read_timeout(Some(PATIENCE))?;
    daemon.set_write_timeout(Some(PATIENCE))?;
    match receive(daemon)?.0 {
        TAKE => give(daemon, &held.iter().map(AsFd::as_fd).collect::<Vec<_>>()),
        KEEP => {
            *held = collect(daemon)?;
            send(daemon, None, &[DONE], &[])
        }
        other => Err(io::Error::other(format!("nobody says {other}"))),
    }
}

fn give(to: &UnixStream, sockets: &[BorrowedFd<'_>]) -> io::Result<()> {
    for some in sockets.chunks(FDS_MAX) {
        send(to, None, &[SOCKETS], some)?;
    }
    send(to, None, &[END], &[])
}

fn collect(from: &UnixStream) -> io::Result<Vec<OwnedFd>> {
    let mut sockets = Vec::new();
    loop {
        let (said, some) = receive(from)?;
        match said {
            SOCKETS if some.is_empty() => return Err(io::Error::other("no sockets in a message")),
            SOCKETS if sockets.len() + some.len() <= SOCKETS_MAX => sockets.extend(some),
            END => return Ok(sockets),
            SOCKETS => return Err(io::Error::other("too many sockets")),
            other => return Err(io::Error::other(format!("nobody says {other}"))),
        }
    }
}

/// What is held at `path`.
pub(super) fn take(path: &Path) -> io::Result<Vec<OwnedFd>> {
    let holder = connect(path)?;
    send(&holder, None, &[TAKE], &[])?;
    collect(&holder)
}

/// Has these held, and no others.
pub(super) fn keep(path: &Path, sockets: &[BorrowedFd<'_>]) -> io::Result<()> {
    let holder = connect(path)?;
    send(&holder, None, &[KEEP], &[])?;
    give(&holder, sockets)?;
    match receive(&holder)?.0 {
        DONE => Ok(()),
        other => Err(io::Error::other(format!("the holder says {other}"))),
    }
}

fn connect(path: &Path) -> io::Result<UnixStream> {
    let holder = UnixStream::connect(path)?;
    holder.set_read_timeout(Some(PATIENCE))?;
    holder.set_write_timeout(Some(PATIENCE))?;
    Ok(holder)
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    /// More sockets than one message takes are held whole, given as often as asked for, and replaced;
    /// what breaks off in the middle changes nothing.
    #[test]
    fn holds_and_gives() {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let sockets: Vec<TcpListener> = (0..70)
            .map(|_| TcpListener::bind("127.0.0.1:0").unwrap())
            .collect();
        let fds: Vec<_> = sockets.iter().map(AsFd::as_fd).collect();
        let mut held = Vec::new();
        send(&ours, None, &[KEEP], &[]).unwrap();
        give(&ours, &fds).unwrap();
        talk(&theirs, &mut held).unwrap();
        assert_eq!(receive(&ours).unwrap().0, DONE);
        for _ in 0..2 {
            send(&ours, None, &[TAKE], &[]).unwrap();
            talk(&theirs, &mut held).unwrap();
            let back = collect(&ours).unwrap();
            let address = |fd: OwnedFd| TcpListener::from(fd).local_addr().unwrap();
            let back: Vec<_> = back.into_iter().map(address).collect();
            let wanted: Vec<_> = sockets.iter().map(|s| s.local_addr().unwrap()).collect();
            assert_eq!(back, wanted);
        }
        send(&ours, None, &[KEEP], &[]).unwrap();
        send(&ours, None, &[SOCKETS], &fds[..1]).unwrap();
        drop(ours);
        assert!(talk(&theirs, &mut held).is_err());
        assert_eq!(held.len(), 70);
    }
}
