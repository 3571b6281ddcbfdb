//! What systemd is told (sd_notify(3)): one datagram of `KEY=value` lines to a Unix socket.
//!
//! Without systemd there is no `NOTIFY_SOCKET`, and nothing is sent.

use std::ffi::OsStr;
use std::io;
use std::os::fd::BorrowedFd;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::sync::Arc;
use std::time::Duration;

use rustix::net::SocketAddrUnix;
use rustix::time::{ClockId, clock_gettime};

use crate::keep::wire::{FDS_MAX, send};

/// Tells the supervisor what the daemon does.
#[derive(Clone, Debug, Default)]
pub struct Notifier {
    supervisor: Option<Arc<(UnixDatagram, SocketAddr)>>,
    watchdog: Option<Duration>,
}

impl Notifier {
    /// The supervisor that the environment names, if any.
    #[must_use]
    pub fn from_environment() -> Self {
        let Some(name) = std::env::var_os("NOTIFY_SOCKET") else {
            return Self::default();
        };
        let mut notifier = Self::to(&name).unwrap_or_else(|error| {
            tracing::warn!(%error, ?name, "NOTIFY_SOCKET cannot be used");
            Self::default()
        });
        let for_us =
            std::env::var("WATCHDOG_PID").map_or(true, |pid| pid.parse() == Ok(std::process::id()));
        let micros = std::env::var("WATCHDOG_USEC")
            .ok()
            .and_then(|usec| usec.parse().ok());
        notifier.watchdog = micros.filter(|_| for_us).map(Duration::from_micros);
        notifier
    }

    /// A supervisor at the socket `name`; one that begins with `@` is in the abstract namespace.
    ///
    /// # Errors
    /// When the name is no address, or there are no sockets left.
    pub fn to(name: &OsStr) -> io::Result<Self> {
        let address = match name.as_bytes().strip_prefix(b"@") {
            Some(rest) => SocketAddr::from_abstract_name(rest)?,
            None => SocketAddr::from_pathname(name)?,
        };
        let socket = UnixDatagram::unbound()?;
        socket.set_nonblocking(true)?;
        Ok(Self {
            supervisor: Some(Arc::new((socket, address))),
            watchdog: None,
        })
    }

    /// Everything works; `status` is shown by `systemctl status`.
    pub fn ready(&self, status: &str) {
        self.send(&format!("READY=1\nSTATUS={}", status.replace('\n', " ")));
    }

    /// The configuration is being read again; [`Notifier::ready`] ends that.
    pub fn reloading(&self) {
        let now = clock_gettime(ClockId::Monotonic);
        let micros = now.tv_sec * 1_000_000 + now.tv_nsec / 1000;
        self.send(&format!("RELOADING=1\nMONOTONIC_USEC={micros}"));
    }

    /// The daemon is about to end.
    pub fn stopping(&self) {
        self.send("STOPPING=1\nSTATUS=draining");
    }

    /// The loops turn; said only to a supervisor that asked for it.
    pub fn alive(&self) {
        if self.watchdog.is_some() {
            self.send("WATCHDOG=1");
        }
    }

    /// The longest time between two [`Notifier::alive`] that the supervisor allows.
    #[must_use]
    pub fn watchdog(&self) -> Option<Duration> {
        self.watchdog
    }

    /// Has the supervisor keep these for the next start, under this name, and no others.
    pub fn store(&self, name: &str, sockets: &[BorrowedFd<'_>]) {
        let Some(supervisor) = &self.supervisor else {
            return;
        };
        let (socket, address) = &**supervisor;
        self.send(&format!("FDSTOREREMOVE=1\nFDNAME={name}"));
        let address = if let Some(path) = address.as_pathname() {
            SocketAddrUnix::new(path)
        } else {
            SocketAddrUnix::new_abstract_name(address.as_abstract_name().unwrap_or_default())
        };
        let text = format!("FDSTORE=1\nFDNAME={name}");
        for some in sockets.chunks(FDS_MAX) {
            let stored = address
                .as_ref()
                .map_err(|error| io::Error::from(*error))
                .and_then(|address| send(socket, Some(address), text.as_bytes(), some));
            if let Err(error) = stored {
                tracing::warn!(%error, "the supervisor does not store listening sockets");
            }
        }
    }

    fn send(&self, text: &str) {
        if let Some(supervisor) = &self.supervisor {
            let (socket, address) = &**supervisor;
            if let Err(error) = socket.send_to_addr(text.as_bytes(), address) {
                tracing::debug!(%error, text, "the supervisor was not told");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn receive(socket: &UnixDatagram) -> String {
        let mut bytes = [0; 512];
        let length = socket.recv(&mut bytes).unwrap();
        String::from_utf8(bytes[..length].to_vec()).unwrap()
    }

    /// Each message is one datagram of the lines that systemd knows, by path as by abstract name.
    #[test]
    fn messages() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        let notifier = Notifier::to(path.as_os_str()).unwrap();
        notifier.ready("a\nb");
        assert_eq!(receive(&socket), "READY=1\nSTATUS=a b");
        notifier.reloading();
        let reloading = receive(&socket);
        let micros = reloading
            .strip_prefix("RELOADING=1\nMONOTONIC_USEC=")
            .unwrap();
        assert!(micros.parse::<u64>().unwrap() > 0);
        notifier.stopping();
        assert_eq!(receive(&socket), "STOPPING=1\nSTATUS=draining");

        let name = format!("zonecast-test-{}", std::process::id());
        let address = SocketAddr::from_abstract_name(&name).unwrap();
        let socket = UnixDatagram::bind_addr(&address).unwrap();
        let mut notifier = Notifier::to(OsStr::new(&format!("@{name}"))).unwrap();
        notifier.alive();
        notifier.watchdog = Some(Duration::from_secs(1));
        notifier.alive();
        assert_eq!(receive(&socket), "WATCHDOG=1");
    }

    /// Sockets are stored under their name, in place of those before them.
    #[test]
    fn stored_sockets() {
        use std::os::fd::AsFd;
        let name = format!("zonecast-store-{}", std::process::id());
        let address = SocketAddr::from_abstract_name(&name).unwrap();
        let socket = UnixDatagram::bind_addr(&address).unwrap();
        let notifier = Notifier::to(OsStr::new(&format!("@{name}"))).unwrap();
        let kept = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        notifier.store("x", &[kept.as_fd()]);
        assert_eq!(receive(&socket), "FDSTOREREMOVE=1\nFDNAME=x");
        let (first, fds) = crate::keep::wire::receive(&socket).unwrap();
        assert_eq!((first, fds.len()), (b'F', 1));
        let fd = fds.into_iter().next().unwrap();
        let address = std::net::TcpListener::from(fd).local_addr().unwrap();
        assert_eq!(address, kept.local_addr().unwrap());
    }

    /// A supervisor that is gone, or was never there, is no error.
    #[test]
    fn nobody_listens() {
        Notifier::default().ready("x");
        Notifier::to(OsStr::new("/nonexistent/notify"))
            .unwrap()
            .ready("x");
    }
}
